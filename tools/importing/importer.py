"""Loads the fixture into the target: `python -m tools.import_seeds`.

One transaction under an advisory lock. Every step is one statement over all seeds, so their number
does not grow with the number of seeds, and every count is what the database says it did.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tools import import_statements as sql
from tools.paths import FIXTURE

if TYPE_CHECKING:
    from sqlalchemy import CursorResult
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from tools.fixture.reader import SeedTrace

SEED_USER_EMAIL = "seeds@commontrace.internal"
SEED_USER_NAME = "CommonTrace Seeds"
STEPS = 5
"""How often an import tells what it does next."""
PROGRESS_AFTER = 1.0
"""Seconds after which a terminal shows it."""

OnStep = Callable[[str], None]
"""Is told what the import does next."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an import would do to one trace; printed by `--dry-run`."""

    action: str
    slug: str
    title: str
    fields: str = ""
    """What an update changes."""

    def __str__(self) -> str:
        """E.g. `update react/x: Its title (solution, tags)`."""
        fields = f" ({self.fields})" if self.fields else ""
        return f"{self.action} {self.slug}: {self.title}{fields}"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Numbers of traces that an import wrote or skipped; of a dry run, those that it planned."""

    inserted: int
    skipped: int
    updated: int
    pruned: int
    changes: tuple[Change, ...] = ()
    """Of a dry run only."""

    def __str__(self) -> str:
        """E.g. `230 inserted, 0 skipped`; updated and pruned only where there were any."""
        counts = [f"{self.inserted} inserted", f"{self.skipped} skipped"]
        counts += [f"{self.updated} updated"] if self.updated else []
        counts += [f"{self.pruned} pruned"] if self.pruned else []
        return ", ".join(counts)


async def import_seeds(
    engine: AsyncEngine,
    seeds: Sequence[SeedTrace],
    *,
    dry_run: bool = False,
    prune: bool = False,
    on_step: OnStep = lambda step: None,
) -> ImportResult:
    """Make the target hold these seeds, in one transaction.

    Args:
        engine: the target.
        seeds: all seeds, with unique slugs and titles.
        dry_run: write nothing and return the plan.
        prune: delete the traces of earlier imports whose seed is gone.
        on_step: is told what comes next.

    Returns:
        What the database did, or in a dry run would do.
    """
    async with engine.connect() as connection:
        # A statement must see what another import committed while this one waited for the lock.
        await connection.execution_options(isolation_level="READ COMMITTED")
        on_step("Waiting for other imports")
        await _execute(connection, sql.LOCK, key=AdvisoryLock.IMPORT)
        on_step("Comparing")
        await _stage(connection, seeds, prune=prune)
        if dry_run:
            return await _planned(connection)
        result = await _write(connection, on_step)
        on_step("Committing")
        await connection.commit()
        return result


async def get_or_create_seed_user(connection: AsyncConnection) -> uuid.UUID:
    """Return the id of the user that seeds belong to, made if missing."""
    await _execute(
        connection, sql.INSERT_SEED_USER, email=SEED_USER_EMAIL, display_name=SEED_USER_NAME
    )
    rows = await _execute(connection, sql.SELECT_SEED_USER, email=SEED_USER_EMAIL)
    return uuid.UUID(str(rows.scalar_one()))


async def _stage(connection: AsyncConnection, seeds: Sequence[SeedTrace], *, prune: bool) -> None:
    """Bring the seeds into temporary tables, and there the plan; long texts only where needed."""
    for statement in sql.CREATE_STAGE:
        await _execute(connection, statement)
    await _copy(connection, "seed", sql.SEED_COLUMNS, map(_seed_row, seeds))
    await _execute(connection, sql.MAKE_PLAN, prune=prune)
    slugs = set((await _execute(connection, sql.SLUGS_TO_WRITE)).scalars())
    texts = ((s.slug, s.context, s.solution) for s in seeds if s.slug in slugs)
    await _copy(connection, "seed_text", sql.SEED_TEXT_COLUMNS, texts)


def _seed_row(seed: SeedTrace) -> tuple[Any, ...]:
    content_hash = seed.content_hash
    metadata = {
        "slug": seed.slug,
        "content_hash": content_hash,
        "proven_with": seed.proven_with,
    }
    return (
        seed.slug,
        seed.title,
        seed.id,
        content_hash,
        sorted(seed.tags),
        seed.agent_model,
        seed.agent_version,
        json.dumps(metadata),
    )


async def _planned(connection: AsyncConnection) -> ImportResult:
    counts = await _plan_counts(connection)
    changes = await _execute(connection, sql.LIST_CHANGES)
    return ImportResult(
        inserted=counts.get("insert", 0),
        skipped=counts.get("skip", 0),
        updated=counts.get("update", 0),
        pruned=counts.get("prune", 0),
        changes=tuple(Change(c.action, c.slug, c.title, c.fields or "") for c in changes),
    )


async def _plan_counts(connection: AsyncConnection) -> dict[str, int]:
    return {row.action: row.traces for row in await _execute(connection, sql.COUNT_PLAN)}


async def _write(connection: AsyncConnection, on_step: OnStep) -> ImportResult:
    from app.models.trace import TraceStatus

    skipped = (await _plan_counts(connection)).get("skip", 0)
    contributor_id = await get_or_create_seed_user(connection)
    on_step("Writing traces")
    inserted = await _execute(
        connection,
        sql.INSERT_TRACES,
        status=TraceStatus.VALIDATED.value,
        contributor_id=contributor_id,
    )
    updated = await _execute(connection, sql.UPDATE_TRACES)
    on_step("Writing tags")
    await _execute(connection, sql.INSERT_TAGS)
    await _execute(connection, sql.DELETE_TRACE_TAGS)
    await _execute(connection, sql.INSERT_TRACE_TAGS)
    pruned = await _execute(connection, sql.PRUNE_TRACES)
    result = ImportResult(inserted.rowcount, skipped, updated.rowcount, pruned.rowcount)
    if result.inserted or result.updated or result.pruned:
        await _execute(connection, sql.NOTIFY)
    return result


async def _execute(
    connection: AsyncConnection, statement: str, **parameters: Any
) -> CursorResult[Any]:
    from sqlalchemy import text

    return await connection.execute(text(statement), parameters)


async def _copy(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Any]
) -> None:
    """COPY rows into a temporary table; asyncpg takes them one by one, in bounded memory."""
    raw = await connection.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.copy_records_to_table(table, records=rows, columns=columns)


@click.command()
@click.option(
    "--fixtures-path",
    default=FIXTURE,
    type=click.Path(path_type=Path),
    help="The fixture; api/fixtures/seed_traces.json by default.",
)
@click.option("--database-url", help="The target; DATABASE_URL by default.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and write nothing.")
@click.option("--prune", is_flag=True, help="Delete imported traces whose seed is gone.")
def main(fixtures_path: Path, database_url: str | None, dry_run: bool, prune: bool) -> None:
    """Load the fixture into the target database.

    New seeds are inserted, changed ones updated in place, the others skipped; traces that are not
    seeds are never touched. Without DATABASE_URL the target is the embedded database.
    """
    from tools.fixture.reader import read_fixture

    seeds = read_fixture(fixtures_path)
    result = asyncio.run(_import(seeds, database_url, dry_run=dry_run, prune=prune))
    for change in result.changes:
        click.echo(change)
    done = "Nothing written; an import would give" if dry_run else "Seed import complete"
    click.echo(f"{done}: {result}")


async def _import(
    seeds: Sequence[SeedTrace], database_url: str | None, *, dry_run: bool, prune: bool
) -> ImportResult:
    from app.config import load_settings
    from app.database import connected_engine, database_errors

    settings = load_settings(database_url=database_url)
    async with connected_engine(settings, needs=sql.NEEDED_COLUMNS) as engine:
        with database_errors("the import failed, nothing was written"), _progress() as on_step:
            return await import_seeds(engine, seeds, dry_run=dry_run, prune=prune, on_step=on_step)


@contextmanager
def _progress() -> Iterator[OnStep]:
    """A progress bar on standard error, from `PROGRESS_AFTER` on, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task("", total=STEPS, completed=-1)  # the first step starts at 0
    timer = asyncio.get_running_loop().call_later(PROGRESS_AFTER, progress.start)
    try:
        yield lambda step: progress.update(task, description=step, advance=1)
    finally:
        timer.cancel()
        progress.stop()


if __name__ == "__main__":
    main()
