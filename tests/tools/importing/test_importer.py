"""The import, from the fixture's bytes to the rows of a real database."""

import asyncio
import json
from pathlib import Path

import pytest
from app.config import Settings
from app.database import connected_engine
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.imports import (
    Element,
    add_trace,
    element,
    embed_all,
    load,
    only,
    rows,
    start_import,
    stored,
)
from tests.support.locks import locked, until_waiting
from tools.fixture.reader import FixtureError
from tools.import_seeds import ImportResult, get_or_create_seed_user

# What a first import writes


async def test_a_seed_becomes_a_validated_trace(engine: AsyncEngine) -> None:
    assert str(await load(engine, element())) == "1 inserted, 0 skipped"

    row = await only(engine)
    assert row["title"] == "The title of the seed called one"
    assert row["context_text"] == element()["context"]
    assert row["solution_text"] == element()["solution"]
    assert row["tags"] == ["asyncio", "python"]
    assert (row["status"], row["is_seed"]) == ("validated", True)
    assert (row["trust_score"], row["confirmation_count"]) == (1.0, 2)
    assert (row["agent_model"], row["agent_version"]) == ("claude-opus-4-6", "1.0")
    assert row["embedding"] is None
    assert row["metadata_json"]["slug"] == "python/one"
    assert row["metadata_json"]["proven_with"] == {"pytest": "9.0"}
    assert len(row["metadata_json"]["content_hash"]) == 64


async def test_the_id_is_the_same_in_every_database(engine: AsyncEngine) -> None:
    await load(engine, element())
    assert str((await only(engine))["id"]) == "99b1c313-8b1a-5338-ad1a-d197d1b0c4ba"


async def test_seeds_belong_to_the_seed_user(engine: AsyncEngine) -> None:
    await load(engine, element("one"), element("two"))
    (user,) = await rows(engine, "SELECT * FROM users")
    assert (user["email"], user["display_name"], user["is_seed"]) == (
        "seeds@commontrace.internal",
        "CommonTrace Seeds",
        True,
    )
    assert {row["contributor_id"] for row in (await stored(engine)).values()} == {user["id"]}


async def test_the_seed_user_is_made_once(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        first = await get_or_create_seed_user(connection)
        assert await get_or_create_seed_user(connection) == first


async def test_tags_that_differ_only_in_case_become_one(engine: AsyncEngine) -> None:
    await load(engine, element(tags=["Python", "python", " PYTHON "]))
    assert (await only(engine))["tags"] == ["python"]


async def test_an_existing_tag_is_used_again(engine: AsyncEngine) -> None:
    (tag,) = await rows(engine, "INSERT INTO tags (name) VALUES ('python') RETURNING id")
    await load(engine, element())
    names = await rows(engine, "SELECT id, name FROM tags ORDER BY name")
    assert [(row["name"], row["id"] == tag["id"]) for row in names] == [
        ("asyncio", False),
        ("python", True),
    ]


async def test_an_invalid_tag_is_an_error_and_not_dropped(engine: AsyncEngine) -> None:
    with pytest.raises(FixtureError, match="python/one: invalid tag 'c#'"):
        await load(engine, element(tags=["python", "C#"]))
    assert await stored(engine) == {}


# What a later import does


async def test_a_second_import_skips_all_and_touches_no_row(engine: AsyncEngine) -> None:
    await load(engine, element("one"), element("two"))
    before = await stored(engine)
    assert str(await load(engine, element("one"), element("two"))) == "0 inserted, 2 skipped"
    assert await stored(engine) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Another title for the seed called one"},
        {"context": "Another context. ".ljust(300, "y")},
        {"solution": "Another solution."},
        {"tags": ["python", "threads"]},
        {"tags": ["python", "asyncio", "threads"]},
        {"tags": ["asyncio", "trio"]},
    ],
    ids=lambda changes: f"{next(iter(changes))}-{len(str(changes))}",
)
async def test_an_edit_updates_the_row_in_place(engine: AsyncEngine, changes: Element) -> None:
    await load(engine, element("one"), element("two"))
    await embed_all(engine)
    before = await stored(engine)

    edited = element("one", **changes)
    assert str(await load(engine, edited, element("two"))) == "0 inserted, 1 skipped, 1 updated"

    after = await stored(engine)
    row = after[edited["title"]]
    assert row["id"] == before["The title of the seed called one"]["id"]
    assert row["context_text"] == edited["context"]
    assert row["solution_text"] == edited["solution"]
    assert row["tags"] == sorted(edited["tags"])
    assert row["embedding"] is None
    assert row["embedding_model_id"] is None
    assert row["embedding_model_version"] is None
    assert row["updated_at"] > row["created_at"]
    two = "The title of the seed called two"
    assert after[two] == before[two]
    assert str(await load(engine, edited, element("two"))) == "0 inserted, 2 skipped"


