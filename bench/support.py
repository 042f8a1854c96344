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
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from app.config import Settings
from app.database import connected_engine
from app.database.embedded import embedded_server
from app.worker.embedding_queue import EmbeddingQueue
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.paths import PROJECT

START_TIMEOUT = 120
"""Seconds that the service may take to become healthy: at 100,000 traces it loads their words."""


@dataclass(frozen=True)
class Database:
    """A database that lasts as long as its measurement."""

    engine: AsyncEngine
    url: str
    folder: Path
    """For the measurement's own files; it goes with the database."""


@asynccontextmanager
async def temporary_database() -> AsyncIterator[Database]:
    """Start an embedded server of its own, with its default settings, in a temporary folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # for root the embedded server runs as another user
        settings = settings_for(None, folder / "data")
        with embedded_server(settings.data_dir) as url:
            async with connected_engine(settings) as engine:
                yield Database(engine, url, folder)
