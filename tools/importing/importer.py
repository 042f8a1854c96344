"""Makes a target hold the seeds of a fixture.

One transaction under an advisory lock. Every step is one statement over all seeds, so their number
does not grow with the number of seeds, and every count is what the database says it did.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.database.locks import AdvisoryLock
from app.models.trace import TraceStatus
from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.fixture.reader import SeedTrace
from tools.importing import statements as sql

SEED_USER_EMAIL = "seeds@commontrace.internal"
SEED_USER_NAME = "CommonTrace Seeds"
STEPS = 5
"""How often an import tells what it does next."""

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
    return await connection.execute(text(statement), parameters)


async def _copy(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Any]
) -> None:
    """COPY rows into a temporary table; asyncpg takes them one by one, in bounded memory."""
    raw = await connection.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.copy_records_to_table(table, records=rows, columns=columns)
