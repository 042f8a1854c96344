"""A real PostgreSQL for the tests: one embedded server a run, a fresh database a test."""

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from app.config import Settings
from app.database import connected_engine
from app.database.embedded import embedded_server
from app.database.engine import create_engine
from app.database.migrations import upgrade
from sqlalchemy.ext.asyncio import AsyncEngine

TEMPLATE = "migrated"
DATA_DIR = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Make one folder for the run's server, which pytest's workers share.

    Not below pytest's own: for root the server runs as another user, and every pytest that starts
    closes that folder to others.
    """
    worker = getattr(config, "workerinput", None)
    config.stash[DATA_DIR] = worker["data_dir"] if worker else tempfile.mkdtemp()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the folder is."""
    node.workerinput["data_dir"] = node.config.stash[DATA_DIR]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder, when all workers have ended."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash[DATA_DIR])


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """URL of the run's server; the last worker to end stops it."""
    with embedded_server(Path(pytestconfig.stash[DATA_DIR])) as url:
        asyncio.run(_prepare(url))
        yield url


async def _prepare(server_url: str) -> None:
    """Make the template database, unless another worker has."""
    connection = await asyncpg.connect(server_url)
    await connection.execute("SELECT pg_advisory_lock(1)")
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute("CREATE DATABASE building")
        await _migrate(named(server_url, "building"))
        await connection.execute(f"ALTER DATABASE building RENAME TO {TEMPLATE}")
    await connection.close()


async def _migrate(url: str) -> None:
    engine = create_engine(url)
    async with engine.connect() as connection:
        await upgrade(connection)
    await engine.dispose()


def named(server_url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


@asynccontextmanager
async def fresh_database(server_url: str, template: str) -> AsyncIterator[str]:
    """A new database made from a template, dropped on leaving."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield named(server_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def database_url(server_url: str) -> AsyncIterator[str]:
    """URL of a fresh, migrated database of this test's own."""
    async with fresh_database(server_url, TEMPLATE) as url:
        yield url


@pytest.fixture
async def empty_database_url(server_url: str) -> AsyncIterator[str]:
    """URL of a fresh database of this test's own that holds nothing."""
    async with fresh_database(server_url, "template1") as url:
        yield url


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty folder for an embedded server of this test's own."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "data"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings that name this test's database, whatever the environment and `.env` say."""
    return Settings(database_url=database_url, data_dir=tmp_path / "data", _env_file=None)


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """An engine on this test's database."""
    async with connected_engine(settings) as connected:
        yield connected
