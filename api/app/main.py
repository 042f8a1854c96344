"""The HTTP service. `python -m app.main` serves it; `create_app()` is the application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from fastapi import FastAPI

from app.config import Settings, get_settings, load_settings
from app.database import connected_engine
from app.http.middleware import BodyLimit, RequestLog
from app.http.preview import Preview
from app.http.problems import handle_problems, problem_responses
from app.http.routers import operations, tags, traces
from app.http.routers.pages import add_pages
from app.http.server import serve
from app.logs import log_as_json
from app.mcp.server import add_mcp
from app.metrics import Metrics
from app.service import running_service

LARGEST_REQUEST = 128 * 1024
"""Bytes of a body: the longest question and tags, every character escaped, take 72 KB."""


def create_app(settings: Settings | None = None, preview: Preview | None = None) -> FastAPI:
    """Give the application; without settings it reads them from the environment.

    With a preview its pages show seeds as they are on disk.
    """
    configured = settings or get_settings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_service(configured, metrics) as service, mcp_sessions():
            app.state.service = service
            yield

    app = FastAPI(
        title="CommonTrace Seeds",
        summary="Solved coding problems, searchable by meaning and by words.",
        lifespan=lifespan,
        responses=problem_responses(500, 503),
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
    )
    handle_problems(app)
    for router in (traces.router, tags.router, operations.router):
        app.include_router(router)
    mcp_sessions = add_mcp(app, configured.mcp_hosts)
    add_pages(app, preview)
    app.add_middleware(BodyLimit, largest=LARGEST_REQUEST)
    app.add_middleware(RequestLog, metrics=metrics)
    return app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(host: str, port: int, database_url: str | None) -> None:
    """Serve search over HTTP and MCP; logs are JSON on standard error."""
    asyncio.run(_serve(load_settings(database_url=database_url), host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    async with connected_engine(settings):  # says in one line what is wrong with the target
        log_as_json()
        await serve(
            create_app(settings),
            host,
            port,
            shutdown_timeout=settings.shutdown_timeout,
            log_config=None,
        )


if __name__ == "__main__":
    main()
