"""Migrations make the tables of the models, on any target, once."""

import asyncio

import asyncpg
import pytest
from alembic import command
from app.config import Settings
from app.database import connected_engine
from app.database.engine import create_engine
from app.database.migrations import alembic_config, upgrade
from app.migrate import main
from app.models import Trace
from app.models.search import SearchDocument
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.command import invoke
from tests.support.process import Ended, run


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in found}


async def test_the_command_makes_the_tables_once(empty_database_url: str) -> None:
    for _ in range(2):
        result = await invoke(main, "--database-url", empty_database_url)
        assert (result.exit_code, result.output) == (0, "The target is at the newest migration.\n")
    assert {"users", "traces", "tags", "trace_tags"} < await tables(empty_database_url)
    async with connected_engine(Settings(database_url=empty_database_url, _env_file=None)):
        pass


async def test_several_at_once_take_turns(empty_database_url: str) -> None:
    arguments = ("-m", "app.migrate", "--database-url", empty_database_url)
    for ended in await asyncio.gather(*(run(*arguments) for _ in range(3))):
        assert ended == Ended(0, "The target is at the newest migration.\n", "")


async def test_models_and_migrations_agree(database_url: str) -> None:
    """Asks the alembic command itself, as one who writes a migration would."""
    ended = await run("-m", "alembic", "-c", "api/alembic.ini", "check", DATABASE_URL=database_url)
    assert ended == Ended(0, "No new upgrade operations detected.\n", "")


async def test_migrations_can_be_undone(database_url: str) -> None:
    engine = create_engine(database_url)
    config = alembic_config()

    def downgrade(connection: object) -> None:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    async with engine.begin() as connection:
        await connection.run_sync(downgrade)
    assert await tables(database_url) == {"alembic_version"}
    async with engine.connect() as connection:
        await upgrade(connection)
    await engine.dispose()
    assert "traces" in await tables(database_url)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "CREATE TABLE traces (id uuid)",
            'the migration failed and changed nothing: relation "traces" already exists',
        ),
        (
            "CREATE TABLE alembic_version (version_num varchar(32));"
            "INSERT INTO alembic_version VALUES ('someone-elses')",
            "the migration changed nothing: Can't locate revision identified by 'someone-elses'",
        ),
    ],
)
async def test_a_target_of_another_application_stays_as_it_is(
    empty_database_url: str, statement: str, reason: str
) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(statement)
    await connection.close()
    before = await tables(empty_database_url)
    result = await invoke(main, "--database-url", empty_database_url)
    assert (result.exit_code, result.stderr) == (1, f"Error: {reason}\n")
    assert await tables(empty_database_url) == before


async def test_what_alembic_does_not_compare_agrees_too(engine: AsyncEngine) -> None:
    """The operators that an index serves, and how indexes and tables are stored."""
    (in_model,) = (i for i in Trace.__table__.indexes if i.name == "ix_traces_embedding_hnsw")
    options = in_model.dialect_options["postgresql"]
    assert options["ops"] == {"embedding": "vector_cosine_ops"}
    stored = ", ".join(f"{name}='{value}'" for name, value in options["with"].items())
    documents = SearchDocument.__table__.dialect_options["postgresql"]["with"]
    async with engine.connect() as connection:
        in_database = await connection.scalar(
            text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_traces_embedding_hnsw'")
        )
        table = await connection.scalar(
            text("SELECT reloptions FROM pg_class WHERE relname = 'search_documents'")
        )
    assert in_database.endswith(f"USING hnsw (embedding vector_cosine_ops) WITH ({stored})")
    assert table == [f"{name}={value}" for name, value in documents.items()]
