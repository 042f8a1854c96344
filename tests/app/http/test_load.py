"""What the service does when it is asked too much, or something takes too long or goes wrong."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from app.config import Settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.client import connected_client
from tests.support.locks import locked, until_waiting
from tests.support.traces import add_traces

SEARCH = "/api/v1/traces/search"
QUESTION = {"q": "docker stop"}


@pytest.fixture(autouse=True)
async def traces(engine: AsyncEngine) -> None:
    """One trace to find."""
    await add_traces(engine, [{"title": "docker stop takes ten seconds", "slug": "docker/a"}])


def is_busy(answer: httpx.Response) -> bool:
    """Whether the answer asks to come again."""
    return (
        answer.status_code == 503
        and answer.headers["content-type"] == "application/problem+json"
        and int(answer.headers["retry-after"]) > 0
    )


async def test_one_search_too_many_is_refused_at_once(
    engine: AsyncEngine, settings: Settings
) -> None:
    few = settings.model_copy(update={"max_searches": 2, "pool_timeout": 600.0})
    async with connected_client(few) as client:
        async with locked(engine, "traces"):
            running = [asyncio.create_task(client.post(SEARCH, json=QUESTION)) for _ in range(2)]
            await until_waiting(engine, 2)
            # Answered while the others still wait, so it did not wait for them.
            assert is_busy(await client.post(SEARCH, json=QUESTION))
            assert is_busy(await client.get("/results?q=docker"))
        assert [answer.json()["total"] for answer in await asyncio.gather(*running)] == [1, 1]
        assert (await client.post(SEARCH, json=QUESTION)).json()["total"] == 1
        counted = (await client.get("/metrics")).text
    assert "searches_total 3.0" in counted
    assert "searches_refused_total 2.0" in counted


async def test_a_full_pool_is_refused_after_its_time_and_health_still_answers(
    engine: AsyncEngine, settings: Settings
) -> None:
    small = settings.model_copy(update={"pool_size": 1, "pool_timeout": 0.1})
    async with connected_client(small) as client:
        async with locked(engine, "search_documents"):
            running = asyncio.create_task(client.post(SEARCH, json=QUESTION))
            await until_waiting(engine, 1)
            assert is_busy(await client.get("/api/v1/tags"))
            assert (await client.get("/healthz")).status_code == 200
            counted = (await client.get("/metrics")).text
        assert (await running).json()["total"] == 1
    assert "database_pool_in_use 1.0" in counted
    assert "database_pool_size 1.0" in counted
    assert "searches_in_progress 1.0" in counted


async def test_a_statement_that_takes_too_long_is_cancelled(
    engine: AsyncEngine, settings: Settings
) -> None:
    hasty = settings.model_copy(update={"statement_timeout": 0.2})
    async with connected_client(hasty) as client:
        async with locked(engine, "traces"), asyncio.timeout(30):
            answer = await client.post(SEARCH, json=QUESTION)
        assert is_busy(answer)
        assert answer.json()["detail"] == "the database took too long"
        assert (await client.post(SEARCH, json=QUESTION)).json()["total"] == 1


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", [SEARCH, "/mcp"])
async def test_a_body_that_is_too_large_is_refused(
    settings: Settings, path: str, declared: bool
) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(200):
            read += 1024
            yield b" " * 1024

    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    if declared:
        headers["content-length"] = str(200 * 1024)
    async with connected_client(settings) as client:
        answer = await client.post(path, content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert read <= (0 if declared else 129 * 1024)


async def test_a_mistake_of_ours_is_a_problem_document_without_details(
    engine: AsyncEngine, settings: Settings
) -> None:
    async with connected_client(settings) as client:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE traces DROP COLUMN agent_model"))
        answer = await client.post(SEARCH, json=QUESTION, headers={"X-Request-ID": "mine"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "mine"
    assert "agent_model" not in answer.text
