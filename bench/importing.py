"""Import: 10,000 generated traces, against the row-by-row way and against a bare COPY.

Row by row means for every trace one SELECT and one INSERT, and get-or-create of its tags, in one
transaction of a SQLAlchemy session on asyncpg. The bare COPY brings the same rows, ready in memory,
into the same tables with the same indexes. All run on one embedded server.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import click
from app.database import connected_engine
from app.models import Tag, Trace, TraceStatus, User, trace_tags
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from bench.corpora import Element, generated_elements
from bench.support import (
    Database,
    autocommit,
    memory_of_process,
    seconds_of,
    settings_of,
    temporary_database,
)
from tools.fixture.reader import SeedTrace, read_fixture
from tools.importing.importer import import_seeds

COUNT, QUICK_COUNT = 10_000, 100
RUNS = range(3)
"""Of what takes seconds, the median of three runs counts; row by row takes too long for that."""

Row = dict[str, Any]
Way = Callable[[AsyncEngine, Path], Awaitable[float]]
"""Loads a fixture into a database; returns the seconds that count."""

Measure = Callable[[str, Path], Coroutine[Any, Any, float]]
"""Does something with a database's URL and a fixture; returns MB."""


def main(quick: bool) -> None:
    """Print each figure as a ratio of two times, or a difference of two peaks, of this run."""
    asyncio.run(_measure(QUICK_COUNT if quick else COUNT))


async def _measure(count: int) -> None:
    async with temporary_database() as database:
        fixture = database.folder / "fixture.json"
        fixture.write_text(json.dumps(generated_elements(count), ensure_ascii=False, indent=2))
        await _print_times(database.engine, fixture, count)
        await _empty_tables(database.engine)
        _print_memory(database, fixture)


async def _print_times(engine: AsyncEngine, fixture: Path, count: int) -> None:
    copy = median([await _on_empty_tables(engine, bare_copy, fixture) for _ in RUNS])
    first = median([await _on_empty_tables(engine, our_import, fixture) for _ in RUNS])
    again = median([await our_import(engine, fixture) for _ in RUNS])
    rows = await _on_empty_tables(engine, row_by_row, fixture)
    for line in (
        f"import of {count:,} traces: row by row {rows:.2f} s, bare COPY {copy:.2f} s",
        f"  all new            {first:.2f} s   {rows / first:.0f} x faster than rows (at least 40)",
        f"                              {first / copy:.2f} x the time of COPY (at most 6)",
        f"  nothing changed    {again:.2f} s   {rows / again:.0f} x faster than rows (at least 60)",
    ):
        click.echo(line)


def _print_memory(database: Database, fixture: Path) -> None:
    holding = _in_new_process(_hold, database, fixture)
    more = _in_new_process(_import, database, fixture) - holding
    click.echo(f"  memory             {more:.0f} MB more than the fixture (at most 100)")


async def _on_empty_tables(engine: AsyncEngine, way: Way, fixture: Path) -> float:
    await _empty_tables(engine)
    return await way(engine, fixture)


async def _empty_tables(engine: AsyncEngine) -> None:
    """Empty the tables, and leave the server nothing to do for what was before."""
    async with autocommit(engine) as connection:
        await connection.execute(text("TRUNCATE users, traces, tags, trace_tags CASCADE"))
        await connection.execute(text("CHECKPOINT"))


async def our_import(engine: AsyncEngine, fixture: Path) -> float:
    """Return the seconds of our import, reading and validating the fixture included."""
    return await seconds_of(_read_and_import(engine, fixture))


async def _read_and_import(engine: AsyncEngine, fixture: Path) -> None:
    await import_seeds(engine, read_fixture(fixture))


async def row_by_row(engine: AsyncEngine, fixture: Path) -> float:
    """Return the seconds of the row-by-row way, reading the fixture included."""
    return await seconds_of(_read_and_insert(engine, fixture))


