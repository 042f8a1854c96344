"""Search at 10,000 traces, in the service, the question's embedding included.

The rival is full-text search as it is usually written: PostgreSQL's `english` configuration, the
words of the question joined by OR, every match ranked with ts_rank, on the same traces. A question
is a few words out of a trace's title and context, as people remember them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import click
from app.search.service import SearchService
from app.services.embeddings import LocalEmbedder
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import EmbeddingRun
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.corpora import Element, generated_elements, questions
from bench.support import autocommit, percentiles, seconds_of, temporary_database, vacuum
from tools.fixture.reader import SeedTrace
from tools.importing.importer import import_seeds

COUNT, QUICK_COUNT = 10_000, 100
QUESTIONS, QUICK_QUESTIONS = 200, 10
MEDIAN_LIMIT, TAIL_LIMIT = 5.0, 15.0
"""Milliseconds, p50 and p95."""

RIVAL_TABLE = (
    """
    CREATE TABLE rival AS
    SELECT id, to_tsvector('english', title || ' ' || context_text || ' ' || solution_text) AS terms
    FROM traces
    """,
    "CREATE INDEX ON rival USING gin (terms)",
    "CREATE INDEX ON rival (id)",
)

RIVAL_SEARCH = text("""
    SELECT t.id, t.title, ts_rank(rival.terms, question) AS score
    FROM to_tsquery('english', :words) AS question, rival JOIN traces t USING (id)
    WHERE rival.terms @@ question
    ORDER BY score DESC LIMIT 10
""")

Ask = Callable[[str], Awaitable[object]]


def main(quick: bool) -> None:
    """Print p50 and p95 of ours and the rival's, and their ratio."""
    count, asked = (QUICK_COUNT, QUICK_QUESTIONS) if quick else (COUNT, QUESTIONS)
    asyncio.run(_measure(generated_elements(count), asked))


async def _measure(elements: Sequence[Element], question_count: int) -> None:
    click.echo(f"search at {len(elements):,} traces")
    asked = questions(elements, question_count)
    embedder = LocalEmbedder()
    async with temporary_database() as database:
        await _fill(database.engine, elements, embedder)
        service = SearchService(database.engine, embedder)
        _print_cost("full-text index", await seconds_of(service.start()), elements)
        rival = await _milliseconds(_rival(database.engine), asked)
        ours = await _milliseconds(service.search, asked)
        tagged = await _milliseconds(lambda q: service.search(q, ["python", "tag-7"]), asked)
    _print_times(rival, ours, tagged)


async def _fill(engine: AsyncEngine, elements: Sequence[Element], embedder: LocalEmbedder) -> None:
    """Import and embed the traces, and build the rival."""
    await import_seeds(engine, [SeedTrace.from_element(element) for element in elements])
    run = EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, 64)
    _print_cost("embedding", await seconds_of(run.drain()), elements)
    async with autocommit(engine) as connection:
        for statement in RIVAL_TABLE:
            await connection.execute(text(statement))
    await vacuum(engine)


def _print_cost(what: str, seconds: float, elements: Sequence[Element]) -> None:
    click.echo(f"  {what:18} {1000 * seconds / len(elements):.1f} ms a trace")


def _rival(engine: AsyncEngine) -> Ask:
    async def ask(question: str) -> None:
        words = " | ".join(word.strip(".") for word in question.split())
        async with engine.connect() as connection:
            (await connection.execute(RIVAL_SEARCH, {"words": words})).all()

    return ask


async def _milliseconds(ask: Ask, asked: Sequence[str]) -> tuple[float, float]:
    """Return p50 and p95 of asking one question after the other, after a round to warm up."""
    for question in asked:
        await ask(question)
    times = [1000 * await seconds_of(ask(question)) for question in asked]
    p50, p95 = percentiles(times, 50, 95)
    return p50, p95


def _print_times(
    rival: tuple[float, float], ours: tuple[float, float], tagged: tuple[float, float]
) -> None:
    click.echo(f"  OR and ts_rank     p50 {rival[0]:.1f} ms, p95 {rival[1]:.1f} ms")
    click.echo(
        f"  hybrid, all of it  p50 {ours[0]:.1f} ms (at most {MEDIAN_LIMIT:.0f}), "
        f"p95 {ours[1]:.1f} ms (at most {TAIL_LIMIT:.0f})"
    )
    ratios = [mine / theirs for mine, theirs in zip(ours, rival, strict=True)]
    click.echo(f"                     {ratios[0]:.2f} x the rival's p50, {ratios[1]:.2f} x p95")
    click.echo(f"  with two tags      p50 {tagged[0]:.1f} ms, p95 {tagged[1]:.1f} ms")