@pytest.mark.parametrize(
    "changes", [{"proven_with": {}}, {"agent_version": "1.1"}, {"agent_model": "other"}]
)
async def test_an_edit_beside_the_content_keeps_the_vector(
    engine: AsyncEngine, changes: Element
) -> None:
    await load(engine, element())
    await embed_all(engine)
    assert str(await load(engine, element(**changes))) == "0 inserted, 0 skipped, 1 updated"
    row = await only(engine)
    assert row["embedding"] is not None
    assert row["agent_version"] == changes.get("agent_version", "1.0")
    assert row["agent_model"] == changes.get("agent_model", "claude-opus-4-6")
    assert row["metadata_json"]["proven_with"] == changes.get("proven_with", {"pytest": "9.0"})


async def test_the_order_of_tags_is_no_change(engine: AsyncEngine) -> None:
    await load(engine, element(tags=["python", "asyncio"]))
    result = await load(engine, element(tags=["asyncio", "python"]))
    assert str(result) == "0 inserted, 1 skipped"


async def test_an_edit_in_the_database_is_mended(engine: AsyncEngine) -> None:
    await load(engine, element())
    await rows(engine, "UPDATE traces SET solution_text = 'vandalized'")
    assert str(await load(engine, element())) == "0 inserted, 0 skipped, 1 updated"
    assert (await only(engine))["solution_text"] == element()["solution"]


async def test_an_update_keeps_what_others_wrote(engine: AsyncEngine) -> None:
    await load(engine, element())
    await rows(
        engine,
        """
        UPDATE traces SET trust_score = 0.4, confirmation_count = 7, status = 'pending',
            metadata_json = (metadata_json::jsonb || '{"votes": 3}')::json
        """,
    )
    await load(engine, element(solution="Another solution."))
    row = await only(engine)
    assert (row["trust_score"], row["confirmation_count"], row["status"]) == (0.4, 7, "pending")
    assert row["metadata_json"]["votes"] == 3
    assert row["metadata_json"]["slug"] == "python/one"


# Identity


async def test_a_moved_seed_keeps_its_row(engine: AsyncEngine) -> None:
    await load(engine, element())
    await embed_all(engine)
    before = await only(engine)
    moved = element(slug="database/elsewhere")
    assert str(await load(engine, moved)) == "0 inserted, 0 skipped, 1 updated"
    row = await only(engine)
    assert (row["id"], row["metadata_json"]["slug"]) == (before["id"], "database/elsewhere")
    assert row["embedding"] is not None, "the content is the same"


async def test_a_new_seed_at_the_place_of_a_moved_one_is_another_row(engine: AsyncEngine) -> None:
    await load(engine, element())
    moved = element(slug="database/elsewhere")
    await load(engine, moved)
    newcomer = element(title="Quite another problem at the old place")
    assert str(await load(engine, moved, newcomer)) == "1 inserted, 1 skipped"
    assert str(await load(engine, moved, newcomer)) == "0 inserted, 2 skipped"
    assert len({row["id"] for row in (await stored(engine)).values()}) == 2


async def test_a_moved_seed_and_a_new_one_at_its_place_in_one_import(engine: AsyncEngine) -> None:
    """The slug goes first: the row at the slug becomes the newcomer's."""
    await load(engine, element())
    moved = element(slug="database/elsewhere")
    newcomer = element(title="Quite another problem at the old place")
    assert str(await load(engine, moved, newcomer)) == "1 inserted, 0 skipped, 1 updated"
    slugs = {title: row["metadata_json"]["slug"] for title, row in (await stored(engine)).items()}
    assert slugs == {moved["title"]: "database/elsewhere", newcomer["title"]: "python/one"}


