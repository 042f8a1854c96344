"""What the tests of the import share: seeds to import, and looks at what was stored."""

import uuid
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.process import start
from tools.fixture.reader import SeedTrace
from tools.import_seeds import ImportResult, get_or_create_seed_user, import_seeds

Element = dict[str, Any]


def element(name: str = "one", **changes: Any) -> Element:
    """One element of a fixture."""
    return {
        "slug": f"python/{name}",
        "title": f"The title of the seed called {name}",
        "context": f"What goes wrong in {name}. ".ljust(250, "x"),
        "solution": f"What mends {name}. ".ljust(250, "x"),
        "tags": ["python", "asyncio"],
        "agent_model": "claude-opus-4-6",
        "agent_version": "1.0",
        "proven_with": {"pytest": "9.0"},
    } | changes


async def load(engine: AsyncEngine, *elements: Element, **options: bool) -> ImportResult:
    """Import elements."""
    return await import_seeds(engine, [SeedTrace.from_element(e) for e in elements], **options)


async def rows(engine: AsyncEngine, query: str, **parameters: Any) -> list[Any]:
    """Run a statement and commit; the rows that it gives, if any."""
    async with engine.begin() as connection:
        result = await connection.execute(text(query), parameters)
        return [*result.mappings()] if result.returns_rows else []


async def stored(engine: AsyncEngine) -> dict[str, Any]:
    """All rows of `traces` by title, each with its tags, and a version that any write changes."""
    found = await rows(
        engine,
        """
        SELECT t.*, t.xmin::text AS version,
            ARRAY(SELECT g.name FROM trace_tags tt JOIN tags g ON g.id = tt.tag_id
                  WHERE tt.trace_id = t.id ORDER BY g.name) AS tags
        FROM traces t
        """,
    )
    assert len({row["title"] for row in found}) == len(found)
    return {row["title"]: row for row in found}


async def only(engine: AsyncEngine) -> Any:
    """The one row of `traces`."""
    (row,) = (await stored(engine)).values()
    return row


async def embed_all(engine: AsyncEngine) -> None:
    """Give every trace a vector, as the worker would."""
    await rows(
        engine,
        "UPDATE traces SET embedding = array_fill(0.5, ARRAY[512])::vector, "
        "embedding_model_id = 'm', embedding_model_version = '1'",
    )


async def add_trace(engine: AsyncEngine, title: str, *, is_seed: bool, **columns: Any) -> uuid.UUID:
    """Insert a trace that no import has made; its id."""
    async with engine.begin() as connection:
        user = await get_or_create_seed_user(connection)
    values = {
        "title": title,
        "context_text": "by hand",
        "solution_text": "by hand",
        "contributor_id": user,
        "is_seed": is_seed,
        **columns,
    }
    (row,) = await rows(
        engine,
        f"INSERT INTO traces ({', '.join(values)}) VALUES ({', '.join(f':{v}' for v in values)}) "
        "RETURNING id",
        **values,
    )
    return uuid.UUID(str(row["id"]))


async def start_import(fixture: Path, url: str, **pipes: int) -> Process:
    """Start the command in a process of its own."""
    arguments = ("--fixtures-path", str(fixture), "--database-url", url)
    return await start("-m", "tools.import_seeds", *arguments, **pipes)
