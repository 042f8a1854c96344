"""`python -m tools.import_seeds`: what it prints, how it ends, and what it refuses."""

import asyncio
import json
import os
import pty
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from app.database.locks import AdvisoryLock
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.command import invoke
from tests.support.imports import element, load, rows, start_import, stored
from tests.support.locks import until_waiting
from tests.support.process import LONGEST_WAIT
from tools.import_seeds import main

Import = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Import:
    """Run the command on this test's database, with elements or with bytes as its fixture."""
    path = tmp_path / "fixture.json"

    async def run_import(fixture: Any, *options: str) -> Result:
        path.write_bytes(
            fixture if isinstance(fixture, bytes) else json.dumps(fixture, indent=2).encode()
        )
        arguments = ["--fixtures-path", str(path), "--database-url", database_url, *options]
        return await invoke(main, *arguments)

    return run_import


async def test_the_last_line_says_what_was_done(run: Import) -> None:
    one, two = element("one"), element("two")
    changed = element("one", solution="Another solution. " * 20)
    runs = [
        (await run([one, two])).stdout,
        (await run([one, two])).stdout,
        (await run([changed, two])).stdout,
        (await run([one], "--prune")).stdout,
    ]
    assert runs == [
        "Seed import complete: 2 inserted, 0 skipped\n",
        "Seed import complete: 0 inserted, 2 skipped\n",
        "Seed import complete: 0 inserted, 1 skipped, 1 updated\n",
        "Seed import complete: 0 inserted, 0 skipped, 1 updated, 1 pruned\n",
    ]


async def test_a_dry_run_prints_every_change_and_writes_nothing(
    run: Import, engine: AsyncEngine
) -> None:
    kept, edited, gone = element("kept"), element("edited"), element("gone")
    await load(engine, kept, edited, gone)
    before = await stored(engine)
    edited |= {"title": "A better title for the edited seed", "tags": ["python", "trio"]}

    result = await run([kept, edited, element("new")], "--dry-run", "--prune")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "insert python/new: The title of the seed called new",
        "prune python/gone: The title of the seed called gone",
        "update python/edited: A better title for the edited seed (title, tags, metadata)",
        "Nothing written; an import would give: 1 inserted, 1 skipped, 1 updated, 1 pruned",
    ]
    assert await stored(engine) == before
    assert [row["name"] for row in await rows(engine, "SELECT name FROM tags ORDER BY name")] == [
        "asyncio",
        "python",
    ]


async def test_a_dry_run_on_an_empty_target_makes_no_user(run: Import, engine: AsyncEngine) -> None:
    result = await run([element()], "--dry-run")
    assert result.stdout.endswith("1 inserted, 0 skipped\n")
    assert await rows(engine, "SELECT id FROM users") == []


async def test_tags_of_a_fixture_are_normalized(run: Import, engine: AsyncEngine) -> None:
    result = await run([element(tags=["Python", "python", " AsyncIO"])])
    assert result.stdout == "Seed import complete: 1 inserted, 0 skipped\n"
    (row,) = (await stored(engine)).values()
    assert row["tags"] == ["asyncio", "python"]


def without(field: str) -> dict[str, Any]:
    """An element that lacks a field."""
    return {name: value for name, value in element("two").items() if name != field}