async def test_two_seeds_may_swap_their_titles(engine: AsyncEngine) -> None:
    one, two = element("one"), element("two")
    await load(engine, one, two)
    before = await stored(engine)
    swapped = [one | {"title": two["title"]}, two | {"title": one["title"]}]
    assert str(await load(engine, *swapped)) == "0 inserted, 0 skipped, 2 updated"
    after = await stored(engine)
    assert after[two["title"]]["id"] == before[one["title"]]["id"]
    assert after[one["title"]]["id"] == before[two["title"]]["id"]
    assert after[two["title"]]["solution_text"] == element()["solution"]


async def test_a_trace_that_is_no_seed_is_not_touched(engine: AsyncEngine) -> None:
    """Not even one with a seed's title, slug and id."""
    await load(engine, element())
    await rows(engine, "UPDATE traces SET is_seed = false, solution_text = 'mine'")
    before = await only(engine)
    assert str(await load(engine, element(), prune=True)) == "1 inserted, 0 skipped"
    found = await rows(engine, "SELECT *, xmin::text AS version FROM traces ORDER BY is_seed")
    assert [row["is_seed"] for row in found] == [False, True]
    assert {**found[0], "tags": before["tags"]} == dict(before)


async def test_a_seed_row_without_a_slug_is_known_by_its_title(engine: AsyncEngine) -> None:
    known = await add_trace(engine, element()["title"], is_seed=True)
    assert str(await load(engine, element())) == "0 inserted, 0 skipped, 1 updated"
    row = await only(engine)
    assert (row["id"], row["solution_text"]) == (known, element()["solution"])
    assert row["metadata_json"]["slug"] == "python/one"


async def test_metadata_that_is_no_object_is_replaced(engine: AsyncEngine) -> None:
    await add_trace(engine, element()["title"], is_seed=True, metadata_json="[1, 2]")
    await load(engine, element())
    assert (await only(engine))["metadata_json"]["slug"] == "python/one"


async def test_of_two_rows_with_one_title_the_older_becomes_the_seed(engine: AsyncEngine) -> None:
    older = await add_trace(engine, element()["title"], is_seed=True)
    newer = await add_trace(engine, element()["title"], is_seed=True)
    assert str(await load(engine, element())) == "0 inserted, 0 skipped, 1 updated"
    assert str(await load(engine, element(), prune=True)) == "0 inserted, 1 skipped"
    found = {row["id"]: row for row in await rows(engine, "SELECT * FROM traces")}
    assert found[older]["solution_text"] == element()["solution"]
    assert found[newer]["solution_text"] == "by hand"


async def test_two_rows_with_one_slug_do_not_stop_an_import(engine: AsyncEngine) -> None:
    await load(engine, element())
    await rows(
        engine,
        """
        INSERT INTO traces
            (title, context_text, solution_text, contributor_id, metadata_json, is_seed)
        SELECT title, context_text, solution_text, contributor_id, metadata_json, true FROM traces
        """,
    )
    assert str(await load(engine, element())) == "0 inserted, 1 skipped"


# Seeds that are gone


async def test_a_row_whose_seed_is_gone_is_left_alone(engine: AsyncEngine) -> None:
    await load(engine, element("one"), element("two"))
    before = await stored(engine)
    assert str(await load(engine, element("one"))) == "0 inserted, 1 skipped"
    assert await stored(engine) == before


async def test_prune_deletes_it(engine: AsyncEngine) -> None:
    await load(engine, element("one"), element("two"))
    result = await load(engine, element("one"), prune=True)
    assert str(result) == "0 inserted, 1 skipped, 1 pruned"
    assert (await only(engine))["metadata_json"]["slug"] == "python/one"
    assert len(await rows(engine, "SELECT 1 FROM trace_tags")) == 2


