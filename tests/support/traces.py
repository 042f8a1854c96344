"""Traces that tests put into their database, past the importer."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.models import Tag, Trace, TraceStatus, User, trace_tags
from sqlalchemy import delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


async def add_traces(engine: AsyncEngine, traces: Sequence[dict[str, object]]) -> list[uuid.UUID]:
    """Write traces in one transaction that sends NOTIFY; the first is the oldest. Gives their ids.

    Each has `title` and, if the test cares, `context`, `solution`, `tags` and `slug`.
    """
    async with engine.begin() as connection:
        contributor = await _contributor(connection)
        begin = FIRST_DAY + timedelta(
            minutes=len((await connection.execute(select(Trace.id))).all())
        )
        ids = [uuid.uuid4() for _ in traces]
        for number, (trace_id, trace) in enumerate(zip(ids, traces, strict=True)):
            await connection.execute(
                insert(Trace).values(
                    id=trace_id,
                    title=trace["title"],
                    context_text=trace.get("context", ""),
                    solution_text=trace.get("solution", ""),
                    status=TraceStatus.VALIDATED,
                    trust_score=1.0,
                    contributor_id=contributor,
                    metadata_json={"slug": trace["slug"]} if "slug" in trace else None,
                    is_seed="slug" in trace,
                    created_at=begin + timedelta(minutes=number),
                )
            )
            await set_tags(connection, trace_id, trace.get("tags", []))  # type: ignore[arg-type]
        await notify(connection)
    return ids


async def set_tags(connection: AsyncConnection, trace_id: uuid.UUID, tags: Sequence[str]) -> None:
    """Give a trace exactly these tags."""
    await connection.execute(delete(trace_tags).where(trace_tags.c.trace_id == trace_id))
    for name in tags:
        await connection.execute(upsert(Tag).values(name=name).on_conflict_do_nothing())
        tag_id = await connection.scalar(select(Tag.id).where(Tag.name == name))
        await connection.execute(insert(trace_tags).values(trace_id=trace_id, tag_id=tag_id))


async def notify(connection: AsyncConnection) -> None:
    """Say that traces have changed."""
    await connection.execute(text("SELECT pg_notify('traces_changed', '')"))


async def _contributor(connection: AsyncConnection) -> uuid.UUID:
    await connection.execute(
        upsert(User)
        .values(email="tests@example.com", display_name="Tests")
        .on_conflict_do_nothing()
    )
    found = await connection.scalar(select(User.id).where(User.email == "tests@example.com"))
    assert found is not None
    return found
