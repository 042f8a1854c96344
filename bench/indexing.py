"""Databases for the load measurement: traces with vectors, full-text index and HNSW index.

Up to `MOST_REAL` traces are the real seeds, over and over with other slugs and titles. Larger
corpora are generated. Their vectors are not embeddings of their texts, which would take minutes,
but blends of three real seeds' vectors with noise: as many, as wide, and about as close to one
another as those of a large corpus of one field.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from app.search.index import refresh
from app.services.embeddings import LocalEmbedder, document_text
from pgvector.asyncpg import register_vector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.corpora import generated_elements
from tools.fixture.reader import SeedTrace
from tools.import_seeds import import_seeds
from tools.paths import FIXTURE

MOST_REAL = 1_000
REAL_IN_A_BLEND = 3
NOISE = 0.5
"""Length of the noise beside a blend of length 1."""

FILTERS = {"one-in-2": 2, "one-in-20": 20, "one-in-500": 500}
"""Tags to filter by: every so many traces have one."""

BATCH = 1_000
BUILD_MEMORY = "1GB"
"""maintenance_work_mem while the index is built; the graph of 100,000 traces fits."""

HNSW_INDEX = text("""
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = pg_class.relam
    WHERE indrelid = 'traces'::regclass AND amname = 'hnsw'
""")

Element = dict[str, Any]


def elements(count: int) -> tuple[list[Element], str]:
    """Elements of a fixture, each with some of the tags to filter by, and what they are."""
    if count <= MOST_REAL:
        seeds = real_seeds()
        chosen = [_copy(seeds[number % len(seeds)], number) for number in range(count)]
        kind = f"{len(seeds)} real seeds, repeated; their own embeddings"
    else:
        chosen = generated_elements(count)
        kind = "generated texts; vectors are blends of real seeds' embeddings with noise"
    for number, element in enumerate(chosen):
        filters = [tag for tag, every in FILTERS.items() if number % every == 0]
        element["tags"] = [*filters, *element["tags"]][:5]
    return chosen, kind


def real_seeds() -> list[Element]:
    """The elements of the fixture as it is."""
    seeds: list[Element] = json.loads(FIXTURE.read_bytes())
    return seeds


def _copy(seed: Element, number: int) -> Element:
    return seed | {"slug": f"{seed['slug']}-{number}", "title": f"{seed['title']} ({number})"}


async def fill(engine: AsyncEngine, chosen: Sequence[Element], embedder: LocalEmbedder) -> None:
    """Import the traces, give them vectors and index them; print what each index cost."""
    begin = time.perf_counter()
    traces = [SeedTrace.from_element(element) for element in chosen]
    await import_seeds(engine, traces)
    print(f"  import             {time.perf_counter() - begin:.1f} s")
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        name, definition = (await connection.execute(HNSW_INDEX)).one()
        await connection.execute(text(f"DROP INDEX {name}"))
        real = real_seeds() if len(chosen) > MOST_REAL else list(chosen)
        vectors = await _embed(embedder, real)
        await _write_vectors(connection, traces, vectors, embedder)
        await _build(connection, name, definition)
    begin = time.perf_counter()
    await refresh(engine)
    seconds = time.perf_counter() - begin
    print(f"  full-text index    {seconds:.1f} s, {1000 * seconds / len(chosen):.2f} ms a trace")
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE"))


async def _embed(embedder: LocalEmbedder, real: Sequence[Element]) -> Any:
    texts = [document_text(element["title"], element["context"]) for element in real]
    return np.array(await embedder.embed_documents(texts), dtype=np.float32)


async def _write_vectors(
    connection: AsyncConnection, traces: Sequence[SeedTrace], real: Any, embedder: LocalEmbedder
) -> None:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await register_vector(driver)
    await driver.execute("CREATE TEMPORARY TABLE given (id uuid PRIMARY KEY, vector vector)")
    for begin in range(0, len(traces), BATCH):
        batch = traces[begin : begin + BATCH]
        rows = real if len(real) == len(traces) else _blends(real, len(batch), seed=begin)
        records = [(trace.id, row) for trace, row in zip(batch, rows, strict=True)]
        await driver.copy_records_to_table("given", records=records)
    await driver.execute(
        """
        UPDATE traces SET embedding = given.vector, embedding_model_id = $1,
            embedding_model_version = $2
        FROM given WHERE given.id = traces.id
        """,
        embedder.model_id,
        embedder.model_version,
    )
    await driver.execute("VACUUM ANALYZE traces")


def _blends(real: Any, count: int, seed: int) -> Any:
    """Vectors of unit length: means of real ones, weighted at random, and noise."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(REAL_IN_A_BLEND), count)
    chosen = real[rng.integers(len(real), size=(count, REAL_IN_A_BLEND))]
    blends = _unit(np.einsum("nk,nkd->nd", weights, chosen))
    noise = _unit(rng.standard_normal(blends.shape))
    return _unit(blends + NOISE * noise).astype(np.float32)


def _unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def _build(connection: AsyncConnection, name: str, definition: str) -> None:
    """Build the HNSW index on one core, and print its time, its size and the memory it took."""
    await connection.execute(text(f"SET maintenance_work_mem = '{BUILD_MEMORY}'"))
    await connection.execute(text("SET max_parallel_maintenance_workers = 0"))
    process = await connection.scalar(text("SELECT pg_backend_pid()"))
    before = _private_memory(process)
    begin = time.perf_counter()
    building = asyncio.create_task(connection.execute(text(definition)))
    peak = before
    while not building.done():
        await asyncio.wait({building}, timeout=0.05)
        peak = max(peak, _private_memory(process))
    await building
    seconds = time.perf_counter() - begin
    size = await connection.scalar(text(f"SELECT pg_relation_size('{name}')"))
    print(
        f"  HNSW index         {seconds:.1f} s on one core, {peak - before:.0f} MB of memory, "
        f"{size / 2**20:.0f} MB on disk"
    )


def _private_memory(process: int) -> float:
    """Memory in MB that is this process's alone, without the server's shared buffers."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def questions(chosen: Sequence[Element], count: int) -> list[str]:
    """Three to ten words of a trace each, as people remember them; the same in every run."""
    rng = random.Random(7)
    return [
        " ".join(rng.sample(f"{e['title']} {e['context']}".split(), rng.randint(3, 10)))
        for e in rng.choices(chosen, k=count)
    ]
