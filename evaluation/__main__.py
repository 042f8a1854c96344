"""`make eval`: how often search finds the right trace first, beside four simpler ways.

On the committed fixture, in a database of its own. `ARGS=--cross-validate` also reports what was
fitted to questions by five-fold cross-validation, and `ARGS=--noise` how search bears spoilt ones.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from app.search.service import SearchService
from app.services.embeddings import LocalEmbedder

from evaluation import questions, rankers
from evaluation.relevance import searchable
from evaluation.report import (
    OURS,
    compare,
    show_folds,
    show_languages,
    show_noise,
    show_off_topic,
)
from tools.fixture.reader import read_fixture
from tools.paths import FIXTURE


@click.command()
@click.option(
    "--fixtures-path", default=FIXTURE, show_default=False, help="Traces to search.",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@click.option("--noise", is_flag=True, help="Also ask spoilt questions.")
@click.option("--cross-validate", is_flag=True, help="Also cross-validate what was fitted.")
def main(fixtures_path: Path, noise: bool, cross_validate: bool) -> None:
    """Measure how often search finds the right trace first."""
    asyncio.run(evaluate(fixtures_path, noise=noise, cross_validate=cross_validate))


async def evaluate(fixture: Path, *, noise: bool, cross_validate: bool) -> None:
    """Measure and print."""
    embedder = LocalEmbedder()
    async with searchable(fixture, embedder) as engine:
        service = SearchService(engine, embedder)
        await service.start()
        words = rankers.remembering(await rankers.full_text(engine))
        nearest = rankers.remembering(rankers.vectors(engine, embedder))
        methods = {
            OURS: rankers.served(service),
            "full text": words,
            "vectors": nearest,
            "BM25": rankers.bm25(read_fixture(fixture)),
            "rank fusion": rankers.reciprocal_rank_fusion(words, nearest),
        }
        judged = questions.judged()
        await compare("asked by developers", methods, judged)
        await compare("paraphrased", methods, questions.paraphrases())
        await show_languages(methods[OURS])
        await show_off_topic(methods[OURS])
        if noise:
            await show_noise(methods, judged)
        if cross_validate:
            await show_folds(engine, embedder)


if __name__ == "__main__":
    main()
