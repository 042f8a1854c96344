"""What a database can do wrong, told once: interfaces dress `failure_of`, logs take `reason_of`.

SQLAlchemy wraps what asyncpg raises in a DBAPIError, but for errors while connecting; its pool has
a TimeoutError of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.errors import TargetError

CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What asyncpg raises by itself when the server is gone or refuses a connection."""

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, *CONNECTION_ERRORS)
"""Everything that `failure_of` knows about."""

CANCELLED = "57014"
"""PostgreSQL's code (query_canceled) for a statement that took too long."""

BUSY_RETRY_SECONDS = 1
"""After which a client may try again where there is only too much to do."""

DOWN_RETRY_SECONDS = 5
"""The same where the database does not answer."""


@dataclass(frozen=True)
class Failure:
    """A state of the database that the client did not cause and can wait out."""

    message: str
    retry_seconds: int


BUSY = Failure("too many requests are under way", BUSY_RETRY_SECONDS)
TOO_SLOW = Failure("the database took too long", BUSY_RETRY_SECONDS)
DOWN = Failure("the database does not answer", DOWN_RETRY_SECONDS)


def failure_of(error: BaseException) -> Failure | None:
    """Say which state of the database an error tells of; None for a mistake of ours."""
    if isinstance(error, PoolTimeoutError):
        return BUSY
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, (DataError, ProgrammingError)):
        return None
    if getattr(cause, "sqlstate", None) == CANCELLED:
        return TOO_SLOW
    return DOWN if isinstance(error, DATABASE_ERRORS) else None


def reason_of(error: BaseException) -> str:
    """Say in one line what the driver, the server or the network says."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause) or "no answer in time").splitlines()[0]


@contextmanager
def database_errors(failure: str, advice: str = "") -> Iterator[None]:
    """Turn what the driver raises into one line: what failed, the server's reason, what to do.

    Raises:
        TargetError: instead of any error of the driver, the server or the network.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        message = f"{failure}: {reason_of(error)}"
        raise TargetError("; ".join(filter(None, (message, advice)))) from error
