"""The running service under load, at 250 and at 100,000 traces, each question's embedding included.

The service runs as a process of its own, on an embedded server with its default settings. The
clients are tasks of this process, which shares the machine with both: their own work is part of
what they measure. One that gets 503 waits as long as `Retry-After` says. The rival is the bare
statement: what the service sent for the same questions, with their vectors, sent again over the
driver by as many clients on as many connections as the service has.

Recall is the share of the ten nearest traces, as a scan of all finds them, among those that the
search gathers through the index before it compares them exactly.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count as counting
from pathlib import Path
from typing import Any

import click
import httpx
from app.config import Settings
from app.database import connected_engine
from app.database.embedded import embedded_server
from app.search.service import EXACT_UP_TO, NEAREST, SearchService
from app.services.embeddings import LocalEmbedder, vector_literal
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.indexing import FILTERS, elements, fill, questions, real_seeds

SIZES = {250: 8.0, 100_000: 25.0}
"""Traces, and the most milliseconds that p50 may take with one client."""

CLIENTS = (1, 8, 32, 128)
RECALL_LIMIT = 0.98
QUESTIONS = 200
SEARCH = "/api/v1/traces/search"

Ask = Callable[[int, int], Awaitable[int]]
"""Asks, as the client of the first number, the question of the second; returns the HTTP status, or
200."""


@dataclass
class Load:
    """What came of one run."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    """Of each request that was answered with 200."""
    answers: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """One line."""
        percentiles = statistics.quantiles(self.milliseconds, n=100)
        p50, p95, p99 = (percentiles[at - 1] for at in (50, 95, 99))
        others = {status: n for status, n in self.answers.items() if status != "200"}
        return (
            f"{len(self.milliseconds) / self.seconds:6.0f} a second, "
            f"p50 {p50:6.1f} ms, p95 {p95:6.1f} ms, p99 {p99:6.1f} ms"
            + "".join(f", {number} x {status}" for status, number in sorted(others.items()))
        )


async def load(ask: Ask, clients: int, seconds: float) -> Load:
    """Let clients ask one question after the other for some seconds; each waits for its answer."""
    result = Load()
    numbers = counting()
    begin = time.perf_counter()

    async def client(client_number: int) -> None:
        while time.perf_counter() < begin + seconds:
            asked = time.perf_counter()
            try:
                status = str(await ask(client_number, next(numbers)))
            except httpx.HTTPError as error:
                status = f"lost ({type(error).__name__})"
            result.answers[status] += 1
            if status == "200":
                result.milliseconds.append(1000 * (time.perf_counter() - asked))

    await asyncio.gather(*(client(number) for number in range(clients)))
    result.seconds = time.perf_counter() - begin
    return result


@asynccontextmanager
async def service(url: str) -> AsyncIterator[str]:
    """The service as a process of its own; gives its address once it is healthy."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.main", "--port", port, "--database-url", url),
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"DATABASE_URL": url},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(120), httpx.AsyncClient() as client:
            while not await _is_healthy(client, address):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        yield address
    finally:
        process.terminate()
        await process.wait()


async def _is_healthy(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(f"{address}/healthz")).is_success
    except httpx.TransportError:
        return False


async def load_service(url: str, asked: Sequence[str], seconds: float) -> list[Load]:
    """The service's load with each number of clients, after a warm-up."""
    async with service(url) as address, AsyncExitStack() as stack:
        # One each: a pool of httpx gets slow where many share it.
        http_clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=address, timeout=30.0, verify=False)
            )
            for _ in range(max(CLIENTS))
        ]

        async def ask(client_number: int, number: int) -> int:
            body = {"q": asked[number % len(asked)], "limit": 10}
            answer = await http_clients[client_number].post(SEARCH, json=body)
            if answer.status_code == 503:
                await asyncio.sleep(float(answer.headers["retry-after"]))
            return answer.status_code

        await load(ask, 1, seconds / 2)
        return [await load(ask, clients, seconds) for clients in CLIENTS]


async def load_statements(
    engine: AsyncEngine, search: SearchService, asked: Sequence[str], seconds: float
) -> list[Load]:
    """The load of the bare statements, on as many connections as the service has."""
    statements = await _statements(engine, search, asked)
    async with AsyncExitStack() as stack:
        drivers: list[tuple[Any, asyncio.Lock]] = []
        for _ in range(Settings(_env_file=None).pool_size):
            connection = await stack.enter_async_context(engine.connect())
            raw = await connection.get_raw_connection()
            drivers.append((raw.driver_connection, asyncio.Lock()))

        async def ask(client_number: int, number: int) -> int:
            statement, values = statements[number % len(statements)]
            driver, lock = drivers[client_number % len(drivers)]
            async with lock:
                await driver.fetch(statement, *values)
            return 200

        await load(ask, len(drivers), seconds / 2)
        return [await load(ask, clients, seconds) for clients in CLIENTS]


