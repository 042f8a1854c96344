"""Prints the figures: by method, by category and kind, and what was missed."""

from __future__ import annotations

from collections.abc import Sequence

from app.search.service import Ranking
from app.services.embeddings import LocalEmbedder
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from evaluation import cross_validation, questions
from evaluation.questions import Question
from evaluation.rankers import Ranker
from evaluation.relevance import Figures, Rated, grouped, rate

OURS = "search"

console = Console(width=150, highlight=False)


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
