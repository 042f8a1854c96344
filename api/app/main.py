"""The HTTP service. `python -m app.main` serves it; `create_app()` is the application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.config import Settings, get_settings, load_settings
from app.database import connected_engine
from app.preview import Preview
from app.problems import handle_problems
from app.routers import health, tags, traces
from app.routers.pages import add_pages
from app.services.changes import CONNECTION_ERRORS, ChangeListener
from app.services.embeddings import create_embedder
from app.services.search import SearchService

log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None, preview: Preview | None = None) -> FastAPI:
    """The application; without settings it reads them from the environment.

    With a preview its pages show seeds as they are on disk.
    """
    configured = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connected_engine(configured) as engine:
            app.state.engine = engine
            app.state.search = SearchService(engine, create_embedder(configured))
            await app.state.search.start()
            following = asyncio.create_task(
                _follow_changes(engine, app.state.search, configured.worker_poll_seconds)
            )
            yield
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    app = FastAPI(
        title="CommonTrace Seeds",
        summary="Solved coding problems, searchable by meaning and by words.",
        lifespan=lifespan,
    )
    handle_problems(app)
    for router in (traces.router, tags.router, health.router):
        app.include_router(router)
    add_pages(app, preview)
    return app


async def _follow_changes(engine: AsyncEngine, search: SearchService, seconds: float) -> None:
    """Keep the search index in step with the traces, for as long as the service runs."""
    async with ChangeListener(engine) as changes:
        while True:
            await changes.wait(seconds)
            try:
                await search.refresh()
            except (DBAPIError, *CONNECTION_ERRORS) as error:
                log.warning("search index not refreshed: %s", error)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(host: str, port: int, database_url: str | None) -> None:
    """Serve search over HTTP."""
    asyncio.run(_serve(load_settings(database_url=database_url), host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    import uvicorn

    async with connected_engine(settings):  # says in one line what is wrong with the target
        await uvicorn.Server(uvicorn.Config(create_app(settings), host, port)).serve()


if __name__ == "__main__":
    main()
