"""`/healthz` and `/metrics`: for those who run the service."""

import asyncio
import logging
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from app.database.errors import DATABASE_ERRORS
from app.database.migrations import Migrations, read_migrations
from app.service import Service
from app.services.health import Corpus, read_corpus

log = logging.getLogger(__name__)

router = APIRouter(tags=["operations"])

TIMEOUT = 3.0
"""Seconds that the database has to answer a check."""


class Health(BaseModel):
    """What works and what does not. Status 503 unless `status` is ok."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unreachable"]
    migrations: Migrations | None = Field(
        description=(
            "`at_head`; `behind`: run `make migrate`; `unknown`: the tables are kept by a newer "
            "version or another application. Null where the database cannot be asked."
        )
    )
    traces: int | None
    embedding_backlog: int | None = Field(
        description="Traces that search finds by words alone until the worker has embedded them."
    )


@router.get(
    "/healthz",
    summary="Whether the service works",
    responses={503: {"model": Health, "description": "It does not."}},
)
async def read_health(request: Request, response: Response) -> Health:
    """Ask the database, on a connection that load does not take away."""
    service: Service = request.app.state.service
    try:
        async with asyncio.timeout(TIMEOUT):
            migrations = await read_migrations(service.maintenance)
            corpus = await _corpus(service)
    except DATABASE_ERRORS as error:
        log.warning("health: %s", error or "the database does not answer in time")
        response.status_code = 503
        return Health(
            status="unavailable",
            database="unreachable",
            migrations=None,
            traces=None,
            embedding_backlog=None,
        )
    works = migrations is not Migrations.BEHIND
    response.status_code = 200 if works else 503
    return Health(
        status="ok" if works else "unavailable",
        database="ok",
        migrations=migrations,
        traces=corpus.traces,
        embedding_backlog=corpus.embedding_backlog,
    )


@router.get("/metrics", summary="Counters for Prometheus", response_class=PlainTextResponse)
async def read_metrics(request: Request) -> Response:
    """Give the counters in Prometheus's text format; an unknown backlog is NaN."""
    service: Service = request.app.state.service
    try:
        async with asyncio.timeout(TIMEOUT):
            await _corpus(service)
    except DATABASE_ERRORS:
        service.metrics.embedding_backlog.set(float("nan"))
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _corpus(service: Service) -> Corpus:
    corpus = await read_corpus(service.maintenance, service.embedder)
    service.metrics.embedding_backlog.set(corpus.embedding_backlog)
    return corpus