async def _statements(
    engine: AsyncEngine, search: SearchService, asked: Sequence[str]
) -> list[tuple[str, Sequence[Any]]]:
    """What the service sends to the database for each question."""
    sent: list[tuple[str, Sequence[Any]]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    for question in asked:
        await search.search(question)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    return sent


async def recall(
    engine: AsyncEngine, embedder: LocalEmbedder, asked: Sequence[str], tag: str | None, few: bool
) -> tuple[float, bool]:
    """The mean share of the ten nearest that are gathered, and whether the index served.

    Like the search, this compares all traces with the tag where there are `few` of them.
    """
    condition = "TRUE"
    if tag:
        condition = f"""
            (SELECT count(*) FROM trace_tags WHERE trace_id = t.id AND tag_id = ANY(array(
                SELECT id FROM tags WHERE name = '{tag}'))) = 1
        """
    distance = "t.embedding <=> $1::vector"
    nearest = f"SELECT t.id FROM traces t WHERE {condition} ORDER BY "
    vectors = [vector_literal(await embedder.embed_query(question)) for question in asked]
    async with engine.connect() as approximate, engine.connect() as exact:
        ours: Any = (await approximate.get_raw_connection()).driver_connection
        scan: Any = (await exact.get_raw_connection()).driver_connection
        await scan.execute("SET enable_indexscan = off")
        gathered = f"{nearest} {f'({distance}) + 0' if few else distance} LIMIT {NEAREST}"
        plan = await ours.fetch(f"EXPLAIN {gathered}", vectors[0])
        shares = []
        for vector in vectors:
            found = {row[0] for row in await ours.fetch(gathered, vector)}
            best = {row[0] for row in await scan.fetch(f"{nearest} {distance} LIMIT 10", vector)}
            shares.append(len(found & best) / len(best))
        await exact.invalidate()
    return statistics.mean(shares), any("hnsw" in row[0] for row in plan)


async def measure(count: int, seconds: float) -> None:
    """Print everything at one size."""
    chosen, kind = elements(count)
    asked = questions(chosen, QUESTIONS)
    real = questions(real_seeds(), QUESTIONS)  # generated words have no direction to speak of
    print(f"load at {count:,} traces ({kind})", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # for root the embedded server runs as another user
        settings = Settings(database_url=None, data_dir=folder / "data", _env_file=None)
        with embedded_server(settings.data_dir) as url:
            embedder = LocalEmbedder()
            async with connected_engine(settings) as engine:
                await fill(engine, chosen, embedder)
                ours = await load_service(url, asked, seconds)
                search = SearchService(engine, embedder)
                await search.start()
                bare = await load_statements(engine, search, asked, seconds)
                _print_loads(ours, bare, SIZES.get(count))
                for tag in (None, *FILTERS):
                    few = tag is not None and count / FILTERS[tag] <= EXACT_UP_TO
                    share, indexed = await recall(engine, embedder, real, tag, few)
                    print(
                        f"  recall@10          {share:.3f} (at least {RECALL_LIMIT}) "
                        f"{f'with tag {tag}' if tag else 'without tags'}, "
                        f"{'through the index' if indexed else 'all compared'}",
                        flush=True,
                    )


def _print_loads(ours: Sequence[Load], bare: Sequence[Load], limit: float | None) -> None:
    for clients, mine, theirs in zip(CLIENTS, ours, bare, strict=True):
        print(f"  {clients:3} clients, service  {mine}")
        print(f"              bare SQL {theirs}")
    lost = sum(
        number for run in ours for status, number in run.answers.items() if status[:3] not in OK
    )
    p50 = statistics.median(ours[0].milliseconds)
    at_most = f" (at most {limit:.0f})" if limit else ""
    ratio = p50 / statistics.median(bare[0].milliseconds)
    print(f"  1 client           p50 {p50:.1f} ms{at_most}, {ratio:.2f} x the bare statement's")
    print(f"  lost, or not 200 or 503: {lost} (at most 0)", flush=True)


OK = {"200", "503"}


@click.command()
@click.option(
    "--traces", multiple=True, type=click.IntRange(min=100), help="How many; 250 and 100000."
)
@click.option("--seconds", default=8.0, show_default=True, help="Of each load.")
def main(traces: Sequence[int], seconds: float) -> None:
    """Measure the service under load."""
    for count in traces or SIZES:
        asyncio.run(measure(count, seconds))


if __name__ == "__main__":
    main()
