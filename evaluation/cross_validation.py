"""How well the ranking's fitted numbers do on questions that they were not fitted to.

Five times, the weight of similarity and the cut-off are chosen on four fifths of all questions,
answerable and off-topic, and tried on the last fifth.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.search.centroid import load_centroid
from app.search.index import load_vocabulary
from app.search.pasted_error import without_noise
from app.search.query import read_query
from app.search.service import Ranking, SearchService
from app.services.embeddings import Embedder
from sqlalchemy.ext.asyncio import AsyncEngine

from evaluation.questions import Question

FOLDS = 5
SILENT = 0.95
"""Share of off-topic questions that must find nothing."""

WEIGHTS = (0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0)
CUT_OFFS = tuple(n / 50 for n in range(18, 36))


@dataclass(frozen=True)
class Candidates:
    """What both parts of the ranking say of the traces gathered for a question."""

    question: Question
    foreign: bool
    parts: Sequence[tuple[str, float, float]]
    """Slug, share of the question's words, cosine above the centroid."""

    def answer(self, ranking: Ranking) -> list[str]:
        """Return the slugs that the service would give with this ranking, best first."""
        scored = sorted(
            (
                (words + ranking.similarity_weight * above, slug)
                for slug, words, above in self.parts
                if words + ranking.similarity_weight * above >= ranking.cut_off
                or (self.foreign and above >= ranking.cut_off_by_vector)
            ),
            reverse=True,
        )
        return [slug for score, slug in scored if score >= ranking.share_of_best * scored[0][0]]


@dataclass(frozen=True)
class Figures:
    """Shares: of answerable questions with a right trace first, and in the first five; of the
    others that find nothing."""

    first: float
    in_five: float
    silent: float

    def __str__(self) -> str:
        return f"hit@1 {self.first:.3f}  hit@5 {self.in_five:.3f}  silent {self.silent:.3f}"


async def gather(
    engine: AsyncEngine, embedder: Embedder, questions: Sequence[Question]
) -> list[Candidates]:
    """Return the candidates of each question, before any cut-off."""
    everything = Ranking(similarity_weight=0, cut_off=-1, share_of_best=-1)
    service = SearchService(engine, embedder, ranking=everything)
    await service.start()
    centroid = await load_centroid(engine, embedder)
    vocabulary = await load_vocabulary(engine)
    gathered = []
    for question in questions:
        cleaned = without_noise(question.query)
        usual = centroid.similarity(await embedder.embed_query(cleaned))
        found = (await service.search(question.query, limit=50)).results
        parts = [
            (r.trace.slug or "", r.combined_score, max(r.similarity_score - usual, 0))
            for r in found
        ]
        gathered.append(Candidates(question, read_query(cleaned, vocabulary).foreign, parts))
    return gathered


def figures(candidates: Sequence[Candidates], ranking: Ranking) -> Figures:
    """Return how well a ranking does."""
    answers = [(c.question, c.answer(ranking)) for c in candidates]
    found = [
        next((n for n, slug in enumerate(answer) if slug in question.slugs), len(answer))
        if question.slugs.intersection(answer)
        else None
        for question, answer in answers
        if question.slugs
    ]
    silent = [not answer for question, answer in answers if not question.slugs]
    return Figures(
        sum(place == 0 for place in found) / len(found),
        sum(place is not None and place < 5 for place in found) / len(found),
        sum(silent) / len(silent),
    )


def cross_validate(candidates: Sequence[Candidates]) -> tuple[list[Ranking], Figures]:
    """Return the ranking that each fold chose, and their mean on the fifth left out."""
    shuffled = random.Random(5).sample(candidates, len(candidates))
    folds = [shuffled[n::FOLDS] for n in range(FOLDS)]
    chosen = [fit([c for other in folds if other is not fold for c in other]) for fold in folds]
    tried = [figures(fold, ranking) for fold, ranking in zip(folds, chosen, strict=True)]
    means = (sum(values) / FOLDS for values in zip(*map(_values, tried), strict=True))
    return chosen, Figures(*means)


def fit(candidates: Sequence[Candidates]) -> Ranking:
    """Of the rankings that leave off-topic questions without an answer, the one that most often
    puts a right trace first; of equals the one in the middle.
    """
    grid = [
        replace(Ranking(), similarity_weight=weight, cut_off=cut_off)
        for weight, cut_off in itertools.product(WEIGHTS, CUT_OFFS)
    ]
    rated = [(ranking, figures(candidates, ranking)) for ranking in grid]
    fair = [pair for pair in rated if pair[1].silent >= SILENT] or rated
    best = max(f.first for _, f in fair)
    equals = [ranking for ranking, f in fair if f.first == best]
    return equals[len(equals) // 2]


def _values(figures: Figures) -> tuple[float, float, float]:
    return figures.first, figures.in_five, figures.silent
