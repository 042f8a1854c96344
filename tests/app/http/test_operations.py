"""What those who run the service see of it: logs, metrics, health, its end."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from app.config import Settings
from app.services.embeddings import LocalEmbedder
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import EmbeddingRun
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.client import connected_client
from tests.support.locks import locked, until_waiting
from tests.support.process import LONGEST_WAIT, service_process
from tests.support.traces import add_traces

SEARCH = "/api/v1/traces/search"
SECRET = "my unreleased product docker stop"


@pytest.fixture
async def client(engine: AsyncEngine, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application, with one trace in its database."""
    await add_traces(engine, [{"title": "docker stop takes ten seconds", "slug": "docker/a"}])
    async with connected_client(settings) as connected:
        yield connected


@pytest.mark.parametrize("given", ["mine-1.2_3", "x" * 64])
async def test_a_request_keeps_the_id_that_it_came_with(
    client: httpx.AsyncClient, given: str
) -> None:
    answer = await client.get("/api/v1/tags", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, 'a" b', "a{}", "é"])
async def test_an_id_that_could_spoil_logs_is_replaced(
    client: httpx.AsyncClient, given: str
) -> None:
    answer = await client.get("/api/v1/tags", headers={"X-Request-ID": given.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_metrics_name_routes_and_not_paths(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await client.get(f"/api/v1/traces/docker/{number}")
        await client.get(f"/nowhere/{number}")
    await client.post(SEARCH, json={"q": "docker stop"})
    await client.post(SEARCH, json={"q": "zebra wedding"})
    counted = (await client.get("/metrics")).text
    name = "http_requests_total"
    for line in (
        f'{name}{{method="GET",route="/api/v1/traces/{{category}}/{{name}}",status="404"}} 3.0',
        f'{name}{{method="GET",route="none",status="404"}} 3.0',
        f'http_request_duration_seconds_count{{route="{SEARCH}"}} 2.0',
        "searches_total 2.0",
        "searches_without_result_total 1.0",
        "embedding_backlog 1.0",
    ):
        assert line in counted.splitlines()
    assert "/nowhere" not in counted


async def test_health_tells_old_migrations_from_a_lost_database(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    async def health(revision: str | None) -> tuple[int, str, str]:
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM alembic_version"))
            if revision:
                insert = text("INSERT INTO alembic_version VALUES (:revision)")
                await connection.execute(insert, {"revision": revision})
        answer = await client.get("/healthz")
        found = answer.json()
        return answer.status_code, found["database"], found["migrations"]

    assert await health("0001") == (503, "ok", "behind")
    assert await health("of_another_application") == (200, "ok", "unknown")
    assert await health(None) == (200, "ok", "unknown")


async def test_the_backlog_counts_vectors_of_other_models(
    client: httpx.AsyncClient, engine: AsyncEngine, local: LocalEmbedder
) -> None:
    assert (await client.get("/healthz")).json()["embedding_backlog"] == 1
    await EmbeddingRun(EmbeddingQueue(engine, local), local, 8).drain()
    assert (await client.get("/healthz")).json()["embedding_backlog"] == 0
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE traces SET embedding_model_version = 'old'"))
    assert (await client.get("/healthz")).json()["embedding_backlog"] == 1


async def test_logs_are_json_with_request_ids_and_without_questions(
    engine: AsyncEngine, database_url: str
) -> None:
    await add_traces(engine, [{"title": "docker stop of an unreleased product"}])
    with service_process(database_url) as service:
        async with httpx.AsyncClient(base_url=service.address) as client:
            headers = {"X-Request-ID": "mine"}
            first = await client.post(SEARCH, json={"q": SECRET}, headers=headers)
            await client.get("/results", params={"q": SECRET})
            async with engine.begin() as connection:  # the error that follows quotes its statement
                await connection.execute(text("ALTER TABLE traces DROP COLUMN agent_model"))
            failed = await client.post(SEARCH, json={"q": SECRET})
    assert failed.status_code == 500
    logs = service.program.logs
    requests = [line for line in logs if "route" in line]
    assert [(line["method"], line["route"], line["status"]) for line in requests] == [
        ("POST", SEARCH, 200),
        ("GET", "/results", 200),
        ("POST", SEARCH, 500),
    ]
    mine = [line["message"] for line in logs if line.get("request_id") == "mine"]
    assert mine == [f"search found {first.json()['total']}", f"POST {SEARCH} 200"]
    [error] = [line for line in logs if line["level"] == "error"]
    assert error["request_id"] == failed.headers["x-request-id"]
    assert "agent_model" in error["exception"]
    assert "unreleas" not in str(logs)  # neither the question nor its terms


async def test_logs_hold_questions_where_that_is_set(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "app")
    async with connected_client(settings.model_copy(update={"log_queries": True})) as client:
        await client.post(SEARCH, json={"q": SECRET})
    assert [vars(record).get("question") for record in caplog.records] == [SECRET, None]


async def test_a_running_request_ends_before_the_service_does(
    engine: AsyncEngine, database_url: str
) -> None:
    await add_traces(engine, [{"title": "docker stop takes ten seconds"}])
    with service_process(database_url) as service:
        async with httpx.AsyncClient(base_url=service.address) as client:
            async with locked(engine, "traces"):
                running = asyncio.create_task(client.post(SEARCH, json={"q": "docker stop"}))
                await until_waiting(engine, 1)
                service.program.process.terminate()
                service.program.wait_for_line("Shutting down")
                with pytest.raises(httpx.TransportError):  # refused, or cut off
                    await client.get("/healthz")
            assert (await running).json()["total"] == 1
        assert service.program.process.wait(LONGEST_WAIT) == 0
