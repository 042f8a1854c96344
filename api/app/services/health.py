"""How many traces the target holds, and how far their vectors have come."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.embeddings import Embedder


@dataclass(frozen=True)
class Corpus:
    """How many traces there are, and how many of them wait for their vector."""

    traces: int
    embedding_backlog: int


_CORPUS = text("""
    SELECT count(*), count(*) FILTER (
        WHERE embedding IS NULL OR
        (embedding_model_id, embedding_model_version) IS DISTINCT FROM (:model_id, :model_version)
    )
    FROM traces
""")


async def read_corpus(engine: AsyncEngine, embedder: Embedder) -> Corpus:
    """Count the traces, and those without a vector of the embedder's model."""
    model = {"model_id": embedder.model_id, "model_version": embedder.model_version}
    async with engine.connect() as connection:
        return Corpus(*(await connection.execute(_CORPUS, model)).one())
