"""`python -m app.worker.embedding_worker [--drain]`: give every trace its vector."""

import asyncio
import logging
import signal
import time
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import click

from app.config import load_settings
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import Counts, EmbeddingRun

log = logging.getLogger("app.worker")  # __name__ would be __main__


@click.command()
@click.option("--drain", is_flag=True, help="Stop when every trace has its vector.")
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(drain: bool, database_url: str | None) -> None:
    """Embed traces that have no vector or another model's, oldest first.

    Several workers may run at once.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    if not drain:
        logging.getLogger("app").setLevel(logging.INFO)
    asyncio.run(_work(drain, database_url))


async def _work(drain: bool, database_url: str | None) -> None:
    from app.database import connected_engine
    from app.services.embeddings import create_embedder

    settings = load_settings(database_url=database_url)
    async with (
        connected_engine(settings) as engine,
        aclosing(create_embedder(settings)) as embedder,
    ):
        run = EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, settings.worker_batch_size)
        if drain:
            await _drain(run)
        else:
            log.info("embedding with %s %s", embedder.model_id, embedder.model_version)
            await _until_stopped(run.forever(engine, settings.worker_poll_seconds))


async def _drain(run: EmbeddingRun) -> None:
    from app.services.embeddings import EmbeddingError

    begin = time.perf_counter()
    try:
        counts = await run.drain()
    except EmbeddingError as error:
        raise click.ClickException(f"the embedding provider does not work: {error}") from error
    click.echo(f"{_summary(counts)} in {time.perf_counter() - begin:.1f} s")
    if counts.failed:
        raise SystemExit(1)


def _summary(counts: Counts) -> str:
    text = f"Embedding complete: {counts.embedded} embedded"
    return f"{text}, {counts.failed} failed" if counts.failed else text


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT; claims in hand are given back."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopped")


if __name__ == "__main__":
    main()
