"""A database that makes statements wait, and who waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


@asynccontextmanager
async def locked_traces(engine: AsyncEngine) -> AsyncIterator[None]:
    """Meanwhile nobody can read traces."""
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE traces IN ACCESS EXCLUSIVE MODE"))
        yield


async def until_waiting(engine: AsyncEngine, statements: int) -> None:
    """Return when so many statements of this test's database wait for a lock."""
    waiting = text("""
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    """)
    async with asyncio.timeout(30), engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while await connection.scalar(waiting) < statements:
            await asyncio.sleep(0.01)
