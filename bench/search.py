"""Search at 10,000 traces, in the service, the question's embedding included.

The rival is full-text search as it is usually written: PostgreSQL's `english` configuration, the
words of the question joined by OR, every match ranked with ts_rank, on the same traces. A question
is a few words out of a trace's title and context, as people remember them.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from app.config import Settings
from app.database import connected_engine
from app.search.service import SearchService
from app.services.embeddings import LocalEmbedder
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import EmbeddingRun
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.corpora import generated_elements
from tools.fixture.reader import read_fixture
from tools.import_seeds import import_seeds

COUNT = 10_000
QUESTIONS = 200
MEDIAN_LIMIT, TAIL_LIMIT = 5.0, 15.0
"""Milliseconds, p50 and p95."""

RIVAL_INDEX = """
    CREATE TABLE rival AS
    SELECT id, to_tsvector('english', title || ' ' || context_text || ' ' || solution_text) AS terms
    FROM traces
"""

RIVAL_SEARCH = text("""
    SELECT t.id, t.title, ts_rank(rival.terms, question) AS score
    FROM to_tsquery('english', :words) AS question, rival JOIN traces t USING (id)
    WHERE rival.terms @@ question
    ORDER BY score DESC LIMIT 10
""")

Ask = Callable[[str], Awaitable[object]]


def questions(elements: Sequence[dict[str, str]]) -> list[str]:
    """Three to ten words of a trace each; the same in every run."""
    rng = random.Random(7)
    chosen = rng.sample(elements, QUESTIONS)
    return [
        " ".join(rng.sample(f"{e['title']} {e['context']}".split(), rng.randint(3, 10)))
        for e in chosen
    ]


async def milliseconds(ask: Ask, asked: Sequence[str]) -> tuple[float, float]:
    """p50 and p95 of asking one question after the other, after a warm-up with all of them."""
    for question in asked:
        await ask(question)
    times = []
    for question in asked:
        begin = time.perf_counter()
        await ask(question)
        times.append(1000 * (time.perf_counter() - begin))
    percentiles = statistics.quantiles(times, n=20)
    return percentiles[9], percentiles[18]


async def load(engine: AsyncEngine, folder: Path, embedder: LocalEmbedder) -> list[str]:
    """Import, embed and index the traces, build the rival; give the questions."""
    elements = generated_elements(COUNT)
    fixture = folder / "fixture.json"
    fixture.write_text(json.dumps(elements))
    await import_seeds(engine, read_fixture(fixture))
    begin = time.perf_counter()
    await EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, 64).drain()
    print(f"  embedding          {1000 * (time.perf_counter() - begin) / COUNT:.1f} ms a trace")
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(RIVAL_INDEX))
        await connection.execute(text("CREATE INDEX ON rival USING gin (terms)"))
        await connection.execute(text("CREATE INDEX ON rival (id)"))
        await connection.execute(text("VACUUM ANALYZE"))
    return questions(elements)


async def main() -> None:
    """Print p50 and p95 of ours and the rival's, and their ratio."""
    print(f"search at {COUNT:,} traces")
    embedder = LocalEmbedder()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        settings = Settings(database_url=None, data_dir=Path(name) / "data", _env_file=None)
        async with connected_engine(settings) as engine:
            asked = await load(engine, Path(name), embedder)
            service = SearchService(engine, embedder)
            begin = time.perf_counter()
            await service.start()
            indexing = 1000 * (time.perf_counter() - begin) / COUNT
            print(f"  full-text index    {indexing:.1f} ms a trace")

            async def rival(question: str) -> None:
                words = " | ".join(word.strip(".") for word in question.split())
                async with engine.connect() as connection:
                    (await connection.execute(RIVAL_SEARCH, {"words": words})).all()

            async def tagged(question: str) -> None:
                await service.search(question, ["python", "tag-7"])

            rival_p50, rival_p95 = await milliseconds(rival, asked)
            p50, p95 = await milliseconds(service.search, asked)
            tagged_p50, tagged_p95 = await milliseconds(tagged, asked)
    print(f"  OR and ts_rank     p50 {rival_p50:.1f} ms, p95 {rival_p95:.1f} ms")
    print(
        f"  hybrid, all of it  p50 {p50:.1f} ms (at most {MEDIAN_LIMIT:.0f}), "
        f"p95 {p95:.1f} ms (at most {TAIL_LIMIT:.0f})"
    )
    print(
        f"                     {p50 / rival_p50:.2f} x the rival's p50, {p95 / rival_p95:.2f} x p95"
    )
    print(f"  with two tags      p50 {tagged_p50:.1f} ms, p95 {tagged_p95:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