async def test_prune_deletes_only_what_an_import_made(engine: AsyncEngine) -> None:
    await add_trace(engine, "A seed from elsewhere, of no import", is_seed=True)
    await add_trace(engine, "What a user wrote", is_seed=False, metadata_json='{"slug": "a/b"}')
    assert str(await load(engine, element(), prune=True)) == "1 inserted, 0 skipped"
    assert len(await stored(engine)) == 3


# Several at once, and the end of one


async def test_eight_imports_at_once_leave_what_one_leaves(settings: Settings) -> None:
    elements = [element(f"number-{n}", tags=["python", f"t{n}"]) for n in range(40)]

    async def one_import() -> ImportResult:
        async with connected_engine(settings) as engine:
            return await load(engine, *elements)

    results = await asyncio.gather(*(one_import() for _ in range(8)))
    assert sorted(map(str, results)) == ["0 inserted, 40 skipped"] * 7 + ["40 inserted, 0 skipped"]
    async with connected_engine(settings) as engine:
        assert len(await stored(engine)) == 40
        assert len(await rows(engine, "SELECT 1 FROM trace_tags")) == 80
        assert len(await rows(engine, "SELECT 1 FROM users")) == 1


async def test_an_import_killed_half_way_leaves_nothing(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps([element("one"), element("two")]))
    async with locked(engine, "trace_tags", "SHARE"):
        process = await start_import(fixture, database_url)
        # When it waits to write the tags of the traces, it has written the traces.
        await until_waiting(engine, 1)
        process.kill()
        await process.communicate()
    assert await stored(engine) == {}
    assert str(await load(engine, element("one"), element("two"))) == "2 inserted, 0 skipped"


# A target that another application owns


async def test_a_target_with_more_columns_and_tables(engine: AsyncEngine) -> None:
    for statement in (
        "ALTER TABLE traces ADD COLUMN trace_type varchar(20) NOT NULL DEFAULT 'episodic'",
        "ALTER TABLE traces ADD COLUMN flagged_at timestamptz",
        "ALTER TABLE traces ALTER COLUMN metadata_json TYPE jsonb",
        "ALTER TABLE users ADD COLUMN api_key_hash varchar(64)",
        "ALTER TABLE tags ADD COLUMN description text",
        "ALTER TABLE trace_tags DROP CONSTRAINT fk_trace_tags_trace_id_traces",
        "ALTER TABLE trace_tags ADD FOREIGN KEY (trace_id) REFERENCES traces (id)",
        "CREATE TABLE votes (trace_id uuid NOT NULL REFERENCES traces (id))",
        "CREATE TABLE plan (id int)",
        "DROP TABLE alembic_version, search_documents, search_terms",
    ):
        await rows(engine, statement)
    await load(engine, element("one"), element("two"))
    await rows(engine, "UPDATE traces SET trace_type = 'semantic', flagged_at = now()")
    before = await stored(engine)

    changed = element("one", solution="Another solution.")
    result = await load(engine, changed, prune=True)
    assert str(result) == "0 inserted, 0 skipped, 1 updated, 1 pruned"
    row = await only(engine)
    assert row["solution_text"] == "Another solution."
    assert row["trace_type"] == "semantic"
    assert row["flagged_at"] == before[row["title"]]["flagged_at"]


# How it goes about it


async def test_the_number_of_statements_does_not_grow(engine: AsyncEngine) -> None:
    async def statements(count: int) -> int:
        executed = []
        listener = (
            engine.sync_engine,
            "before_cursor_execute",
            lambda *args: executed.append(args),
        )
        event.listen(*listener)
        await load(engine, *(element(f"of-{count}-number-{n}") for n in range(count)))
        event.remove(*listener)
        return len(executed)

    assert await statements(2) == await statements(200) < 30


async def test_workers_are_told_when_something_changed(engine: AsyncEngine) -> None:
    told: list[str] = []
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.add_listener("traces_changed", lambda *args: told.append(args[2]))

        async def told_by(*elements: Element, **options: bool) -> int:
            before = len(told)
            await load(engine, *elements, **options)
            await raw.execute("SELECT 1")  # what was notified before comes with the answer
            return len(told) - before

        assert await told_by(element(), dry_run=True) == 0
        assert await told_by(element()) == 1
        assert await told_by(element()) == 0
        assert await told_by(element(solution="Another solution.")) == 1
