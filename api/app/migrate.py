"""`python -m app.migrate`: bring the target to the newest migration."""

import asyncio

import click

from app.config import load_settings
from app.database import connected_engine
from app.database.errors import database_errors
from app.database.migrations import upgrade


@click.command()
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(database_url: str | None) -> None:
    """Bring the target database to the newest migration."""
    asyncio.run(_migrate(database_url))
    click.echo("The target is at the newest migration.")


async def _migrate(database_url: str | None) -> None:
    settings = load_settings(database_url=database_url)
    async with connected_engine(settings, needs={}) as engine, engine.connect() as connection:
        with database_errors("the migration failed and changed nothing"):
            await upgrade(connection)


if __name__ == "__main__":
    main()
