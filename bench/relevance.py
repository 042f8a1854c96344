"""`make eval`: how often search finds the right trace first, beside four simpler ways.

On the committed fixture, in a database of its own. `ARGS=--cross-validate` also reports what was
fitted to questions by five-fold cross-validation, and `ARGS=--noise` how search bears spoilt ones.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from app.config import Settings
from app.database import connected_engine
from app.search.service import Ranking, SearchService
from app.services.embeddings import LocalEmbedder
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import EmbeddingRun
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from bench import cross_validation, questions, rankers
from bench.questions import Question
from bench.rankers import Ranker
from tools.fixture.reader import read_fixture
from tools.import_seeds import import_seeds
from tools.paths import FIXTURE

HIT_1, HIT_5, SILENT = 0.90, 0.98, 0.95
"""To reach: right first, right in five, off-topic left without an answer."""

OURS = "search"

console = Console(width=150, highlight=False)


@dataclass(frozen=True)
class Rated:
    """A question, what a ranker answered, and the place of the first right trace; None if none."""

    question: Question
    answer: Sequence[str]

    @property
    def place(self) -> int | None:
        """From 1."""
        places = (n for n, s in enumerate(self.answer, start=1) if s in self.question.slugs)
        return next(places, None)


@dataclass(frozen=True)
class Figures:
    """Means over questions that something answers."""

    count: int
    first: float
    in_five: float
    mrr: float

    @classmethod
    def of(cls, rated: Sequence[Rated]) -> Figures:
        """The figures of some questions."""
        places = [r.place for r in rated]
        return cls(
            len(places),
            sum(place == 1 for place in places) / len(places),
            sum(place is not None and place <= 5 for place in places) / len(places),
            sum(1 / place for place in places if place) / len(places),
        )

    def __str__(self) -> str:
        return f"{self.first:.3f} {self.in_five:.3f} {self.mrr:.3f}"


@asynccontextmanager
async def searchable(fixture: Path, embedder: LocalEmbedder) -> AsyncIterator[AsyncEngine]:
    """A database of its own with the fixture's traces, embedded."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        settings = Settings(database_url=None, data_dir=Path(name) / "data", _env_file=None)
        async with connected_engine(settings) as engine:
            await import_seeds(engine, read_fixture(fixture))
            await EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, 64).drain()
            yield engine


async def rate(ranker: Ranker, asked: Sequence[Question]) -> list[Rated]:
    """Ask all the questions."""
    return [Rated(question, await ranker(question.query)) for question in asked]


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


async def compare(name: str, methods: dict[str, Ranker], asked: Sequence[Question]) -> None:
    """Print the figures of all methods, in all, by category and by kind, and what ours missed."""
    answerable = [question for question in asked if question.slugs]
    console.print(
        f"\n{len(asked)} questions {name}, {len(answerable) / len(asked):.0%} of them answerable. "
        "hit@1, hit@5, MRR@10 of these:"
    )
    rated = {method: await rate(ranker, answerable) for method, ranker in methods.items()}
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("questions", justify="right")
    for method in methods:
        table.add_column(method, justify="right")
    for title, members in grouped(answerable).items():
        rows = {m: [r for r in all_of if r.question in members] for m, all_of in rated.items()}
        table.add_row(title, str(len(members)), *(str(Figures.of(r)) for r in rows.values()))
    console.print(table)
    for miss in (r for r in rated[OURS] if r.place != 1):
        show_miss(miss)


def grouped(asked: Sequence[Question]) -> dict[str, set[Question]]:
    """All questions, and those of each category and kind."""
    groups: defaultdict[str, set[Question]] = defaultdict(set)
    for question in asked:
        for name in ("all", question.category, question.kind):
            groups[name].add(question)
    return groups


def show_miss(miss: Rated) -> None:
    """Print what came first instead, and where the right trace came."""
    [first, *_] = [*miss.answer, "nothing"]
    place = (
        f"right one at {miss.place}" if miss.place else f"without {' '.join(miss.question.slugs)}"
    )
    query = " ".join(miss.question.query.split())
    console.print(f"  missed: {query[:90]}\n          got {first}, {place}", markup=False)


async def show_languages(ours: Ranker) -> None:
    """Print where the right trace came for each question that is not in English."""
    rated = await rate(ours, questions.languages())
    console.print(f"\n{len(rated)} questions in other languages: {Figures.of(rated)}")
    for r in rated:
        place = r.place or "-"
        console.print(f"  {r.question.category}  {place}  {r.question.query}", markup=False)


async def show_off_topic(ours: Ranker) -> None:
    """Print the share of questions that nothing answers and that find nothing, by kind."""
    rated = await rate(ours, questions.off_topic())
    silent = sum(not r.answer for r in rated) / len(rated)
    console.print(f"\n{len(rated)} off-topic questions: {silent:.3f} find nothing", style=None)
    for kind, members in grouped([r.question for r in rated]).items():
        if kind and kind != "all":
            count = sum(not r.answer for r in rated if r.question in members)
            console.print(f"  {kind}: {count} of {len(members)}")
    for r in rated:
        if r.answer:
            console.print(
                f"  answered: {r.question.query[:80]}\n            {r.answer[0]}", markup=False
            )


async def show_noise(methods: dict[str, Ranker], asked: Sequence[Question]) -> None:
    """Print the figures on spoilt questions."""
    answerable = [question for question in asked if question.slugs]
    console.print("\nthe same questions, spoilt:")
    table = Table("", *methods, box=None, pad_edge=False)
    for noise in questions.NOISE:
        spoilt = questions.noisy(answerable, noise)
        rows = [Figures.of(await rate(ranker, spoilt)) for ranker in methods.values()]
        table.add_row(noise, *map(str, rows))
    console.print(table)


async def show_folds(engine: AsyncEngine, embedder: LocalEmbedder) -> None:
    """Print the cross-validated figures, and how flat the optimum is."""
    asked = [*questions.judged(), *questions.paraphrases()]
    answerable = [question for question in asked if question.slugs]
    candidates = await cross_validation.gather(
        engine, embedder, [*answerable, *questions.off_topic()]
    )
    chosen, unseen = cross_validation.cross_validate(candidates)
    console.print("\nfive-fold cross-validation of similarity_weight and cut_off:")
    console.print(f"  unseen fifths      {unseen}")
    console.print(f"  as committed       {cross_validation.figures(candidates, Ranking())}")
    for ranking in chosen:
        console.print(f"  chosen: weight {ranking.similarity_weight}, cut-off {ranking.cut_off}")
    for weight in cross_validation.WEIGHTS:
        for cut_off in (0.4, 0.45, 0.5, 0.55, 0.6, 0.65):
            ranking = Ranking(similarity_weight=weight, cut_off=cut_off)
            figures = cross_validation.figures(candidates, ranking)
            console.print(f"  weight {weight:<4} cut-off {cut_off:<4}  {figures}")


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


if __name__ == "__main__":
    main()
