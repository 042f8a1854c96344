"""A client of the service in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from app.config import Settings
from app.main import create_app
from fastapi import FastAPI


@asynccontextmanager
async def connected_client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application; what the application raises is answered, not raised."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        _running(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Run the application's lifespan in one task: a fixture begins and ends in two."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.router.lifespan_context(app):
            started.set()
            await ended.wait()

    life = asyncio.create_task(live())
    starting = asyncio.create_task(started.wait())
    await asyncio.wait({life, starting}, return_when=asyncio.FIRST_COMPLETED)
    starting.cancel()
    try:
        if not life.done():
            yield
    finally:
        ended.set()
        await life
