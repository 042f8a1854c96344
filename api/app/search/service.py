"""Hybrid search: a question is read, embedded, and answered by one statement."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import TextClause, event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.search.centroid import Centroid, load_centroid
from app.search.index import Vocabulary, load_vocabulary, refresh
from app.search.pasted_error import without_noise
from app.search.query import QueryTerms, read_query
from app.search.statements import BY_TAGS, SESSION, STATEMENTS
from app.services.embeddings import Embedder, EmbeddingError, Vector, vector_literal
from app.services.tags import normalize_tag, validate_tag
from app.services.traces import FoundTrace

log = logging.getLogger(__name__)

EXACT_UP_TO = 5000
"""Traces with the wanted tags, up to which the nearest are found by looking at all of them."""

READ_AT_ONCE = 200
"""Characters of a question that is read in less than a millisecond. A longer one is read in a
thread: whatever runs on the event loop, all requests wait for."""

EMBEDDING_TIMEOUT = 2.0
"""Seconds that a search waits for the question's vector before it does without."""


@dataclass(frozen=True)
class Ranking:
    """What was fitted to questions. `make eval ARGS=--cross-validate` says how well it does on
    questions that it was not fitted to, and how little a tenth more or less changes.
    """

    similarity_weight: float = 0.7
    """Of the cosine above the baseline, beside the share of the question's words that the trace
    has."""
    cut_off: float = 0.46
    """Score below which a trace does not answer."""
    cut_off_without_vector: float = 0.35
    """The same for a trace that has no vector yet."""
    cut_off_by_vector: float = 0.25
    """Cosine above the baseline at which a trace answers a question of which the corpus lacks
    most words, as one in another language."""
    share_of_best: float = 0.5
    """Of the best result's score, that the others must reach."""


@dataclass(frozen=True)
class SearchResult:
    """A trace that answers, and how well."""

    trace: FoundTrace
    similarity_score: float
    """Cosine of question and trace; 0 where one of them has no vector."""
    combined_score: float


@dataclass(frozen=True)
class SearchAnswer:
    """The best results, best first, and how many traces passed the cut-off."""

    results: list[SearchResult]
    total: int


class SearchService:
    """Answers questions from one database."""

    def __init__(
        self,
        engine: AsyncEngine,
        embedder: Embedder | None,
        maintenance: AsyncEngine | None = None,
        ranking: Ranking = Ranking(),
    ) -> None:
        """With no embedder, search is by full text alone. `maintenance` is the engine that the
        index is kept with, where the one that searches has limits.
        """
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one statement each
        self._maintenance = maintenance or engine
        self._embedder = embedder
        self._ranking = asdict(ranking)
        self._vocabulary = Vocabulary()
        self._centroid = Centroid()
        event.listen(engine.sync_engine, "connect", _set_up_connection)

    async def start(self) -> None:
        """Get ready for the first search."""
        await self._engine.dispose()  # connections that were made before this service
        await self.refresh()
        if self._embedder is not None:
            await self._embedder.load()

    async def refresh(self) -> None:
        """Index what has changed and learn the corpus's words. To be called when traces have
        changed.
        """
        await refresh(self._maintenance)
        self._vocabulary = await load_vocabulary(self._maintenance)
        if self._embedder is not None:
            self._centroid = await load_centroid(self._maintenance, self._embedder)

    async def search(
        self, question: str | None, tags: Sequence[str] = (), limit: int = 10
    ) -> SearchAnswer:
        """Find the traces that answer the question and have all the tags.

        With no question these are all that have the tags, most trusted and newest first.
        """
        wanted = list(dict.fromkeys(normalize_tag(tag) for tag in tags))
        if not all(validate_tag(tag) for tag in wanted):
            return SearchAnswer([], 0)  # no trace has such a tag
        if question is None or not question.strip():
            return await self._run(BY_TAGS, {"limit": limit} | self._narrowing(wanted))
        cleaned, terms = await self._read(question)
        vector = await self._vector(cleaned)
        values: dict[str, object] = self._ranking | {
            "groups": list(terms.groups),
            "weights": list(terms.weights),
            "total_weight": terms.total or 1.0,
            "candidates": terms.candidates,
            "limit": limit,
        }
        values |= self._narrowing(wanted)
        if vector is not None and self._embedder is not None:
            values |= {
                "vector": vector_literal(vector),
                "baseline": self._centroid.similarity(vector),
                "foreign": terms.foreign,
                "model_id": self._embedder.model_id,
                "model_version": self._embedder.model_version,
            }
        return await self._run(self._statement(vector is not None, wanted), values)

    async def _read(self, question: str) -> tuple[str, QueryTerms]:
        """Return the question without what belongs to one machine, and its terms."""

        def read() -> tuple[str, QueryTerms]:
            cleaned = without_noise(question)
            return cleaned, read_query(cleaned, self._vocabulary)

        return read() if len(question) <= READ_AT_ONCE else await asyncio.to_thread(read)

    def _statement(self, vector: bool, tags: Sequence[str]) -> TextClause:
        if not tags:
            return STATEMENTS[vector, "all"]
        tagged = min(map(self._tagged, tags))
        return STATEMENTS[vector, "few" if tagged <= EXACT_UP_TO else "many"]

    def _narrowing(self, tags: Sequence[str]) -> dict[str, object]:
        """Return the values by which a statement narrows a search down to tags."""
        if not tags:
            return {}
        return {"tags": list(tags), "rarest_tag": min(tags, key=self._tagged)}

    def _tagged(self, tag: str) -> int:
        """Return how many traces have a tag."""
        return self._vocabulary.tags.get(tag, 0)

    async def _vector(self, question: str) -> Vector | None:
        if self._embedder is None:
            return None
        try:
            async with asyncio.timeout(EMBEDDING_TIMEOUT):
                return await self._embedder.embed_query(question)
        except (EmbeddingError, TimeoutError) as error:
            log.warning("searching by full text alone: %s", error or "the embedder takes too long")
            return None

    async def _run(self, statement: TextClause, values: dict[str, object]) -> SearchAnswer:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement, values)).all()
        results = [SearchResult(FoundTrace.of(row), row.similarity, row.score) for row in rows]
        return SearchAnswer(results, rows[0].total if rows else 0)


def _set_up_connection(connection: Any, _record: object) -> None:
    """Let the vector index go on until it has as many traces with the wanted tags as were asked
    for; by default it looks at forty and gives those of them that have the tags.
    """
    connection.run_async(lambda driver: driver.execute(SESSION))
