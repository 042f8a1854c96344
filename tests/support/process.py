"""The service in a process of its own, as it is run."""

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ServiceProcess:
    """A running service."""

    process: Process
    address: str
    logs: list[dict[str, Any]] = field(default_factory=list)
    """What it has logged so far."""


@asynccontextmanager
async def service_process(database_url: str, **settings: str) -> AsyncIterator[ServiceProcess]:
    """Start the service, wait until it answers, and stop it on leaving unless it has ended."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.main", "--port", str(port), "--database-url", database_url),
        stderr=PIPE,
        env=os.environ | settings,
    )
    service = ServiceProcess(process, f"http://127.0.0.1:{port}")
    async with asyncio.timeout(60):
        await _read_logs(service, until="Uvicorn running")
    reading = asyncio.create_task(_read_logs(service))
    try:
        yield service
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading


async def _read_logs(service: ServiceProcess, until: str | None = None) -> None:
    assert service.process.stderr
    async for line in service.process.stderr:
        service.logs.append(json.loads(line))
        if until and service.logs[-1]["message"].startswith(until):
            return
