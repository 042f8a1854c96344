"""The embedding worker's statements: claim traces, write their vectors, put failures off.

Each is one short transaction, and none waits for a row that somebody else holds. A claim is a row
of `embedding_jobs` whose `not_before` lies ahead; so it outlives the transaction that made it,
holds no lock while vectors are computed, and ends by itself if the worker dies.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.embeddings import Embedder, Vector, document_text, vector_literal

CLAIM_TIME = timedelta(minutes=5)
"""Longer than a provider takes for a batch, with all repeats."""

FIRST_PAUSE = timedelta(seconds=30)
"""After a trace's first failure; doubled after each further one."""

LONGEST_PAUSE = timedelta(hours=6)

_NO_VECTOR = "t.embedding IS NULL"
_OTHER_MODEL = """
    t.embedding IS NOT NULL AND
    (t.embedding_model_id, t.embedding_model_version) IS DISTINCT FROM (:model_id, :model_version)
"""

# The upsert decides between workers: FOR UPDATE only keeps them from waiting for one another.
_CLAIM = """
    WITH free AS (
        SELECT t.id, t.title, t.context_text, t.created_at
        FROM traces t
        WHERE {condition} AND NOT EXISTS (
            SELECT FROM embedding_jobs j WHERE j.trace_id = t.id AND j.not_before > now()
        )
        ORDER BY t.created_at, t.id
        LIMIT :limit
        FOR UPDATE OF t SKIP LOCKED
    ), claimed AS (
        INSERT INTO embedding_jobs AS job (trace_id, not_before)
        SELECT id, now() + CAST(:claim_time AS interval) FROM free
        ON CONFLICT (trace_id) DO UPDATE SET not_before = excluded.not_before
        WHERE job.not_before <= now()
        RETURNING trace_id
    )
    SELECT free.id, free.title, free.context_text
    FROM free JOIN claimed ON claimed.trace_id = free.id
    ORDER BY free.created_at, free.id
"""

# A text that changed meanwhile keeps no vector of the old one; it is claimed again.
_WRITE = text("""
    WITH unchanged AS (
        SELECT t.id, done.vector
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:titles AS text[]), CAST(:contexts AS text[]),
            CAST(:vectors AS text[])
        ) AS done(id, title, context_text, vector)
        JOIN traces t USING (id, title, context_text)
        FOR UPDATE OF t SKIP LOCKED
    )
    UPDATE traces t
    SET embedding = CAST(unchanged.vector AS vector),
        embedding_model_id = :model_id,
        embedding_model_version = :model_version
    FROM unchanged
    WHERE t.id = unchanged.id
""")

# A job row that is locked belongs to a trace that is just being deleted.
_JOBS = """
    SELECT trace_id FROM embedding_jobs
    WHERE trace_id = ANY(CAST(:ids AS uuid[])) FOR UPDATE SKIP LOCKED
"""

_DELETE_JOBS = text(f"DELETE FROM embedding_jobs WHERE trace_id IN ({_JOBS})")

_RELEASE = text(f"UPDATE embedding_jobs SET not_before = now() WHERE trace_id IN ({_JOBS})")

_RESCHEDULE = text(f"""
    WITH free AS ({_JOBS})
    UPDATE embedding_jobs j
    SET attempts = j.attempts + 1,
        last_error = failed.error,
        not_before = now() + least(
            CAST(:first_pause AS interval) * 2 ^ least(j.attempts, 20),
            CAST(:longest_pause AS interval)
        )
    FROM free, unnest(CAST(:ids AS uuid[]), CAST(:errors AS text[])) AS failed(id, error)
    WHERE j.trace_id = free.trace_id AND j.trace_id = failed.id
""")


@dataclass(frozen=True)
class Claim:
    """A trace in this worker's hands, with the words that it had when claimed."""

    trace_id: uuid.UUID
    title: str
    context: str

    @property
    def text(self) -> str:
        """What is embedded."""
        return document_text(self.title, self.context)


class EmbeddingQueue:
    """The traces of a target that lack a vector of one model."""

    def __init__(self, engine: AsyncEngine, embedder: Embedder) -> None:
        self._engine = engine
        self._model = {
            "model_id": embedder.model_id,
            "model_version": embedder.model_version,
        }

    async def claim(self, limit: int) -> list[Claim]:
        """Return up to `limit` traces, oldest first; those without any vector before the others."""
        for condition in (_NO_VECTOR, _OTHER_MODEL):
            values = {"limit": limit, "claim_time": CLAIM_TIME}
            if condition is _OTHER_MODEL:
                values |= self._model
            async with self._engine.begin() as connection:
                rows = await connection.execute(text(_CLAIM.format(condition=condition)), values)
                claims = [Claim(*row) for row in rows]
            if claims:
                return claims
        return []

    async def write(self, vectors: Mapping[Claim, Vector]) -> int:
        """Store the vectors of traces whose text is as it was when claimed; the number stored."""
        claims = list(vectors)
        async with self._engine.begin() as connection:
            written = await connection.execute(
                _WRITE,
                {
                    "ids": _ids(claims),
                    "titles": [claim.title for claim in claims],
                    "contexts": [claim.context for claim in claims],
                    "vectors": [vector_literal(vector) for vector in vectors.values()],
                    **self._model,
                },
            )
            await connection.execute(_DELETE_JOBS, {"ids": _ids(claims)})
        return written.rowcount

    async def reschedule(self, failures: Mapping[Claim, str]) -> None:
        """Record why traces could not be embedded; each is tried again after a growing pause."""
        async with self._engine.begin() as connection:
            await connection.execute(
                _RESCHEDULE,
                {
                    "ids": _ids(list(failures)),
                    "errors": list(failures.values()),
                    "first_pause": FIRST_PAUSE,
                    "longest_pause": LONGEST_PAUSE,
                },
            )

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give claims back untried."""
        async with self._engine.begin() as connection:
            await connection.execute(_RELEASE, {"ids": _ids(claims)})


def _ids(claims: Sequence[Claim]) -> list[uuid.UUID]:
    return [claim.trace_id for claim in claims]
