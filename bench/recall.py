"""Recall of the vector index: how many of the ten nearest traces a search gathers.

It is the share of the ten nearest traces, as a scan of all finds them, among those that the search
gathers through the index before it compares them exactly.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import click
from app.search.statements import NEAREST
from app.services.embeddings import LocalEmbedder, vector_literal
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.corpora import FILTERS

LIMIT = 0.98

DISTANCE = "t.embedding <=> $1::vector"
WITHOUT_INDEX = f"({DISTANCE}) + 0"
"""What the search sorts by where it compares all."""


async def print_recall(
    engine: AsyncEngine, embedder: LocalEmbedder, asked: Sequence[str], count: int, exact: int
) -> None:
    """Print the recall without tags and with each of the tags to filter by.

    Args:
        engine: one that a search service has set up.
        embedder: gives the questions' vectors.
        asked: the questions.
        count: the number of traces.
        exact: the number of traces with a tag up to which a search compares all of them.
    """
    vectors = [vector_literal(await embedder.embed_query(question)) for question in asked]
    for tag in (None, *FILTERS):
        few = tag is not None and count / FILTERS[tag] <= exact
        share, indexed = await _recall(engine, vectors, tag, WITHOUT_INDEX if few else DISTANCE)
        click.echo(
            f"  recall@10          {share:.3f} (at least {LIMIT}) "
            f"{f'with tag {tag}' if tag else 'without tags'}, "
            f"{'through the index' if indexed else 'all compared'}"
        )


async def _recall(
    engine: AsyncEngine, vectors: Sequence[str], tag: str | None, order: str
) -> tuple[float, bool]:
    """Return the mean share of the ten nearest that are gathered, and whether the index served."""
    nearest = f"SELECT t.id FROM traces t WHERE {_condition(tag)} ORDER BY"
    gathering, scanning = f"{nearest} {order} LIMIT {NEAREST}", f"{nearest} {DISTANCE} LIMIT 10"
    async with engine.connect() as approximate, engine.connect() as exact:
        search: Any = (await approximate.get_raw_connection()).driver_connection
        scan: Any = (await exact.get_raw_connection()).driver_connection
        await scan.execute("SET enable_indexscan = off")
        plan = await search.fetch(f"EXPLAIN {gathering}", vectors[0])
        shares = []
        for vector in vectors:
            found = {row[0] for row in await search.fetch(gathering, vector)}
            best = {row[0] for row in await scan.fetch(scanning, vector)}
            shares.append(len(found & best) / len(best))
        await exact.invalidate()
    return statistics.mean(shares), any("hnsw" in row[0] for row in plan)


def _condition(tag: str | None) -> str:
    """Return the condition by which a search narrows down to a tag."""
    if tag is None:
        return "TRUE"
    return f"""
        (SELECT count(*) FROM trace_tags WHERE trace_id = t.id AND tag_id = ANY(array(
            SELECT id FROM tags WHERE name = '{tag}'))) = 1
    """
