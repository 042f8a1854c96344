"""A database that makes statements wait, and who waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.waiting import until

WAITING = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


@asynccontextmanager
async def locked(
    engine: AsyncEngine, table: str, mode: str = "ACCESS EXCLUSIVE"
) -> AsyncIterator[None]:
    """Meanwhile a table is locked."""
    async with engine.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))
        yield


async def until_waiting(engine: AsyncEngine, statements: int) -> None:
    """Return when so many statements of this test's database wait for a lock."""

    async def are_waiting() -> bool:
        async with engine.connect() as connection:  # what a transaction sees does not change
            return bool(await connection.scalar(WAITING) >= statements)

    await until(are_waiting)
