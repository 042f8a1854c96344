"""Word from the database that traces have changed."""

import asyncio
from types import TracebackType
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.database.errors import DATABASE_ERRORS

TRACES_CHANGED = "traces_changed"
"""The channel on which a transaction that has written traces sends NOTIFY."""


class ChangeListener:
    """Waits for the next change of traces; several changes while nobody waits count as one.

    It keeps one connection of the pool, takes another when that one is lost, and without any it
    still returns when the time is over, so that a caller who then looks for itself misses nothing.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._lost = False
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._drop()

    async def wait(self, seconds: float) -> None:
        """Return when traces have changed since the last call, or after `seconds`."""
        if self._connection is None or self._lost:
            await self._drop()
            await self._listen()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def _listen(self) -> None:
        try:
            self._connection = await self._engine.connect()
            raw = await self._connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.add_listener(TRACES_CHANGED, lambda *_: self._changed.set())
            driver.add_termination_listener(lambda _: self._forget())
            self._lost = False
        except DATABASE_ERRORS:
            await self._drop()
        except asyncio.CancelledError:
            await self._drop()
            raise

    def _forget(self) -> None:
        """Note that the connection is gone, and wake up: something may have been missed."""
        self._lost = True
        self._changed.set()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()  # it carries a LISTEN that the pool must not hand on
            await connection.close()
