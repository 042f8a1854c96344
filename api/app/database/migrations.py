"""The migrations that come with this application, and how far a target has come.

Alembic is imported where it is used: that takes 0.2 s, which only commands that migrate should pay.
"""

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.config import ROOT
from app.database.locks import AdvisoryLock
from app.errors import TargetError

if TYPE_CHECKING:
    from alembic.config import Config


class Migrations(StrEnum):
    """Where the target's tables stand."""

    AT_HEAD = "at_head"
    BEHIND = "behind"
    UNKNOWN = "unknown"
    """Kept by a newer version of this application, or by another one."""


def alembic_config() -> "Config":
    """Alembic's configuration, `api/alembic.ini`."""
    from alembic.config import Config

    return Config(ROOT / "api" / "alembic.ini")


async def upgrade(connection: AsyncConnection, revision: str = "head") -> None:
    """Run the missing migrations up to `revision` in one transaction.

    Raises:
        TargetError: if the target's tables are kept by another application's migrations.
    """
    from alembic import command
    from alembic.util import CommandError

    config = alembic_config()

    def run(sync_connection: object) -> None:
        config.attributes["connection"] = sync_connection
        command.upgrade(config, revision)

    await connection.execute(
        text("SELECT pg_advisory_xact_lock(:key)"), {"key": AdvisoryLock.MIGRATION}
    )
    try:
        await connection.run_sync(run)
    except CommandError as error:
        raise TargetError(f"the migration changed nothing: {error}") from error
    await connection.commit()


async def read_migrations(engine: AsyncEngine) -> Migrations:
    """Compare the migration that the target records with those that come with this application."""
    async with engine.connect() as connection:
        recorded = await _recorded_revision(connection)
    head, known = _revisions()
    if recorded == head:
        return Migrations.AT_HEAD
    return Migrations.BEHIND if recorded in known else Migrations.UNKNOWN


async def _recorded_revision(connection: AsyncConnection) -> str | None:
    if not await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


@cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """Return the newest migration, and all of them."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config())
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return scripts.get_current_head(), known
