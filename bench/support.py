"""What the measurements share: a database and a service for a while, times and memory."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import psutil
from app.config import Settings
from app.database import connected_engine
from app.database.embedded import embedded_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

START_SECONDS = 120
"""That the service may take to become healthy."""


@dataclass(frozen=True)
class Database:
    """A database that lasts as long as its measurement."""

    engine: AsyncEngine
    url: str
    folder: Path
    """For the measurement's own files; it goes with the database."""


@asynccontextmanager
async def temporary_database() -> AsyncIterator[Database]:
    """Start an embedded server with its default settings, in a temporary folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # for root the embedded server runs as another user
        with embedded_server(folder / "data") as url:
            async with connected_engine(settings_of(None, folder / "data")) as engine:
                yield Database(engine, url, folder)


def settings_of(database_url: str | None, data_dir: Path = Path()) -> Settings:
    """Return the settings that name a target, whatever the environment and `.env` say of it."""
    return Settings(database_url=database_url, data_dir=data_dir, _env_file=None)  # type: ignore[call-arg]


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Connect for statements that take no transaction, as VACUUM."""
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")


async def vacuum(engine: AsyncEngine) -> None:
    """Let the planner know what the tables hold."""
    async with autocommit(engine) as connection:
        await connection.execute(text("VACUUM ANALYZE"))


@asynccontextmanager
async def service_process(database_url: str) -> AsyncIterator[str]:
    """Run the service as a process of its own; give its address once it is healthy."""
    port = _free_port()
    command = [sys.executable, "-m", "app.main", "--port", port, "--database-url", database_url]
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(*command, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            async with asyncio.timeout(START_SECONDS):
                await _until_healthy(process, address, log)
            yield address
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


async def _until_healthy(process: Process, address: str, log: IO[bytes]) -> None:
    async with httpx.AsyncClient() as client:
        while not await _is_healthy(client, address):
            if process.returncode is not None:
                log.seek(0)
                raise RuntimeError(f"the service did not start:\n{log.read().decode()}")
            await asyncio.sleep(0.1)


async def _is_healthy(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(f"{address}/healthz")).is_success
    except httpx.TransportError:
        return False


async def seconds_of(work: Awaitable[object]) -> float:
    """Return the wall-clock seconds that some work takes."""
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


def seconds_of_command(
    command: Sequence[str], *, cwd: Path | None = None, given: str = ""
) -> float:
    """Return the wall-clock seconds of a command that must succeed, given a text to read."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=cwd, input=given, text=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def percentiles(values: Sequence[float], *wanted: int) -> list[float]:
    """Return the wanted percentiles, not-a-number where there are no values."""
    if len(values) < 2:
        return [sum(values) if values else math.nan for _ in wanted]
    cuts = statistics.quantiles(values, n=100)
    return [cuts[percent - 1] for percent in wanted]


def memory_of_process(figure: str, pid: int | None = None) -> float:
    """Return a process's memory in MB, of this one if none is named.

    Args:
        figure: `VmRSS` is what it holds, `VmHWM` the most it ever held, `RssAnon` what is its own
            alone, without the shared buffers of a database server.
        pid: the process.
    """
    status = Path(f"/proc/{pid or os.getpid()}/status").read_text()
    return int(status.partition(f"{figure}:")[2].split()[0]) / 1024


def memory_of_tree(pid: int) -> float:
    """Return the memory in MB of a process and its children, what they share counted once."""
    try:
        root = psutil.Process(pid)
        return sum(p.memory_full_info().pss for p in [root, *root.children(recursive=True)]) / 1e6
    except psutil.Error:
        return 0.0
