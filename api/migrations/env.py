"""What Alembic runs: migrations on the connection that it is given, or on the settings' target."""

import asyncio

from alembic import context
from app.config import load_settings
from app.database import connected_engine
from app.models import Base
from sqlalchemy import Connection


def run(connection: Connection) -> None:
    """Run the migrations that the command asks for."""
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


async def run_on_target() -> None:
    """For the `alembic` command: connect first."""
    settings = load_settings()
    async with connected_engine(settings, needs={}) as engine, engine.begin() as connection:
        await connection.run_sync(run)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_on_target())
