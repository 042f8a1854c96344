"""Import: 10,000 generated traces, against the row-by-row way and against a bare COPY.

Row by row means for every trace one SELECT and one INSERT, and get-or-create of its tags, in one
transaction of a SQLAlchemy session on asyncpg. The bare COPY brings the same rows, ready in memory,
into the same tables with the same indexes. All run on one embedded server.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from app.config import Settings
from app.database import connected_engine
from app.models import Tag, Trace, TraceStatus, User, trace_tags
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from bench.corpora import generated_elements
from tools.fixture.reader import SeedTrace, read_fixture
from tools.import_seeds import import_seeds

COUNT = 10_000
RUNS = range(3)
"""Of what takes seconds, the median of three runs counts; row by row takes too long for that."""

Way = Callable[[AsyncEngine, Path], Awaitable[float]]
"""Loads a fixture into a database; returns seconds."""


async def row_by_row(engine: AsyncEngine, fixture: Path) -> float:
    """Seconds that the row-by-row way takes, reading the fixture included."""
    start = time.perf_counter()
    elements = json.loads(fixture.read_bytes())
    async with AsyncSession(engine, expire_on_commit=False) as session:
        user = await _user(session)
        for element in elements:
            await _import_one(session, element, user)
        await session.commit()
    return time.perf_counter() - start


async def _user(session: AsyncSession) -> User:
    user = User(email="seeds@example.org", display_name="Seeds", is_seed=True)
    session.add(user)
    await session.flush()
    return user


async def _import_one(session: AsyncSession, element: dict[str, Any], user: User) -> None:
    known = select(Trace.id).where(Trace.title == element["title"], Trace.is_seed)
    if await session.scalar(known):
        return
    trace = Trace(
        title=element["title"],
        context_text=element["context"],
        solution_text=element["solution"],
        status=TraceStatus.VALIDATED,
        trust_score=1.0,
        confirmation_count=2,
        contributor_id=user.id,
        agent_model=element["agent_model"],
        agent_version=element["agent_version"],
        metadata_json={"slug": element["slug"], "proven_with": element["proven_with"]},
        is_seed=True,
    )
    session.add(trace)
    await session.flush()
    for name in element["tags"]:
        tag = await session.scalar(select(Tag).where(Tag.name == name))
        if tag is None:
            tag = Tag(name=name)
            session.add(tag)
            await session.flush()
        await session.execute(insert(trace_tags).values(trace_id=trace.id, tag_id=tag.id))


async def bare_copy(engine: AsyncEngine, fixture: Path) -> float:
    """Seconds that COPY takes for the same rows of all four tables, ready in memory."""
    user, traces, tags, pairs = _rows(read_fixture(fixture))
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        start = time.perf_counter()
        async with raw.transaction():
            await _copy(raw, "users", [user])
            await _copy(raw, "traces", traces)
            await _copy(raw, "tags", tags)
            await _copy(raw, "trace_tags", pairs)
        return time.perf_counter() - start


def _rows(
    seeds: Sequence[SeedTrace],
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    user = {"id": uuid.uuid4(), "email": "x@example.org", "display_name": "x", "is_seed": True}
    tag_ids = {tag: uuid.uuid4() for seed in seeds for tag in seed.tags}
    traces = [
        {
            "id": seed.id,
            "title": seed.title,
            "context_text": seed.context,
            "solution_text": seed.solution,
            "status": TraceStatus.VALIDATED.value,
            "trust_score": 1.0,
            "confirmation_count": 2,
            "contributor_id": user["id"],
            "agent_model": seed.agent_model,
            "agent_version": seed.agent_version,
            "metadata_json": json.dumps({"slug": seed.slug, "content_hash": seed.content_hash}),
            "is_seed": True,
        }
        for seed in seeds
    ]
    tags = [{"id": tag_id, "name": tag, "is_curated": True} for tag, tag_id in tag_ids.items()]
    pairs = [{"trace_id": seed.id, "tag_id": tag_ids[tag]} for seed in seeds for tag in seed.tags]
    return user, traces, tags, pairs


async def _copy(raw: Any, table: str, rows: Sequence[dict[str, Any]]) -> None:
    records = [tuple(row.values()) for row in rows]
    await raw.copy_records_to_table(table, columns=list(rows[0]), records=records)


async def our_import(engine: AsyncEngine, fixture: Path) -> float:
    """Seconds that our import takes, reading and validating the fixture included."""
    start = time.perf_counter()
    await import_seeds(engine, read_fixture(fixture))
    return time.perf_counter() - start


def memory_of_fixture(fixture: Path, settings: Settings) -> float:
    """Memory in MB of a process that has our modules loaded and holds the parsed file."""
    return asyncio.run(_with_engine(settings, _hold, fixture))


def peak_of_import(fixture: Path, settings: Settings) -> float:
    """Peak memory in MB of a process that imports the fixture."""
    asyncio.run(_with_engine(settings, our_import, fixture))
    return _resident("VmHWM")


async def _with_engine(settings: Settings, way: Way, fixture: Path) -> float:
    async with connected_engine(settings) as engine:
        return await way(engine, fixture)


async def _hold(engine: AsyncEngine, fixture: Path) -> float:
    elements = json.loads(fixture.read_bytes())
    return _resident("VmRSS") if elements else 0.0


def _resident(figure: str) -> float:
    """Memory of this process in MB: `VmRSS` is what it holds, `VmHWM` the most it ever held."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{figure}:")[2].split()[0]) / 1024


async def main() -> None:
    """Print each figure as a ratio of two times, or a difference of two peaks, of this run."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        fixture = folder / "fixture.json"
        fixture.write_text(json.dumps(generated_elements(COUNT), ensure_ascii=False, indent=2))
        settings = Settings(database_url=None, data_dir=folder / "data", _env_file=None)
        async with connected_engine(settings) as engine:
            copy = median([await _on_empty_tables(engine, bare_copy, fixture) for _ in RUNS])
            first = median([await _on_empty_tables(engine, our_import, fixture) for _ in RUNS])
            again = median([await our_import(engine, fixture) for _ in RUNS])
            rows = await _on_empty_tables(engine, row_by_row, fixture)
            await _empty_tables(engine)
            holding = _in_new_process(memory_of_fixture, fixture, settings)
            importing = _in_new_process(peak_of_import, fixture, settings)
    print(f"import of {COUNT:,} traces: row by row {rows:.2f} s, bare COPY {copy:.2f} s")
    print(
        f"  all new            {first:.2f} s   {rows / first:.0f} x faster than rows (at least 40)"
    )
    print(f"                              {first / copy:.2f} x the time of COPY (at most 6)")
    print(
        f"  nothing changed    {again:.2f} s   {rows / again:.0f} x faster than rows (at least 60)"
    )
    print(f"  memory             {importing - holding:.0f} MB more than the fixture (at most 100)")


async def _on_empty_tables(engine: AsyncEngine, way: Way, fixture: Path) -> float:
    await _empty_tables(engine)
    return await way(engine, fixture)


async def _empty_tables(engine: AsyncEngine) -> None:
    """Empty the tables, and leave the server nothing to do for what was before."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("TRUNCATE users, traces, tags, trace_tags CASCADE"))
        await connection.execute(text("CHECKPOINT"))


def _in_new_process(
    measure: Callable[[Path, Settings], float], fixture: Path, settings: Settings
) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, fixture, settings).result()


if __name__ == "__main__":
    asyncio.run(main())
