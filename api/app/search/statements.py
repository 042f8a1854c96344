"""The SQL of search: candidates are gathered, measured, scored and cut off in one statement.

Few candidates are gathered first, by the terms that tell documents apart and by the nearest
vectors, and only those are ranked. Both parts of the score lie between 0 and about 1, so that they
can be added and cut off at one value, whatever the size of the corpus.
"""

from math import pi
from typing import Literal

from sqlalchemy import TextClause, text

from app.services.traces import TRACE_COLUMNS

Narrowing = Literal["all", "few", "many"]
"""What is searched: all traces, or those with the wanted tags, which are few or many."""

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

PI_SQUARED_OVER_6 = pi**2 / 6
"""What ts_rank divides by: the sum of 1 / n^2, over which it discounts a term's repetitions."""

# By default a page out of order costs four times one in order. That is true of no SSD and no cache,
# and at 10,000 traces it makes looking at all of them seem cheaper than the vector index.
SESSION = f"""
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
    """Return the condition that a trace has all tags; `trace` is the expression of its id."""
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

BY_TAGS = text(f"""
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
           * {PI_SQUARED_OVER_6} / :total_weight
    FROM question q
"""


_ABOVE_BASELINE = "coalesce(greatest(similarity - CAST(:baseline AS float8), 0), 0)"

_WEIGHTED = f"CAST(:similarity_weight AS float8) * {_ABOVE_BASELINE}"

_ANSWERS_WITHOUT_VECTOR = "score >= CAST(:cut_off_without_vector AS float8)"

_ANSWERS = f"""
    CASE WHEN similarity IS NULL THEN {_ANSWERS_WITHOUT_VECTOR}
    ELSE score >= CAST(:cut_off AS float8)
        OR :foreign AND {_ABOVE_BASELINE} >= CAST(:cut_off_by_vector AS float8) END
"""


def _statement(vector: bool, tags: Narrowing) -> TextClause:
    """Return the statement of a search.

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


STATEMENTS = {
    (vector, tags): _statement(vector, tags)
    for vector in (False, True)
    for tags in ("all", "few", "many")
}
