"""Waiting for what happens elsewhere: in another task, another process, the database."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as a condition holds; fail after a minute."""
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)
