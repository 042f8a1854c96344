"""The search command: what it prints, and how it ends."""

import os

import pytest
from app.search_cli import main
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.command import invoke
from tests.support.process import start
from tests.support.traces import add_traces

TRACES: list[dict[str, object]] = [
    {
        "title": "docker stop takes ten seconds",
        "context": "The container hangs and is killed.",
        "tags": ["docker", "signals"],
        "slug": "docker/a",
    },
    {"title": "useState shows the old value", "tags": ["react"], "slug": "react/b"},
]


@pytest.fixture(autouse=True)
async def traces(engine: AsyncEngine) -> None:
    """Two traces to find."""
    await add_traces(engine, TRACES)


async def test_it_prints_a_readable_list(database_url: str) -> None:
    result = await invoke(main, "--database-url", database_url, "docker", "stop")
    assert result.exit_code == 0
    assert "1. docker stop takes ten seconds" in result.output
    assert "docker/a" in result.output
    assert "The container hangs and is killed." in result.output
    assert "useState" not in result.output


async def test_it_says_so_when_nothing_is_found(database_url: str) -> None:
    result = await invoke(main, "--database-url", database_url, "best", "pizza")
    assert (result.exit_code, result.output) == (0, "Nothing found. Try fewer or other words.\n")


async def test_a_question_of_blanks_is_wrong_usage() -> None:
    result = await invoke(main, "  ")
    assert result.exit_code == 2
    assert "say what to look for" in result.output


async def test_a_reader_who_has_read_enough_is_no_error(database_url: str) -> None:
    reading, writing = os.pipe()
    arguments = ("-m", "app.search_cli", "--database-url", database_url, "docker stop")
    process = await start(*arguments, stdout=writing)
    os.close(writing)
    os.close(reading)
    _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (0, b"")
