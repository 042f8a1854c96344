"""The embedding worker, on a real database, with the real local model, and, where a provider must
misbehave, with a wrapper around it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from app.config import Settings
from app.database import connected_engine
from app.models import EmbeddingJob, Trace
from app.services.embeddings import (
    Embedder,
    EmbeddingError,
    LocalEmbedder,
    Vector,
    document_text,
)
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import Counts, EmbeddingRun
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.process import LONGEST_WAIT, run, start
from tests.support.traces import add_traces
from tests.support.waiting import until

POISON = "cannot be embedded"
COMMAND = ("-m", "app.worker.embedding_worker", "--database-url")


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
    """Wait until that many traces have a vector."""

    async def are_embedded() -> bool:
        return len(await titles_embedded(engine)) >= number

    await until(are_embedded)


async def draining(run: EmbeddingRun, embedder: Watched) -> asyncio.Task[Counts]:
    """Begin to drain: the provider has been asked, and answers when it may go on."""
    embedder.may_go_on.clear()
    task = asyncio.create_task(run.drain())
    await embedder.called.wait()
    return task


@asynccontextmanager
async def working(
    run: EmbeddingRun, engine: AsyncEngine, poll_seconds: float
) -> AsyncIterator[None]:
    """Meanwhile a worker works."""
    task = asyncio.create_task(run.forever(engine, poll_seconds))
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


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
    drained = await draining(run_with(engine, embedder), embedder)
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
    drained = await draining(run_with(engine, embedder), embedder)
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
    stopped = await draining(run_with(engine, embedder), embedder)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    embedder.may_go_on.set()
    assert await run_with(engine, embedder).drain() == Counts(embedded=3)


async def test_an_import_wakes_the_worker_at_once(engine: AsyncEngine, embedder: Watched) -> None:
    async with working(run_with(engine, embedder), engine, poll_seconds=3600):
        await add_traces(engine, numbered(2))
        await until_embedded(engine, 2)
        await add_traces(engine, [{"title": "Later"}])
        await until_embedded(engine, 3)


async def test_a_change_without_notify_is_found_by_polling(
    engine: AsyncEngine, embedder: Watched
) -> None:
    await add_traces(engine, numbered(1))
    async with working(run_with(engine, embedder), engine, poll_seconds=0.05):
        await until_embedded(engine, 1)
        async with engine.begin() as connection:
            await connection.execute(update(Trace).values(embedding=None))
        await until_embedded(engine, 1)


async def test_the_worker_survives_losing_its_connections(
    engine: AsyncEngine, settings: Settings, embedder: Watched
) -> None:
    async with (
        connected_engine(settings) as workers_own,
        working(run_with(workers_own, embedder), workers_own, poll_seconds=3600),
    ):
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


LISTENING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


async def until_listening(engine: AsyncEngine) -> None:
    """Wait until a connection to this database waits for word of changes."""

    async def is_listening() -> bool:
        async with engine.connect() as connection:  # what a transaction sees does not change
            return bool(await connection.scalar(LISTENING))

    await until(is_listening)


async def test_the_command_drains_and_says_how_many(engine: AsyncEngine, database_url: str) -> None:
    await add_traces(engine, numbered(3))
    ended = await run(*COMMAND, database_url, "--drain")
    assert ended.status == 0
    assert ended.stdout.startswith("Embedding complete: 3 embedded in ")
    assert len(await titles_embedded(engine)) == 3


async def test_the_command_says_in_one_line_that_the_provider_does_not_work(
    engine: AsyncEngine, database_url: str
) -> None:
    await add_traces(engine, numbered(3))
    ended = await run(
        *(*COMMAND, database_url, "--drain"),
        EMBEDDING_PROVIDER="openai",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        OPENAI_MAX_RETRIES="0",
    )
    assert ended.status == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("Error: the embedding provider does not work: http://127.0.0.1:9/v1")


async def test_the_command_stops_on_sigterm(engine: AsyncEngine, database_url: str) -> None:
    process = await start(*COMMAND, database_url)
    await add_traces(engine, numbered(1))
    await until_embedded(engine, 1)
    process.terminate()
    async with asyncio.timeout(LONGEST_WAIT):
        await process.communicate()
    assert process.returncode == 0
