"""Engines on the target: one way in for every command and for the service."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.config import DATABASE_URL_FORM, Settings
from app.database.embedded import embedded_server
from app.database.errors import database_errors
from app.database.migrations import upgrade
from app.database.target import MODEL_COLUMNS, Columns, check_target
from app.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What an engine may use of its server, so that load is refused instead of queued."""

    connections: int
    wait_seconds: float
    """For a free connection; then SQLAlchemy raises TimeoutError."""
    statement_seconds: float
    """Then the server cancels the statement."""

    @classmethod
    def of_requests(cls, settings: Settings) -> Self:
        """Return the limits of the engine that serves requests."""
        return cls(settings.pool_size, settings.pool_timeout, settings.statement_timeout)


@asynccontextmanager
async def connected_engine(
    settings: Settings, *, needs: Columns | None = None, limits: Limits | None = None
) -> AsyncIterator[AsyncEngine]:
    """Give an engine on the target, which is known to answer and to hold the columns needed.

    Without `settings.database_url` this starts the embedded server, brings it to the newest
    migration, and stops it on leaving if nobody else uses it.

    Args:
        settings: where the target is.
        needs: the columns that the command reads and writes; None for all of the models. An empty
            mapping asks for none (and not for pgvector either), as migrating does.
        limits: what the engine may use; None for SQLAlchemy's usual pool and no time limit.

    Raises:
        TargetError: if the target cannot be reached, has no pgvector or lacks a column.
    """
    if settings.database_url is not None:
        async with _checked_engine(settings.database_url, settings, needs, limits) as engine:
            yield engine
        return
    with embedded_server(settings.data_dir) as url:
        async with _checked_engine(url, settings, needs, limits, migrate=True) as engine:
            yield engine


@asynccontextmanager
async def _checked_engine(
    url: str,
    settings: Settings,
    needs: Columns | None,
    limits: Limits | None,
    *,
    migrate: bool = False,
) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(url, connect_timeout=settings.connect_timeout, limits=limits)
    try:
        async with _connect(engine, url) as connection:
            if migrate:
                await upgrade(connection)
            await check_target(connection, MODEL_COLUMNS if needs is None else needs)
        yield engine
    finally:
        await engine.dispose()


def create_engine(
    url: str, *, connect_timeout: float = 10.0, limits: Limits | None = None
) -> AsyncEngine:
    """Make an engine on a PostgreSQL URL as libpq knows them: several hosts, sockets, options.

    asyncpg reads the URL, because SQLAlchemy's URLs know neither several hosts nor `sslmode`.
    """
    dsn, arguments = _asyncpg_arguments(url)
    arguments.setdefault("timeout", connect_timeout)
    options: dict[str, Any] = {}
    if limits is not None:
        milliseconds = str(round(1000 * limits.statement_seconds))
        arguments["server_settings"] = {"statement_timeout": milliseconds}
        options = {
            "isolation_level": "AUTOCOMMIT",  # one statement needs no BEGIN and no ROLLBACK
            "pool_size": limits.connections,
            "max_overflow": 0,
            "pool_timeout": limits.wait_seconds,
        }
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=functools.partial(asyncpg.connect, dsn, **arguments),
        hide_parameters=True,  # messages go to logs, questions do not
        **options,
    )


def describe_target(url: str) -> str:
    """Hosts and database name of a URL, without user and password, for messages."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2] or dict(parse_qsl(parts.query)).get("host", "localhost")
    return f"{hosts}{parts.path}"


def _asyncpg_arguments(url: str) -> tuple[str, dict[str, Any]]:
    """Split a URL into what asyncpg reads from one and what it takes as arguments only.

    asyncpg sends options that it does not know to the server, which refuses them.
    """
    arguments: dict[str, Any] = {}
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        if "connect_timeout" in options:
            arguments["timeout"] = float(options.pop("connect_timeout"))
    except ValueError as error:
        raise _unreadable(error) from error
    if "ssl" in options:  # the name that SQLAlchemy's asyncpg URLs use
        options["sslmode"] = options.pop("ssl")
    dsn = parts._replace(scheme="postgresql", query=urlencode(options)).geturl()
    return dsn, arguments


def _unreadable(error: Exception) -> ConfigError:
    return ConfigError(f"DATABASE_URL cannot be read ({error}); expected {DATABASE_URL_FORM}")


@asynccontextmanager
async def _connect(engine: AsyncEngine, url: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection, or one line on why there is none."""
    with database_errors(
        f"cannot connect to {describe_target(url)}", "check DATABASE_URL and that the server runs"
    ):
        try:
            connection = await engine.connect()
        except (ValueError, LookupError) as error:  # asyncpg's, on a URL that it cannot read
            raise _unreadable(error) from error
    try:
        yield connection
    finally:
        await connection.close()
