"""Ways to rank the traces for a question: the service's, and the four that it must beat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import bm25s
import snowballstemmer
from app.search.service import SearchService
from app.services.embeddings import Embedder, vector_literal
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.fixture.reader import SeedTrace

Ranker = Callable[[str], Awaitable[list[str]]]
"""Gives the slugs of up to `DEPTH` traces, best first."""

DEPTH = 10
RANK_CONSTANT = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""

_WORDS_OF_TRACES = """
    CREATE TABLE IF NOT EXISTS plain_documents AS
    SELECT id, to_tsvector('english', title || ' ' || context_text || ' ' || solution_text) AS terms
    FROM traces
"""

_BY_WORDS = text("""
    SELECT metadata_json->>'slug' FROM plain_documents JOIN traces USING (id), CAST(
        replace(CAST(plainto_tsquery('english', :query) AS text), '&', '|') AS tsquery
    ) AS question
    WHERE terms @@ question
    ORDER BY ts_rank(terms, question) DESC, id LIMIT :depth
""")

_BY_VECTORS = text("""
    SELECT metadata_json->>'slug' FROM traces
    ORDER BY (embedding <=> CAST(:vector AS vector)) + 0, id LIMIT :depth
""")


def served(service: SearchService) -> Ranker:
    """Rank as the service answers, cut-offs included."""

    async def rank(query: str) -> list[str]:
        answer = await service.search(query, limit=DEPTH)
        return [result.trace.slug or "" for result in answer.results]

    return rank


async def full_text(engine: AsyncEngine) -> Ranker:
    """PostgreSQL's own: its English configuration, any of the words, ts_rank."""
    async with engine.begin() as connection:
        await connection.execute(text(_WORDS_OF_TRACES))

    async def rank(query: str) -> list[str]:
        async with engine.connect() as connection:
            values = {"query": query, "depth": DEPTH}
            return [slug or "" for slug in await connection.scalars(_BY_WORDS, values)]

    return rank


def vectors(engine: AsyncEngine, embedder: Embedder) -> Ranker:
    """By cosine alone, all traces compared."""

    async def rank(query: str) -> list[str]:
        vector = vector_literal(await embedder.embed_query(query))
        async with engine.connect() as connection:
            values = {"vector": vector, "depth": DEPTH}
            return [slug or "" for slug in await connection.scalars(_BY_VECTORS, values)]

    return rank


def bm25(seeds: Sequence[SeedTrace]) -> Ranker:
    """BM25 on title, tags, context and solution, with English stop words and stems."""
    stem = snowballstemmer.stemmer("english").stemWords
    index = bm25s.BM25()
    texts = [f"{s.title}\n{' '.join(s.tags)}\n{s.context}\n{s.solution}" for s in seeds]
    index.index(bm25s.tokenize(texts, stemmer=stem, show_progress=False), show_progress=False)

    async def rank(query: str) -> list[str]:
        tokens = bm25s.tokenize(query, stemmer=stem, show_progress=False)
        found, scores = index.retrieve(tokens, k=DEPTH, show_progress=False)
        return [seeds[n].slug for n, score in zip(found[0], scores[0], strict=True) if score > 0]

    return rank


def remembering(ranker: Ranker) -> Ranker:
    """Return the ranker, asked only once for each question."""
    known: dict[str, list[str]] = {}

    async def rank(query: str) -> list[str]:
        if query not in known:
            known[query] = await ranker(query)
        return known[query]

    return rank


def reciprocal_rank_fusion(*rankers: Ranker) -> Ranker:
    """Return the ranks of several rankers fused, each counting as much."""

    async def rank(query: str) -> list[str]:
        scores: defaultdict[str, float] = defaultdict(float)
        for ranker in rankers:
            for place, slug in enumerate(await ranker(query), start=1):
                scores[slug] += 1 / (RANK_CONSTANT + place)
        return sorted(scores, key=lambda slug: (-scores[slug], slug))[:DEPTH]

    return rank