BROKEN = {
    "empty file": (b"", r":1:1: not valid JSON: Expecting value"),
    "cut off": (b'[{"slug": "python/one",\n "ti', r":2:2: not valid JSON"),
    "not UTF-8": (b'[{"title": "caf\xe9"}]', r": byte 15 is not UTF-8"),
    "not an array": ({"slug": "a/b"}, r": the file: .*; expected an array of seeds"),
    "no seeds": ([], r": the file: .*; expected an array of seeds, at least one"),
    "no object": ([element(), 7], r": \[1\]: 7 is not of type \"object\"; expected an object"),
    "field missing": (
        [element(), without("tags")],
        r"\[1\] \(python/two\): \"tags\" is a required",
    ),
    "unknown field": ([element(extra=1)], r"\[0\] \(python/one\): .*'extra' was unexpected"),
    "wrong type": ([element(context=None)], r"\[0\]\.context \(python/one\): null is not of type"),
    "title too short": ([element(title="Short")], r"\[0\]\.title .*25 to 100 characters"),
    "context too long": ([element(context="x" * 1201)], r"\[0\]\.context .*200 to 1200 characters"),
    "solution too long": ([element(solution="x" * 5001)], r"\[0\]\.solution .*200 to 5000 char"),
    "blank solution": ([element(solution=" \n ")], r"\[0\]\.solution .*200 to 5000 characters"),
    "slug without category": ([element(slug="one")], r"\[0\]\.slug \(one\): .*category/name"),
    "slug with parents": ([element(slug="../one")], r"\[0\]\.slug \(\.\./one\): .*category/name"),
    "one tag": ([element(tags=["python"])], r"\[0\]\.tags .*; expected 2 to 5 different tags"),
    "invalid tag": ([element(tags=["python", "c#"])], r"\[0\]\.tags\[1\] .*\"c#\" does not match"),
    "long tag": ([element(tags=["python", "x" * 51])], r"\[0\]\.tags\[1\] .*at most 50 of them"),
    "tag no text": ([element(tags=["python", 3])], r"\[0\]\.tags\[1\] .*: 3 is not of type"),
    "version no text": ([element(proven_with={"a": 1})], r"\[0\]\.proven_with\.a .*: 1 is not"),
    "NUL": ([element(solution="a\0b")], r"\[0\]\.solution \(python/one\): .*can be seen"),
    "half a surrogate pair": (
        json.dumps([element(), element("two", context="\ud800" * 300)]).encode(),
        r"\[1\] \(python/two\): holds half a surrogate pair",
    ),
    "half a pair in a slug": ([element(slug="\ud800")], r"\[0\]: holds half a surrogate pair"),
    "slug twice": (
        [element("one"), element("two", slug="python/one")],
        r"\[0\]\.slug .*stands more than once\n.*\[1\]\.slug .*stands more than once",
    ),
    "title twice": (
        [element("one"), element("two", title=element("one")["title"])],
        r"\[0\]\.title .*stands more than once\n.*\[1\]\.title .*stands more than once",
    ),
    "deeply nested": (b"[" * 100_000, r": nested too deeply"),
    "not a number": (b'[{"slug": NaN}]', r"\[0\]"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_fixture_gives_a_line_and_writes_nothing(
    run: Import, engine: AsyncEngine, name: str
) -> None:
    await load(engine, element("kept"))
    before = await stored(engine)
    fixture, message = BROKEN[name]

    result = await run(fixture, "--prune")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.search(message, result.stderr), result.stderr
    assert result.stderr.startswith("Error: ")
    assert "fixture.json" in result.stderr
    assert all(len(line.partition(".json")[2]) < 250 for line in result.stderr.splitlines())
    assert await stored(engine) == before


async def test_every_problem_is_named_up_to_a_limit(run: Import) -> None:
    result = await run([element(f"number-{n}", title="Short") for n in range(15)])
    assert result.stderr.count("fixture.json: [") == 15
    result = await run([element(f"number-{n}", title="Short") for n in range(50)])
    assert result.stderr.count("fixture.json: [") == 20
    assert result.stderr.endswith("fixture.json: and 30 more\n")


def test_a_missing_fixture_says_how_to_make_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--fixtures-path", str(tmp_path / "none.json")])
    assert result.exit_code == 1
    assert "none.json: No such file or directory; run `make fixtures`" in result.stderr


def test_an_unknown_option_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["--purge"]).exit_code == 2


async def test_a_target_that_refuses_gives_a_line_and_keeps_its_rows(
    run: Import, engine: AsyncEngine
) -> None:
    await load(engine, element("one"), element("two"))
    await rows(engine, "CREATE TABLE votes (trace_id uuid REFERENCES traces (id))")
    await rows(engine, "INSERT INTO votes SELECT id FROM traces")
    before = await stored(engine)

    result = await run([element("three")], "--prune")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the import failed, nothing was written: ")
    assert 'table "votes"' in result.stderr
    assert await stored(engine) == before


async def test_a_slow_import_shows_progress_on_a_terminal(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps([element()]))
    terminal, stderr = pty.openpty()
    shown = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(shown), os.fdopen(terminal, "rb", buffering=0)
    )
    with closing(transport):
        async with another_import(engine), asyncio.timeout(LONGEST_WAIT):
            process = await start_import(fixture, database_url, stderr=stderr)
            os.close(stderr)
            await shown.readuntil(b"Waiting for other imports")
        stdout, _ = await process.communicate()
    assert stdout.decode() == "Seed import complete: 1 inserted, 0 skipped\n"


async def test_without_a_terminal_there_is_no_progress(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps([element()]))
    async with another_import(engine):
        process = await start_import(fixture, database_url)
        await until_waiting(engine, 1)
    assert await process.communicate() == (b"Seed import complete: 1 inserted, 0 skipped\n", b"")


@asynccontextmanager
async def another_import(engine: AsyncEngine) -> AsyncIterator[None]:
    """Meanwhile another import holds the lock of imports."""
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.IMPORT})"))
        yield
