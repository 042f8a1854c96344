"""What state the target is in."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.services.embeddings import Embedder


class Migrations(StrEnum):
    """Where the target's tables stand."""

    AT_HEAD = "at_head"
    BEHIND = "behind"
    UNKNOWN = "unknown"
    """Kept by a newer version of this application, or by another one."""


@dataclass(frozen=True)
class Corpus:
    """How many traces there are, and how many of them wait for their vector."""

    traces: int
    embedding_backlog: int


_CORPUS = text("""
    SELECT count(*), count(*) FILTER (
        WHERE embedding IS NULL OR
        (embedding_model_id, embedding_model_version) IS DISTINCT FROM (:model_id, :model_version)
    )
    FROM traces
""")


async def read_corpus(engine: AsyncEngine, embedder: Embedder) -> Corpus:
    """Count the traces, and those without a vector of the embedder's model."""
    model = {"model_id": embedder.model_id, "model_version": embedder.model_version}
    async with engine.connect() as connection:
        return Corpus(*(await connection.execute(_CORPUS, model)).one())


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
    """The newest migration, and all of them."""
    from alembic.script import ScriptDirectory

    from app.migrate import alembic_config

    scripts = ScriptDirectory.from_config(alembic_config())
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return scripts.get_current_head(), known
