"""The HTTP endpoints, in one process with the application, on a real database."""

import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from app.config import Settings
from app.models import Trace
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.client import connected_client
from tests.support.traces import add_traces
from tests.support.waiting import until

TRACES: list[dict[str, object]] = [
    {"title": "docker stop takes ten seconds", "tags": ["docker", "signals"], "slug": "docker/a"},
    {"title": "useState shows the old value", "tags": ["react"], "slug": "react/b"},
]


@pytest.fixture
async def client(engine: AsyncEngine, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application, with two traces in its database."""
    await add_traces(engine, TRACES)
    async with connected_client(settings) as connected:
        yield connected


async def search(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    """Search as clients do."""
    return await client.post("/api/v1/traces/search", json=body)


async def test_a_search_answers_in_the_form_that_clients_expect(client: httpx.AsyncClient) -> None:
    answer = (await search(client, q="docker stop", tags=[], limit=10)).json()
    assert (answer["query"], answer["total"]) == ("docker stop", 1)
    [result] = answer["results"]
    assert {name: result[name] for name in ("title", "slug", "tags", "status", "trust_score")} == {
        "title": "docker stop takes ten seconds",
        "slug": "docker/a",
        "tags": ["docker", "signals"],
        "status": "validated",
        "trust_score": 1.0,
    }
    assert {
        "id",
        "context_text",
        "solution_text",
        "similarity_score",
        "combined_score",
        "contributor_id",
        "contributor_name",
        "created_at",
        "proven_with",
    } <= result.keys()


async def test_tags_alone_are_a_search(client: httpx.AsyncClient) -> None:
    answer = (await search(client, tags=["React"])).json()
    assert [result["slug"] for result in answer["results"]] == ["react/b"]
    assert answer["query"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": ""},
        {"q": "  ", "tags": []},
        {"q": "x" * 4001},
        {"q": "x", "limit": 0},
        {"q": "x", "limit": 51},
        {"q": "x", "tags": ["a"] * 11},
        {"q": 1},
        {"q": "a\0b"},
        {"tags": ["a\0b"]},
        {"tags": ["x" * 201]},
        {"q": "x", "limit": True},
        [],
    ],
)
async def test_a_bad_request_is_a_problem_document(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post("/api/v1/traces/search", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["detail"]
    assert problem["errors"]


async def test_one_seed_by_its_slug(client: httpx.AsyncClient) -> None:
    trace = (await client.get("/api/v1/traces/docker/a")).json()
    assert trace["title"] == "docker stop takes ten seconds"


async def test_results_say_with_which_versions_they_were_run(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            update(Trace)
            .where(Trace.title.like("docker%"))
            .values(metadata_json={"slug": "docker/a", "proven_with": {"docker": "28.1"}})
        )
    [found] = (await search(client, q="docker stop")).json()["results"]
    assert found["proven_with"] == {"docker": "28.1"}
    one = (await client.get("/api/v1/traces/docker/a")).json()
    assert one["proven_with"] == {"docker": "28.1"}


async def test_one_trace_by_its_id(client: httpx.AsyncClient) -> None:
    [found] = (await search(client, q="docker stop")).json()["results"]
    trace = (await client.get(f"/api/v1/traces/{found['id']}")).json()
    assert trace["title"] == "docker stop takes ten seconds"
    assert "combined_score" not in trace


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/v1/traces/{uuid.UUID(int=1)}", 404),
        ("/api/v1/traces/nonsense", 404),
        ("/api/v1/traces/docker/nonsense", 404),
        ("/api/v1/traces/docker/a%00b", 422),
        ("/traces/docker/a%00b", 422),
        ("/tags/a%00b", 422),
        ("/categories/a%00b", 422),
        ("/results?q=a%00b", 422),
        ("/?q=" + "x" * 4001, 422),
        ("/nowhere", 404),
        ("/mcp", 405),
        ("/api/v1/traces/search", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_document(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_tags_are_listed_with_their_number(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/tags")).json() == {
        "tags": [
            {"name": "docker", "traces": 1},
            {"name": "react", "traces": 1},
            {"name": "signals", "traces": 1},
        ]
    }


async def test_health_counts_what_is_not_embedded(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/healthz")).json()
    assert answer == {
        "status": "ok",
        "database": "ok",
        "migrations": "at_head",
        "traces": 2,
        "embedding_backlog": 2,
    }


async def test_an_import_is_found_without_a_restart(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await add_traces(engine, [{"title": "nginx answers 413 to an upload", "slug": "docker/c"}])

    async def is_found() -> bool:
        return bool((await search(client, q="nginx 413 upload")).json()["results"])

    await until(is_found)


async def test_a_lost_database_is_503_and_its_return_needs_no_restart(
    client: httpx.AsyncClient, database_url: str, server_url: str
) -> None:
    name = urlsplit(database_url).path[1:]
    outside = await asyncpg.connect(server_url)
    await outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await outside.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
    )
    lost = await search(client, q="docker stop")
    assert lost.status_code == 503
    assert lost.headers["content-type"] == "application/problem+json"
    assert lost.headers["retry-after"]
    health = await client.get("/healthz")
    assert (health.status_code, health.json()["database"]) == (503, "unreachable")
    assert "embedding_backlog NaN" in (await client.get("/metrics")).text

    await outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await outside.close()
    assert (await search(client, q="docker stop")).json()["total"] == 1
