"""Keeps the full-text index in step with `traces`, and its vocabulary in this process.

The index is derived: `refresh` compares it with the traces and writes what differs. Whoever is
about to search calls it first, and again whenever traces have changed.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.database.locks import AdvisoryLock
from app.markdown import split_code
from app.search.terms import VERSION, document_terms, tsvector_literal

BATCH = 1000
"""Documents written in one transaction."""

_STALE = text("""
    SELECT t.id, t.title, t.context_text, t.solution_text, t.updated_at,
           array(
               SELECT tags.name FROM trace_tags JOIN tags ON tags.id = trace_tags.tag_id
               WHERE trace_tags.trace_id = t.id ORDER BY tags.name
           ) AS tags
    FROM traces t
    LEFT JOIN search_documents d ON d.trace_id = t.id
    WHERE (d.indexed_version, d.analysis_version) IS DISTINCT FROM (t.updated_at, :analysis)
    LIMIT :limit
""")

_GONE = text("""
    SELECT d.trace_id FROM search_documents d LEFT JOIN traces t ON t.id = d.trace_id
    WHERE t.id IS NULL
    LIMIT :limit
""")

_REMOVE = text("""
    DELETE FROM search_documents WHERE trace_id = ANY(CAST(:ids AS uuid[]))
    RETURNING tsvector_to_array(terms)
""")

_INSERT = text("""
    INSERT INTO search_documents (trace_id, terms, indexed_version, analysis_version)
    SELECT id, CAST(terms AS tsvector), version, :analysis
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:terms AS text[]), CAST(:versions AS timestamptz[])
    ) AS new(id, terms, version)
""")

_COUNT = text("""
    INSERT INTO search_terms AS known (term, documents)
    SELECT * FROM unnest(CAST(:terms AS text[]), CAST(:changes AS int[]))
    ON CONFLICT (term) DO UPDATE SET documents = known.documents + excluded.documents
""")

_FORGET = text("DELETE FROM search_terms WHERE documents <= 0")


async def refresh(engine: AsyncEngine) -> int:
    """Bring the index in step with the traces; the number of documents written or removed.

    Processes that do this at once take turns, and the later ones find nothing left to do.
    """
    total = 0
    while done := await _refresh_batch(engine):
        total += done
    return total


async def _refresh_batch(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        if not await _differing(connection, 1):
            return 0
    async with engine.begin() as connection:
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": AdvisoryLock.INDEXING}
        )
        rows = await _differing(connection, BATCH)
        counts = await _write(connection, rows)
        await _count(connection, counts)
    return len(rows)


async def _differing(connection: AsyncConnection, limit: int) -> Sequence[Any]:
    """Rows of traces to index, or, if there are none, ids of documents whose trace is gone."""
    found = await connection.execute(_STALE, {"analysis": VERSION, "limit": limit})
    return found.all() or (await connection.execute(_GONE, {"limit": limit})).all()


async def _write(connection: AsyncConnection, rows: Sequence[Any]) -> Counter[str]:
    """Replace or remove the documents; by how much the count of each term changes."""
    ids = [row[0] for row in rows]
    counts: Counter[str] = Counter()
    for terms in await connection.scalars(_REMOVE, {"ids": ids}):
        counts.subtract(terms)
    documents = [_document(*row) for row in rows if len(row) > 1]
    for document in documents:
        counts.update(document.terms.keys())
    await connection.execute(
        _INSERT,
        {
            "ids": [document.trace_id for document in documents],
            "terms": [tsvector_literal(document.terms) for document in documents],
            "versions": [document.version for document in documents],
            "analysis": VERSION,
        },
    )
    return counts


async def _count(connection: AsyncConnection, counts: Counter[str]) -> None:
    changed = {term: change for term, change in counts.items() if change}
    if changed:
        values = {"terms": list(changed), "changes": list(changed.values())}
        await connection.execute(_COUNT, values)
        await connection.execute(_FORGET)


@dataclass(frozen=True)
class _Document:
    trace_id: uuid.UUID
    version: datetime
    terms: dict[str, str]


def _document(
    trace_id: uuid.UUID,
    title: str,
    context: str,
    solution: str,
    version: datetime,
    tags: Sequence[str],
) -> _Document:
    prose, code = split_code(solution)
    fields = [("A", title), ("A", " ".join(tags)), ("B", context), ("C", prose), ("D", code)]
    return _Document(trace_id, version, document_terms(fields))


@dataclass(frozen=True)
class Vocabulary:
    """What a process knows of the corpus: its size, and in how many documents each term stands."""

    documents: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)

    @cached_property
    def words(self) -> dict[tuple[str, int], list[str]]:
        """Terms that a misspelt word can have meant, by their first letter and length."""
        words: dict[tuple[str, int], list[str]] = {}
        for term in self.terms:
            if term.isalpha():
                words.setdefault((term[0], len(term)), []).append(term)
        return words


async def load_vocabulary(engine: AsyncEngine) -> Vocabulary:
    """Read the vocabulary as the index has it now."""
    async with engine.connect() as connection:
        documents = await connection.scalar(text("SELECT count(*) FROM search_documents"))
        terms = await connection.execute(text("SELECT term, documents FROM search_terms"))
        tags = await connection.execute(
            text("""
                SELECT tags.name, count(*) FROM tags
                JOIN trace_tags ON trace_tags.tag_id = tags.id GROUP BY tags.name
            """)
        )
        return Vocabulary(
            documents or 0,
            {term: count for term, count in terms},  # noqa: C416
            {name: count for name, count in tags},  # noqa: C416
        )
