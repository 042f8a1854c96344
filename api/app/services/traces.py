"""Traces and tags, read one by one."""

import uuid
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.tags import normalize_tag


@dataclass(frozen=True)
class FoundTrace:
    """A trace as readers see it; `TRACE_COLUMNS` has a column of the name of each field."""

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

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return the trace of a row that holds `TRACE_COLUMNS`, and perhaps more."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class TraceLink:
    """What a list shows of a trace."""

    id: uuid.UUID
    slug: str | None
    title: str


@dataclass(frozen=True)
class TagCount:
    """A tag or category, and how many traces have it."""

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

_BY_SLUG = text(f"""
    SELECT {TRACE_COLUMNS} FROM traces t JOIN users u ON u.id = t.contributor_id
    WHERE t.metadata_json ->> 'slug' = :slug AND t.is_seed
""")

_CATEGORIES = text("""
    SELECT split_part(metadata_json ->> 'slug', '/', 1) AS category, count(*)
    FROM traces WHERE is_seed AND metadata_json ->> 'slug' IS NOT NULL
    GROUP BY category ORDER BY category
""")

_LINK = "SELECT t.id, t.metadata_json ->> 'slug', t.title FROM traces t"

_BY_CATEGORY = text(f"""
    {_LINK} WHERE is_seed AND split_part(metadata_json ->> 'slug', '/', 1) = :category
    ORDER BY title
""")

_BY_TAG = text(f"""
    {_LINK} JOIN trace_tags ON trace_tags.trace_id = t.id
    JOIN tags ON tags.id = trace_tags.tag_id WHERE tags.name = :tag ORDER BY title
""")


async def get_trace(engine: AsyncEngine, trace_id: uuid.UUID) -> FoundTrace | None:
    """Return the trace with this id, if there is one."""
    async with engine.connect() as connection:
        row = (await connection.execute(_TRACE, {"id": trace_id})).first()
    return FoundTrace.of(row) if row else None


async def list_tags(engine: AsyncEngine) -> list[TagCount]:
    """Return the tags that traces have, most used first."""
    async with engine.connect() as connection:
        return [TagCount(*row) for row in await connection.execute(_TAGS)]


async def get_trace_by_slug(engine: AsyncEngine, slug: str) -> FoundTrace | None:
    """Return the seed with this slug, if there is one."""
    async with engine.connect() as connection:
        row = (await connection.execute(_BY_SLUG, {"slug": slug})).first()
    return FoundTrace.of(row) if row else None


async def list_categories(engine: AsyncEngine) -> list[TagCount]:
    """Return the categories of seeds, by name."""
    async with engine.connect() as connection:
        return [TagCount(*row) for row in await connection.execute(_CATEGORIES)]


async def list_by_category(engine: AsyncEngine, category: str) -> list[TraceLink]:
    """Return the seeds of a category, by title."""
    async with engine.connect() as connection:
        rows = await connection.execute(_BY_CATEGORY, {"category": category})
        return [TraceLink(*row) for row in rows]


async def list_by_tag(engine: AsyncEngine, tag: str) -> list[TraceLink]:
    """Return the traces that have a tag, by title."""
    async with engine.connect() as connection:
        rows = await connection.execute(_BY_TAG, {"tag": normalize_tag(tag)})
        return [TraceLink(*row) for row in rows]
