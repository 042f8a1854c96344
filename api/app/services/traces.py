"""Traces and tags, read one by one."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True)
class FoundTrace:
    """A trace as readers see it. The fields are in the order of `TRACE_COLUMNS`."""

    id: uuid.UUID
    slug: str | None
    title: str
    context_text: str
    solution_text: str
    tags: list[str]
    trust_score: float
    status: str
    contributor_id: uuid.UUID
    contributor_name: str
    agent_model: str | None
    agent_version: str | None
    proven_with: dict[str, Any]
    """Package -> version with which the solution was seen to work; empty for what is no seed."""
    created_at: datetime


@dataclass(frozen=True)
class TagCount:
    """A tag, and how many traces have it."""

    name: str
    traces: int


TRACE_COLUMNS = """
    t.id, t.metadata_json ->> 'slug' AS slug, t.title, t.context_text, t.solution_text,
    array(
        SELECT tags.name FROM trace_tags JOIN tags ON tags.id = trace_tags.tag_id
        WHERE trace_tags.trace_id = t.id ORDER BY tags.name
    ) AS tags,
    t.trust_score, t.status, t.contributor_id, u.display_name AS contributor_name,
    t.agent_model, t.agent_version, coalesce(t.metadata_json -> 'proven_with', '{}') AS proven_with,
    t.created_at
"""
"""Of `traces t JOIN users u`."""

_TRACE = text(f"""
    SELECT {TRACE_COLUMNS} FROM traces t JOIN users u ON u.id = t.contributor_id WHERE t.id = :id
""")

_TAGS = text("""
    SELECT tags.name, count(*) FROM tags JOIN trace_tags ON trace_tags.tag_id = tags.id
    GROUP BY tags.name ORDER BY count(*) DESC, tags.name
""")


async def get_trace(engine: AsyncEngine, trace_id: uuid.UUID) -> FoundTrace | None:
    """The trace with this id, if there is one."""
    async with engine.connect() as connection:
        row = (await connection.execute(_TRACE, {"id": trace_id})).first()
    return FoundTrace(*row) if row else None


async def list_tags(engine: AsyncEngine) -> list[TagCount]:
    """The tags that traces have, most used first."""
    async with engine.connect() as connection:
        return [TagCount(*row) for row in await connection.execute(_TAGS)]
