"""`python -m app.migrate`: bring the target to the newest migration."""

import asyncio

import click
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.config import ROOT, load_settings
from app.errors import TargetError

MIGRATION_LOCK = 0x7EED_0001
"""Key of the advisory lock under which migrations run, so that two at once take turns."""


def alembic_config() -> Config:
    """Alembic's configuration, `api/alembic.ini`."""
    return Config(ROOT / "api" / "alembic.ini")


async def upgrade(connection: AsyncConnection, revision: str = "head") -> None:
    """Run the missing migrations up to `revision` in one transaction."""
    config = alembic_config()

    def run(sync_connection: object) -> None:
        config.attributes["connection"] = sync_connection
        command.upgrade(config, revision)

    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    await connection.run_sync(run)
    await connection.commit()


@click.command()
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(database_url: str | None) -> None:
    """Bring the target database to the newest migration."""
    asyncio.run(_migrate(database_url))


async def _migrate(database_url: str | None) -> None:
    from app.database import connected_engine, database_errors

    settings = load_settings(database_url=database_url)
    async with connected_engine(settings, needs={}) as engine, engine.connect() as connection:
        try:
            with database_errors("the migration failed and changed nothing"):
                await upgrade(connection)
        except CommandError as error:
            # E.g. the tables are kept by another application's migrations.
            raise TargetError(f"the migration changed nothing: {error}") from error
    click.echo("The target is at the newest migration.")


if __name__ == "__main__":
    main()
