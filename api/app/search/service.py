"""Hybrid search: full text and vectors, fused in one statement.

Few candidates are gathered first, by the terms that tell documents apart and by the nearest
vectors, and only those are ranked. Both parts of the score lie between 0 and about 1, so that they
can be added and cut off at one value, whatever the size of the corpus.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import TextClause, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.search.centroid import Background, load_background
from app.services.embeddings import Embedder, EmbeddingError, Vector, vector_literal
from app.search.pasted_error import without_noise
from app.search.index import Vocabulary, load_vocabulary, refresh
from app.search.query import read_query
from app.services.tags import normalize_tag, validate_tag
from app.services.traces import TRACE_COLUMNS, FoundTrace

log = logging.getLogger(__name__)

FIELD_WEIGHTS = "{0.35, 0.45, 0.7, 1.0}"
"""Of a term in solution code, solution prose, context, title or tags (ts_rank's order D to A)."""

NEAREST = 30
"""Traces that are gathered by their vectors."""

EF_SEARCH = 300
"""Traces that the vector index looks at for them. Of the ten nearest of 100,000 it finds 0.985 with
300, and 0.973 with 200."""

MOST_LEXICAL = 160
"""Traces that are gathered by their terms, at most."""

BEST_LEXICAL = 50
"""Of these, the ones whose similarity is looked at too."""

EXACT_UP_TO = 5000
"""Traces with the wanted tags, up to which the nearest are found by looking at all of them."""

EMBEDDING_TIMEOUT = 2.0
"""Seconds that a search waits for the question's vector before it does without."""


@dataclass(frozen=True)
class Ranking:
    """What was fitted to questions. `make eval ARGS=--cross-validate` says how well it does on
    questions that it was not fitted to, and how little a tenth more or less changes.
    """

    similarity_weight: float = 0.7
    """Of the cosine above the background, beside the share of the question's words that the trace
    has."""
    cut_off: float = 0.46
    """Score below which a trace does not answer."""
    cut_off_without_vector: float = 0.35
    """The same for a trace that has no vector yet."""
    cut_off_by_vector: float = 0.25
    """Cosine above the background at which a trace answers a question of which the corpus lacks
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
        upkeep: AsyncEngine | None = None,
        ranking: Ranking = Ranking(),
    ) -> None:
        """With no embedder, search is by full text alone. `upkeep` is the engine that the index is
        kept with, where the one that searches has limits.
        """
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one statement each
        self._upkeep = upkeep or engine
        self._embedder = embedder
        self._ranking = asdict(ranking)
        self._vocabulary = Vocabulary()
        self._background = Background()
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
        await refresh(self._upkeep)
        self._vocabulary = await load_vocabulary(self._upkeep)
        if self._embedder is not None:
            self._background = await load_background(self._upkeep, self._embedder)

    async def search(
        self, question: str | None, tags: Sequence[str] = (), limit: int = 10
    ) -> SearchAnswer:
        """Traces that answer the question and have all the tags; with no question, the traces that
        have the tags, most trusted and newest first.
        """
        wanted = list(dict.fromkeys(normalize_tag(tag) for tag in tags))
        if not all(validate_tag(tag) for tag in wanted):
            return SearchAnswer([], 0)  # no trace has such a tag
        if question is None or not question.strip():
            return await self._run(_BY_TAGS, {"limit": limit} | self._narrowing(wanted))
        told = without_noise(question)
        vector = await self._vector(told)
        terms = read_query(told, self._vocabulary)
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
                "background": self._background.similarity(vector),
                "foreign": terms.foreign,
                "model_id": self._embedder.model_id,
                "model_version": self._embedder.model_version,
            }
        return await self._run(self._statement(vector is not None, wanted), values)

    def _statement(self, vector: bool, tags: Sequence[str]) -> TextClause:
        if not tags:
            return _STATEMENTS[vector, "all"]
        tagged = min(map(self._tagged, tags))
        return _STATEMENTS[vector, "few" if tagged <= EXACT_UP_TO else "many"]

    def _narrowing(self, tags: Sequence[str]) -> dict[str, object]:
        """The values by which a statement narrows a search down to tags."""
        if not tags:
            return {}
        return {"tags": list(tags), "rarest_tag": min(tags, key=self._tagged)}

    def _tagged(self, tag: str) -> int:
        """How many traces have a tag."""
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
        results = [SearchResult(FoundTrace(*row[3:]), row.similarity, row.score) for row in rows]
        return SearchAnswer(results, rows[0].total if rows else 0)


def _set_up_connection(connection: Any, _record: object) -> None:
    """Let the vector index go on until it has as many traces with the wanted tags as were asked
    for; by default it looks at forty and gives those of them that have the tags.
    """
    connection.run_async(lambda driver: driver.execute(_SESSION))


# By default a page out of order costs four times one in order. That is true of no SSD and no cache,
# and at 10,000 traces it makes looking at all of them seem cheaper than the vector index.
_SESSION = f"""
    SET hnsw.iterative_scan = relaxed_order; SET hnsw.ef_search = {EF_SEARCH};
    SET random_page_cost = 1.1
"""

_RESULT = f"""
    SELECT best.total, best.similarity, best.score, {TRACE_COLUMNS}
    FROM best JOIN traces t ON t.id = best.id JOIN users u ON u.id = t.contributor_id
    ORDER BY best.score DESC, t.trust_score DESC, t.created_at DESC, t.id
"""

_TAG_IDS = "array(SELECT id FROM tags WHERE name = ANY(CAST(:tags AS text[])))"


def _has_tags(trace: str) -> str:
    """The condition that a trace has all tags; `trace` is the expression of its id."""
    return f"""
        (
            SELECT count(*) FROM trace_tags
            WHERE trace_tags.trace_id = {trace} AND trace_tags.tag_id = ANY({_TAG_IDS})
        ) = cardinality(CAST(:tags AS text[]))
    """


# From the rarest tag on, for another may stand on half of all traces.
_TAGGED = f"""
    SELECT rare.trace_id AS id FROM trace_tags rare JOIN tags ON tags.id = rare.tag_id
    WHERE tags.name = :rarest_tag AND {_has_tags("rare.trace_id")}
"""

_BY_TAGS = text(f"""
    WITH best AS (
        SELECT t.id, 0::float8 AS similarity, 0::float8 AS score, count(*) OVER () AS total
        FROM ({_TAGGED}) AS tagged JOIN traces t ON t.id = tagged.id
        ORDER BY t.trust_score DESC, t.created_at DESC, t.id
        LIMIT :limit
    )
    {_RESULT}
""")

_SAME_MODEL = """
    (t.embedding_model_id = :model_id AND t.embedding_model_version = :model_version)
"""

_DISTANCE = "t.embedding <=> CAST(:vector AS vector)"

_NEAREST = {
    "all": f"FROM traces t WHERE {_SAME_MODEL} ORDER BY {_DISTANCE}",
    "many": f"FROM traces t WHERE {_SAME_MODEL} AND {_has_tags('t.id')} ORDER BY {_DISTANCE}",
    # + 0: no index can serve this order, so that all tagged traces are compared.
    "few": f"""
        FROM tagged JOIN traces t ON t.id = tagged.id
        WHERE {_SAME_MODEL} ORDER BY ({_DISTANCE}) + 0
    """,
}

_NARROWED = {
    "all": "",
    "many": f"AND {_has_tags('d.trace_id')}",
    "few": "AND d.trace_id IN (SELECT id FROM tagged)",
}

# For a group of terms joined by OR, ts_rank gives the mean of its terms' ranks; a term that stands
# in the document once ranks as its field's weight divided by pi^2 / 6.
_WORDS = f"""
    SELECT coalesce(sum(q.weight * ts_rank('{FIELD_WEIGHTS}', d.terms, q.terms)), 0)
           * 1.644934 / :total_weight
    FROM question q
"""


_ABOVE_BACKGROUND = "coalesce(greatest(similarity - CAST(:background AS float8), 0), 0)"

_WEIGHTED = f"CAST(:similarity_weight AS float8) * {_ABOVE_BACKGROUND}"

_ANSWERS_WITHOUT_VECTOR = "score >= CAST(:cut_off_without_vector AS float8)"

_ANSWERS = f"""
    CASE WHEN similarity IS NULL THEN {_ANSWERS_WITHOUT_VECTOR}
    ELSE score >= CAST(:cut_off AS float8)
        OR :foreign AND {_ABOVE_BACKGROUND} >= CAST(:cut_off_by_vector AS float8) END
"""


def _statement(vector: bool, tags: str) -> TextClause:
    """The statement of a search.

    Args:
        vector: whether the question has one.
        tags: `all` traces are searched, or those with the tags, which are `few` or `many`.
    """
    tagged = f"tagged AS MATERIALIZED ({_TAGGED})," if tags == "few" else ""
    nearest = f"SELECT t.id {_NEAREST[tags]} LIMIT {NEAREST}" if vector else "SELECT NULL::uuid"
    similarity = f"CASE WHEN {_SAME_MODEL} THEN 1 - ({_DISTANCE}) END" if vector else "NULL::float8"
    weighted, answers = (_WEIGHTED, _ANSWERS) if vector else ("0", _ANSWERS_WITHOUT_VECTOR)
    return text(f"""
        WITH question AS (
            SELECT CAST(terms AS tsquery) AS terms, weight
            FROM unnest(CAST(:groups AS text[]), CAST(:weights AS float8[])) AS q(terms, weight)
        ), {tagged} nearest AS MATERIALIZED (
            {nearest}
        ), matching AS MATERIALIZED (
            SELECT d.trace_id FROM search_documents d
            WHERE d.terms @@ CAST(:candidates AS tsquery) {_NARROWED[tags]}
            LIMIT {MOST_LEXICAL}
        ), worded AS MATERIALIZED (
            SELECT d.trace_id AS id, ({_WORDS}) AS words
            FROM search_documents d
            WHERE d.trace_id IN (SELECT * FROM nearest UNION SELECT * FROM matching)
        ), measured AS MATERIALIZED (
            SELECT t.id, t.trust_score, t.created_at, worded.words, {similarity} AS similarity
            FROM worded JOIN traces t ON t.id = worded.id
            WHERE worded.id IN (
                SELECT * FROM nearest
                UNION (SELECT id FROM worded ORDER BY words DESC LIMIT {BEST_LEXICAL})
            )
        ), scored AS (
            SELECT *, words + {weighted} AS score FROM measured
        ), answering AS (
            SELECT *, max(score) OVER (PARTITION BY similarity IS NULL) AS best FROM scored
            WHERE {answers}
        ), best AS (
            SELECT id, coalesce(similarity, 0) AS similarity, score, count(*) OVER () AS total
            FROM answering
            WHERE score >= best * CAST(:share_of_best AS float8)
            ORDER BY score DESC, trust_score DESC, created_at DESC, id
            LIMIT :limit
        )
        {_RESULT}
    """)


_STATEMENTS = {
    (vector, tags): _statement(vector, tags)
    for vector in (False, True)
    for tags in ("all", "few", "many")
}
