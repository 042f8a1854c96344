"""How similar a question is to the corpus as a whole.

Cosines are not comparable between questions: one in the tone of bug reports is similar to every
trace, one about cooking to none. What a trace tells is how far its cosine lies above the question's
mean one, and that is the product of two vectors: the question's and the corpus's centroid.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.embeddings import Embedder

SAMPLE = 1000
"""Traces that the centroid is taken from. Ids are random, so the first ones are a fair sample."""

EXPECTED = 0.15
"""Mean cosine where the corpus is too small to tell."""

EXPECTED_WEIGHT = 50
"""As many traces as that expectation counts for."""

HIGHEST = 0.3
"""In a corpus of one subject a question is similar to everything because it is answered."""

_CENTROID = text("""
    SELECT avg(embedding), count(*) FROM (
        SELECT embedding FROM traces
        WHERE embedding_model_id = :model_id AND embedding_model_version = :model_version
        ORDER BY id LIMIT :sample
    ) AS sample
""")


@dataclass(frozen=True)
class Centroid:
    """The corpus's centroid, and of how many traces."""

    centroid: Sequence[float] = ()
    traces: int = 0

    def similarity(self, question: Sequence[float]) -> float:
        """Return about the cosine that a random trace would have with a question's vector."""
        total: float = self.traces * sum(map(mul, self.centroid, question))
        expected = EXPECTED_WEIGHT * EXPECTED
        return min(HIGHEST, (total + expected) / (self.traces + EXPECTED_WEIGHT))


async def load_centroid(engine: AsyncEngine, embedder: Embedder) -> Centroid:
    """Return the baseline of the traces that have a vector of the embedder's model."""
    async with engine.connect() as connection:
        values = {
            "model_id": embedder.model_id,
            "model_version": embedder.model_version,
            "sample": SAMPLE,
        }
        centroid, traces = (await connection.execute(_CENTROID, values)).one()
    return Centroid(json.loads(centroid), traces) if traces else Centroid()
