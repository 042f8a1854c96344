"""The running service: what HTTP and MCP answer from."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.config import Settings
from app.database import Limits, connected_engine
from app.database.errors import DATABASE_ERRORS
from app.database.notifications import ChangeListener
from app.metrics import Metrics
from app.search.bounded import BoundedSearch
from app.search.service import SearchService
from app.services.embeddings import Embedder, create_embedder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The parts that answer requests."""

    engine: AsyncEngine
    """For requests: bounded, so that load is refused instead of queued."""
    maintenance: AsyncEngine
    """For all else: health checks and the index, which load must not stop."""
    embedder: Embedder
    search: BoundedSearch
    metrics: Metrics


@asynccontextmanager
async def running_service(settings: Settings, metrics: Metrics) -> AsyncIterator[Service]:
    """Give a service on the target, ready for requests, that follows changes of the traces.

    Raises:
        TargetError: if the target cannot be reached or is not ready.
    """
    async with (
        connected_engine(settings) as maintenance,
        connected_engine(settings, needs={}, limits=Limits.of_requests(settings)) as engine,
        aclosing(create_embedder(settings)) as embedder,
    ):
        search = SearchService(engine, embedder, maintenance)
        await search.start()
        metrics.watch_pool(engine)
        following = asyncio.create_task(
            _follow_changes(maintenance, search, settings.worker_poll_seconds)
        )
        bounded = BoundedSearch(
            search, metrics, max_concurrent=settings.max_searches, log_queries=settings.log_queries
        )
        try:
            yield Service(engine, maintenance, embedder, bounded, metrics)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _follow_changes(engine: AsyncEngine, search: SearchService, seconds: float) -> None:
    """Keep the search index in step with the traces, for as long as the service runs."""
    async with ChangeListener(engine) as changes:
        while True:
            await changes.wait(seconds)
            try:
                await search.refresh()
            except DATABASE_ERRORS as error:
                log.warning("search index not refreshed: %s", error)
