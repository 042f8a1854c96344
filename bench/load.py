"""The running service under load, at 250 and at 100,000 traces, each question's embedding included.

The service runs as a process of its own, on an embedded server with its default settings. The
clients are tasks of this process, which shares the machine with both: their own work is part of
what they measure. One that gets 503 waits as long as `Retry-After` says. The rival is the bare
statement: what the service sent for the same questions, with their vectors, sent again over the
driver by as many clients on as many connections as the service has.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count as counting
from typing import Any

import click
import httpx
from app.search.service import EXACT_UP_TO, SearchService
from app.services.embeddings import LocalEmbedder
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.corpora import filtered_elements, is_real, questions, real_elements
from bench.indexing import fill
from bench.recall import print_recall
from bench.support import Database, percentiles, service_process, settings_of, temporary_database

SEARCH = "/api/v1/traces/search"
OK = {"200", "503"}

Ask = Callable[[int, int], Awaitable[int]]
"""Asks, as the client of the first number, the question of the second; returns the HTTP status, or
200."""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    sizes: Mapping[int, float]
    """Traces, and the most milliseconds that p50 may take with one client."""
    clients: Sequence[int]
    seconds: float
    """Of each run."""
    questions: int
    blended: int | None
    """Real seeds whose vectors are mixed for generated ones; None for all."""
    exact_up_to: int
    """Traces with a tag, up to which recall is taken of comparing all."""


FULL = Scale({250: 8.0, 100_000: 25.0}, (1, 8, 32, 128), 8.0, 200, None, EXACT_UP_TO)
QUICK = Scale({40: 8.0, 1_010: 25.0}, (1, 8), 0.3, 10, 20, 100)


@dataclass
class Load:
    """What came of one run."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    """Of each request that was answered with 200."""
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return percentiles(self.milliseconds, 50)[0]

    @property
    def lost(self) -> int:
        """Requests with no answer, or none of `OK`."""
        return sum(number for status, number in self.answers.items() if status not in OK)

    def __str__(self) -> str:
        """Return one line."""
        p50, p95, p99 = percentiles(self.milliseconds, 50, 95, 99)
        others = sorted(item for item in self.answers.items() if item[0] != "200")
        return (
            f"{len(self.milliseconds) / self.seconds:6.0f} a second, "
            f"p50 {p50:6.1f} ms, p95 {p95:6.1f} ms, p99 {p99:6.1f} ms"
            + "".join(f", {number} x {status}" for status, number in others)
        )


def main(quick: bool) -> None:
    """Print what the service bears at each size, and the recall of its index."""
    scale = QUICK if quick else FULL
    for count, limit in scale.sizes.items():
        asyncio.run(_measure(scale, count, limit))


async def _measure(scale: Scale, count: int, limit: float) -> None:
    """Print everything at one size."""
    elements = filtered_elements(count)
    kind = (
        "real seeds, repeated; their own embeddings"
        if is_real(count)
        else "generated texts; vectors are blends of real seeds' embeddings with noise"
    )
    click.echo(f"load at {count:,} traces ({kind})")
    asked = questions(elements, scale.questions)
    # Of generated words the vectors have no direction to speak of.
    real = questions(real_elements(), scale.questions)
    embedder = LocalEmbedder()
    async with temporary_database() as database:
        await fill(database.engine, elements, embedder, scale.blended)
        await _print_loads(database, embedder, asked, scale, limit)
        await print_recall(database.engine, embedder, real, count, scale.exact_up_to)


async def _print_loads(
    database: Database, embedder: LocalEmbedder, asked: Sequence[str], scale: Scale, limit: float
) -> None:
    ours = await load_service(database.url, asked, scale)
    bare = await load_statements(database.engine, embedder, asked, scale)
    for clients, mine, theirs in zip(scale.clients, ours, bare, strict=True):
        click.echo(f"  {clients:3} clients, service  {mine}")
        click.echo(f"              bare SQL {theirs}")
    p50, ratio = ours[0].p50, ours[0].p50 / bare[0].p50
    click.echo(
        f"  1 client           p50 {p50:.1f} ms (at most {limit:.0f}), "
        f"{ratio:.2f} x the bare statement's"
    )
    click.echo(f"  lost, or not 200 or 503: {sum(run.lost for run in ours)} (at most 0)")


async def load_service(url: str, asked: Sequence[str], scale: Scale) -> list[Load]:
    """Return the service's load with each number of clients, after a warm-up."""
    async with service_process(url) as address, AsyncExitStack() as stack:
        # One each: a pool of httpx gets slow where many share it.
        http_clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=address, timeout=30.0, verify=False)
            )
            for _ in range(max(scale.clients))
        ]

        async def ask(client_number: int, number: int) -> int:
            body = {"q": asked[number % len(asked)], "limit": 10}
            answer = await http_clients[client_number].post(SEARCH, json=body)
            if answer.status_code == 503:
                await asyncio.sleep(float(answer.headers["retry-after"]))
            return answer.status_code

        return await _loads(ask, 1, scale)


async def load_statements(
    engine: AsyncEngine, embedder: LocalEmbedder, asked: Sequence[str], scale: Scale
) -> list[Load]:
    """Return the load of the bare statements, on as many connections as the service has."""
    statements = await _statements(engine, embedder, asked)
    async with AsyncExitStack() as stack:
        drivers: list[tuple[Any, asyncio.Lock]] = []
        for _ in range(settings_of(None).pool_size):
            connection = await stack.enter_async_context(engine.connect())
            raw = await connection.get_raw_connection()
            drivers.append((raw.driver_connection, asyncio.Lock()))

        async def ask(client_number: int, number: int) -> int:
            statement, values = statements[number % len(statements)]
            driver, lock = drivers[client_number % len(drivers)]
            async with lock:
                await driver.fetch(statement, *values)
            return 200

        return await _loads(ask, len(drivers), scale)


async def _statements(
    engine: AsyncEngine, embedder: LocalEmbedder, asked: Sequence[str]
) -> list[tuple[str, Sequence[Any]]]:
    """Return what the service sends to the database for each question."""
    sent: list[tuple[str, Sequence[Any]]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    search = SearchService(engine, embedder)
    await search.start()
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    for question in asked:
        await search.search(question)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    return sent


async def _loads(ask: Ask, warming: int, scale: Scale) -> list[Load]:
    """Return the load with each number of clients, after some have warmed up."""
    await _load(ask, warming, scale.seconds / 2)
    return [await _load(ask, clients, scale.seconds) for clients in scale.clients]


async def _load(ask: Ask, clients: int, seconds: float) -> Load:
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
