"""Rated answers, and the figures that they come to."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings
from app.database import connected_engine
from app.services.embeddings import LocalEmbedder
from app.worker.embedding_queue import EmbeddingQueue
from app.worker.embedding_run import EmbeddingRun
from sqlalchemy.ext.asyncio import AsyncEngine

from evaluation.questions import Question
from evaluation.rankers import Ranker
from tools.fixture.reader import read_fixture
from tools.importing.importer import import_seeds

HIT_1, HIT_5, SILENT = 0.90, 0.98, 0.95
"""To reach: right first, right in five, off-topic left without an answer."""


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
        """Return the figures of some questions."""
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
    """Give a database of its own with the fixture's traces, embedded."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        settings = Settings(database_url=None, data_dir=Path(name) / "data", _env_file=None)
        async with connected_engine(settings) as engine:
            await import_seeds(engine, read_fixture(fixture))
            await EmbeddingRun(EmbeddingQueue(engine, embedder), embedder, 64).drain()
            yield engine


async def rate(ranker: Ranker, asked: Sequence[Question]) -> list[Rated]:
    """Ask all the questions."""
    return [Rated(question, await ranker(question.query)) for question in asked]


def grouped(asked: Sequence[Question]) -> dict[str, set[Question]]:
    """Return all questions, and those of each category and kind."""
    groups: defaultdict[str, set[Question]] = defaultdict(set)
    for question in asked:
        for name in ("all", question.category, question.kind):
            groups[name].add(question)
    return groups
