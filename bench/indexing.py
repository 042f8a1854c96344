"""Fills the databases of the load measurement, and says what each index cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click
import numpy as np
from app.search.index import refresh
from app.services.embeddings import LocalEmbedder, document_text
from pgvector.asyncpg import register_vector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.corpora import Element, blends, is_real, real_elements
from bench.support import autocommit, memory_of_process, seconds_of, vacuum
from tools.fixture.reader import SeedTrace
from tools.importing.importer import import_seeds

BATCH = 1_000
BUILD_MEMORY = "1GB"
"""maintenance_work_mem while the index is built; the graph of 100,000 traces fits."""

HNSW_INDEX = text("""
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = pg_class.relam
    WHERE indrelid = 'traces'::regclass AND amname = 'hnsw'
""")

CREATE_GIVEN = "CREATE TEMPORARY TABLE given (id uuid PRIMARY KEY, vector vector)"
TAKE_GIVEN = """
    UPDATE traces
    SET embedding = given.vector, embedding_model_id = $1, embedding_model_version = $2
    FROM given WHERE given.id = traces.id
"""


async def fill(
    engine: AsyncEngine, elements: Sequence[Element], embedder: LocalEmbedder, blended: int | None
) -> None:
    """Import the traces, give them vectors and index them; print what each index cost.

    Args:
        engine: an empty database's.
        elements: the traces.
        embedder: gives the vectors of real seeds.
        blended: the number of real seeds that generated traces get the vectors of, mixed; None
            for all of them.
    """
    traces = [SeedTrace.from_element(element) for element in elements]
    click.echo(f"  import             {await seconds_of(import_seeds(engine, traces)):.1f} s")
    embedded = elements if is_real(len(elements)) else real_elements()[:blended]
    vectors = await _embed(embedder, embedded)
    async with autocommit(engine) as connection:
        name, definition = (await connection.execute(HNSW_INDEX)).one()
        await connection.execute(text(f"DROP INDEX {name}"))
        await _write_vectors(connection, traces, vectors, embedder)
        await _build_hnsw(connection, name, definition)
    seconds = await seconds_of(refresh(engine))
    click.echo(
        f"  full-text index    {seconds:.1f} s, {1000 * seconds / len(traces):.2f} ms a trace"
    )
    await vacuum(engine)


async def _embed(embedder: LocalEmbedder, elements: Sequence[Element]) -> Any:
    texts = [document_text(element["title"], element["context"]) for element in elements]
    return np.array(await embedder.embed_documents(texts), dtype=np.float32)


async def _write_vectors(
    connection: AsyncConnection, traces: Sequence[SeedTrace], real: Any, embedder: LocalEmbedder
) -> None:
    """Write a vector to each trace: the real one where there are as many, else a blend of them."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await register_vector(driver)
    await driver.execute(CREATE_GIVEN)
    for begin in range(0, len(traces), BATCH):
        batch = traces[begin : begin + BATCH]
        rows = real if is_real(len(traces)) else blends(real, len(batch), seed=begin)
        records = [(trace.id, row) for trace, row in zip(batch, rows, strict=True)]
        await driver.copy_records_to_table("given", records=records)
    await driver.execute(TAKE_GIVEN, embedder.model_id, embedder.model_version)
    await driver.execute("VACUUM ANALYZE traces")


async def _build_hnsw(connection: AsyncConnection, name: str, definition: str) -> None:
    """Build the HNSW index on one core, and print its time, its size and the memory it took."""
    await connection.execute(text(f"SET maintenance_work_mem = '{BUILD_MEMORY}'"))
    await connection.execute(text("SET max_parallel_maintenance_workers = 0"))
    server_process = await connection.scalar(text("SELECT pg_backend_pid()"))
    building = asyncio.create_task(seconds_of(connection.execute(text(definition))))
    memory = await _memory_growth(server_process, building)
    size = await connection.scalar(text(f"SELECT pg_relation_size('{name}')"))
    click.echo(
        f"  HNSW index         {await building:.1f} s on one core, {memory:.0f} MB of memory, "
        f"{size / 2**20:.0f} MB on disk"
    )


async def _memory_growth(pid: int, task: asyncio.Task[float]) -> float:
    """Return by how many MB a process grows at most, its private memory, until a task is done."""
    before = peak = memory_of_process("RssAnon", pid)
    while not task.done():
        await asyncio.wait({task}, timeout=0.05)
        peak = max(peak, memory_of_process("RssAnon", pid))
    return peak - before
