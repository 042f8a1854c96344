"""What reads a stranger's file, in a process of its own with little memory and little time."""

import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tools.content.corpus import check_file
from tools.fixture.reader import FixtureError, read_fixture

MEMORY = 3 * 1024**3
"""Bytes of address space; PostgreSQL's parser and the models map much."""
SECONDS = 6
"""Of processor time; the work itself takes less than one."""
FORKS = get_context("forkserver")  # from one process that has imported what each needs
FORKS.set_forkserver_preload(["__main__", __name__])


def under_limits(read: Callable[[Path], str], path: Path) -> str:
    """What `read` says of a file; a process that takes too much is killed, which raises."""
    with ProcessPoolExecutor(1, FORKS, initializer=_limit) as pool:
        return pool.submit(read, path).result()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def check_seed(path: Path) -> str:
    """What the check finds, a line each."""
    return "\n".join(map(str, check_file(path).findings))


def refuse_fixture(path: Path) -> str:
    """Why the reader of fixtures refuses a file; nothing if it does not."""
    try:
        read_fixture(path)
    except FixtureError as error:
        return str(error)
    return ""
