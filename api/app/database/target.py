"""Does a database have what a command needs?"""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import TargetError
from app.models import Base

Columns = Mapping[str, Sequence[str]]
"""Names of columns by the name of their table."""

MODEL_COLUMNS: Columns = {
    name: list(table.columns.keys()) for name, table in Base.metadata.tables.items()
}
"""All that the models have."""

_HAS_PGVECTOR = """
SELECT installed_version IS NOT NULL FROM pg_available_extensions WHERE name = 'vector'
"""
"""True: in this database; false: on this server; no row: not even there."""

_EXISTING_COLUMNS = text("""
    SELECT t.name, a.attname
    FROM unnest(CAST(:tables AS text[])) AS t(name)
    JOIN pg_attribute a ON a.attrelid = to_regclass(t.name)
    WHERE a.attnum > 0 AND NOT a.attisdropped
""")


async def check_target(connection: AsyncConnection, needs: Columns) -> None:
    """Check that the database has pgvector and the columns that a command needs.

    This looks at the tables, not at the version that migrations record: a target may have been set
    up by another application of which our tables are a part.

    Raises:
        TargetError: saying what is missing and what to do.
    """
    if not needs:
        return
    has_pgvector = await connection.scalar(text(_HAS_PGVECTOR))
    if has_pgvector is None:
        raise TargetError("the target's server has no pgvector; install that package on the server")
    if not has_pgvector:
        raise TargetError(
            "the target has no pgvector extension; run `make migrate`, or CREATE EXTENSION vector"
        )
    missing = await _missing_columns(connection, needs)
    if missing:
        more = f" and {len(missing) - 1} more columns" if missing[1:] else ""
        raise TargetError(
            f"the target has not been migrated, it lacks {missing[0]}{more}; run `make migrate`"
        )


async def _missing_columns(connection: AsyncConnection, needs: Columns) -> list[str]:
    rows = await connection.execute(_EXISTING_COLUMNS, {"tables": list(needs)})
    existing = {(table, column) for table, column in rows}
    return [
        f"{table}.{column}"
        for table, columns in needs.items()
        for column in columns
        if (table, column) not in existing
    ]