async def _read_and_insert(engine: AsyncEngine, fixture: Path) -> None:
    elements: list[Element] = json.loads(fixture.read_bytes())
    async with AsyncSession(engine, expire_on_commit=False) as session:
        user = User(email="seeds@example.org", display_name="Seeds", is_seed=True)
        session.add(user)
        await session.flush()
        for element in elements:
            await _insert_one(session, element, user.id)
        await session.commit()


async def _insert_one(session: AsyncSession, element: Element, user: uuid.UUID) -> None:
    known = select(Trace.id).where(Trace.title == element["title"], Trace.is_seed)
    if await session.scalar(known):
        return
    metadata = {"slug": element["slug"], "proven_with": element["proven_with"]}
    trace = Trace(**_columns(element, user), metadata_json=metadata)
    session.add(trace)
    await session.flush()
    for name in element["tags"]:
        tag = await _get_or_create_tag(session, name)
        await session.execute(insert(trace_tags).values(trace_id=trace.id, tag_id=tag.id))


async def _get_or_create_tag(session: AsyncSession, name: str) -> Tag:
    tag = await session.scalar(select(Tag).where(Tag.name == name))
    if tag is None:
        tag = Tag(name=name)
        session.add(tag)
        await session.flush()
    return tag


async def bare_copy(engine: AsyncEngine, fixture: Path) -> float:
    """Return the seconds of COPY for the same rows of all four tables, ready in memory."""
    tables = _tables(read_fixture(fixture))
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        return await seconds_of(_copy(driver, tables))


async def _copy(driver: Any, tables: dict[str, list[Row]]) -> None:
    async with driver.transaction():
        for table, rows in tables.items():
            records = [tuple(row.values()) for row in rows]
            await driver.copy_records_to_table(table, columns=list(rows[0]), records=records)


def _tables(seeds: Sequence[SeedTrace]) -> dict[str, list[Row]]:
    """Return the rows of each table, in the order in which they can be written."""
    user = uuid.uuid4()
    tags = {tag: uuid.uuid4() for seed in seeds for tag in seed.tags}
    pairs = [{"trace_id": seed.id, "tag_id": tags[tag]} for seed in seeds for tag in seed.tags]
    return {
        "users": [{"id": user, "email": "x@example.org", "display_name": "x", "is_seed": True}],
        "traces": [_trace_row(seed, user) for seed in seeds],
        "tags": [{"id": tag_id, "name": tag, "is_curated": True} for tag, tag_id in tags.items()],
        "trace_tags": pairs,
    }


def _trace_row(seed: SeedTrace, user: uuid.UUID) -> Row:
    metadata = {"slug": seed.slug, "content_hash": seed.content_hash}
    return _columns(asdict(seed), user) | {
        "id": seed.id,
        "status": TraceStatus.VALIDATED.value,
        "metadata_json": json.dumps(metadata),
    }


def _columns(element: Element, user: uuid.UUID) -> Row:
    """Return what both rivals write of a trace alike."""
    return {
        "title": element["title"],
        "context_text": element["context"],
        "solution_text": element["solution"],
        "status": TraceStatus.VALIDATED,
        "trust_score": 1.0,
        "confirmation_count": 2,
        "contributor_id": user,
        "agent_model": element["agent_model"],
        "agent_version": element["agent_version"],
        "is_seed": True,
    }


def _in_new_process(measure: Measure, database: Database, fixture: Path) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, measure, database.url, fixture).result()


def _run(measure: Measure, url: str, fixture: Path) -> float:
    return asyncio.run(measure(url, fixture))


async def _hold(url: str, fixture: Path) -> float:
    """Return the memory in MB of a process with our modules loaded that holds the parsed file."""
    async with connected_engine(settings_of(url)):
        elements = json.loads(fixture.read_bytes())
        return memory_of_process("VmRSS") if elements else 0.0


async def _import(url: str, fixture: Path) -> float:
    """Return the peak memory in MB of a process that imports the fixture."""
    async with connected_engine(settings_of(url)) as engine:
        await our_import(engine, fixture)
    return memory_of_process("VmHWM")
