"""The build, through its command: what it writes, what it refuses, and what it then says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from tests.support.seeds import CONTEXT, PROSE, seed_text, write_seed
from tools.build_fixtures import main
from tools.content.schema import fixture_schema
from tools.paths import FIXTURE, SAMPLES


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A folder with two good seeds."""
    folder = tmp_path / "seeds"
    write_seed(folder, "react/b", title="An effect that runs once too often")
    write_seed(folder, "python/a", title="A task that nobody waits for")
    return folder


def build(seeds: Path, output: Path, *options: str) -> Result:
    """Run the command as a user would."""
    return CliRunner().invoke(main, ["--seeds-path", str(seeds), "--output", str(output), *options])


def test_the_fixture_holds_the_seeds_sorted_by_slug_and_to_the_letter(seeds: Path) -> None:
    output = seeds.parent / "out.json"
    assert build(seeds, output).output == f"Compiled 2 seeds into {output}\n"
    text = output.read_text("utf-8")
    traces = json.loads(text)
    assert [trace["slug"] for trace in traces] == ["python/a", "react/b"]
    assert traces[0]["title"] == "A task that nobody waits for"
    assert traces[0]["solution"].endswith(
        '```python title="answer.py"\nANSWER = 42  # déjà vu\n```'
    )
    assert "Proof" not in text
    assert "déjà vu" in text and text.endswith("]\n") and '\n  {\n    "slug"' in text
    Draft202012Validator(fixture_schema()).validate(traces)


def test_the_same_seeds_give_the_same_bytes_whatever_the_order_of_the_folder(
    seeds: Path, tmp_path: Path
) -> None:
    first, second, copy = tmp_path / "1.json", tmp_path / "2.json", tmp_path / "copy"
    for path in sorted(seeds.rglob("*.md"), reverse=True):
        target = copy / path.relative_to(seeds)
        target.parent.mkdir(parents=True)
        target.write_bytes(path.read_bytes())
    build(seeds, first)
    build(copy, second)
    assert first.read_bytes() == second.read_bytes()


def test_a_build_that_changes_nothing_says_so_and_an_edit_is_noticed(seeds: Path) -> None:
    output = seeds.parent / "out.json"
    build(seeds, output)
    assert "current" in build(seeds, output).output
    path = seeds / "python/a.md"
    path.write_text(path.read_text("utf-8").replace("42  #", "43  #"), encoding="utf-8")
    assert "Compiled" in build(seeds, output).output
    assert "ANSWER = 43" in output.read_text("utf-8")
    output.write_text("[]\n")
    assert "Compiled" in build(seeds, output).output


def test_check_compares_and_writes_nothing(seeds: Path) -> None:
    output = seeds.parent / "out.json"
    missing = build(seeds, output, "--check")
    assert missing.exit_code == 1 and "run make fixtures" in missing.output
    assert not output.exists()
    build(seeds, output)
    assert build(seeds, output, "--check").exit_code == 0
    output.write_bytes(output.read_bytes() + b" ")
    assert build(seeds, output, "--check").exit_code == 1


def test_every_error_of_every_file_is_reported_and_the_old_fixture_stays(seeds: Path) -> None:
    output = seeds.parent / "out.json"
    output.write_text("the old one")
    good = seed_text()
    (seeds / "python/b.md").write_text(good.replace("agent_model", "agent_modle"))
    (seeds / "python/c.md").write_text(good.replace("## Proof", "## Evidence"))
    (seeds / "react/d.md").write_text(good.replace("tags: [python, asyncio]", "tags: [Python]"))
    result = build(seeds, output)
    assert result.exit_code == 1
    assert output.read_text() == "the old one"
    lines = result.output.splitlines()
    folder = seeds.as_posix()
    assert (
        f'{folder}/python/b.md:4:1: error[frontmatter-key]: unknown key "agent_modle"' in lines[1]
    )
    assert 'did you mean "agent_model"' in lines[1]
    assert f'{folder}/python/b.md:1:1: error[frontmatter-key]: "agent_model" is missing' in lines[0]
    assert lines[2].startswith(f"{folder}/python/c.md:20:1: error[sections]")
    assert sum(line.startswith(f"{folder}/react/d.md:3:1: error[tags]") for line in lines) == 2
    assert "5 problems found; nothing written" in result.output


@pytest.mark.parametrize(
    ("old", "new", "place", "rule"),
    [
        ("---\ntitle", "title", "1:1", "frontmatter"),
        ('"The answer', "The: answer", "2:1", "frontmatter"),
        ('"The answer is missing from the program"', "Too short", "2:1", "title"),
        ('title: "The', 'title: "A\\nThe', "2:1", "title"),
        ("[python, asyncio]", "[python]", "3:1", "tags"),
        ("[python, asyncio]", "[python, python]", "3:1", "tags"),
        ("[python, asyncio]", "[python, Asyncio]", "3:1", "tags"),
        ("[python, asyncio]", "[a1, a2, a3, a4, a5, a6]", "3:1", "tags"),
        ("[python, asyncio]", "python", "3:1", "tags"),
        ('"1.0"', "1.0", "5:1", "agent-version"),
        ('"1.0"', '"1.0"\nslug: x', "6:1", "frontmatter-key"),
        ('"1.0"', '"1.0"\ntags: [a1, b1]', "6:1", "frontmatter"),
        ("claude-opus-4-6", '""', "4:1", "agent-model"),
        ("\n## Context", "\nHello\n\n## Context", "8:1", "sections"),
        ("## Context", "## Contxt", "8:1", "sections"),
        ("## Solution", "## Proof", "12:1", "sections"),
        (CONTEXT, "Short.", "8:1", "context-length"),
        (CONTEXT, "Long. " * 250, "8:1", "context-length"),
        (PROSE, "Long. " * 900, "12:1", "solution-length"),
        ("```python title", "```pyhton title", "16:1", "fence-language"),
        ("```python title", "``` title", "16:1", "fence-language"),
        (' title="answer.py"', "", "16:1", "fence-title"),
        ('title="answer.py"', 'title="../answer.py"', "16:1", "file-name"),
        ('title="answer.py"', 'title="answer.py" titel="x"', "16:1", "fence-options"),
        ("```sh", '```sh needs="podman"', "22:1", "fence-options"),
        ("```sh", "```sh timeout=6000", "22:1", "fence-options"),
        ("```sh", "```python", "22:1", "proof-command"),
        ("```sh", '```sh title="run.sh"', "22:1", "proof-command"),
        ("## Proof\n", "## Proof\n\n    ls\n", "22:1", "indented-code"),
    ],
)  # fmt: skip
def test_each_fault_is_found_where_it_stands(
    seeds: Path, old: str, new: str, place: str, rule: str
) -> None:
    text = seed_text()
    assert old in text
    path = seeds / "testing/x.md"
    path.parent.mkdir()
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    output = seeds.parent / "out.json"
    result = build(seeds, output)
    assert result.exit_code == 1 and not output.exists()
    assert f"{path.as_posix()}:{place}: error[{rule}]: " in result.output


@pytest.mark.parametrize(
    ("content", "place", "rule"),
    [
        (b"\xff\xfe", "1:1", "encoding"),
        (seed_text().replace("\n", "\r\n").encode(), "1:1", "encoding"),
        (b"\xef\xbb\xbf" + seed_text().encode(), "1:1", "encoding"),
        (b"", "1:1", "frontmatter"),
        (b"---\n- a\n---\n", "2:1", "frontmatter"),
    ],
)
def test_a_file_that_is_no_seed_at_all_gives_a_line_too(
    seeds: Path, content: bytes, place: str, rule: str
) -> None:
    (seeds / "python/a.md").write_bytes(content)
    result = build(seeds, seeds.parent / "out.json")
    assert result.exit_code == 1
    assert f"python/a.md:{place}: error[{rule}]: " in result.output


def test_two_seeds_and_a_sample_may_not_share_a_title(seeds: Path) -> None:
    write_seed(seeds, "react/same", title="A task that NOBODY waits for")
    write_seed(seeds, "react/sample", title="Handling CORS in FastAPI for frontend integration")
    output = build(seeds, seeds.parent / "out.json").output
    assert "react/same.md:2:1: error[unique-title]" in output and "python/a.md already" in output
    assert "react/sample.md:2:1: error[unique-title]" in output and "sample traces" in output


def test_a_seed_belongs_into_a_known_category_under_a_plain_name(seeds: Path) -> None:
    for slug in ("reakt/x", "react/X_y"):
        write_seed(seeds, slug, title=f"A title for the seed {slug}")
    output = build(seeds, seeds.parent / "out.json").output
    assert 'reakt/x.md:1:1: error[category]: "reakt" is not' in output
    assert 'did you mean "react"?' in output
    assert "react/X_y.md:1:1: error[seed-name]" in output


def test_an_empty_folder_is_an_error_and_a_missing_one_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    assert build(tmp_path / "seeds", tmp_path / "out.json").exit_code == 1
    assert build(tmp_path / "nowhere", tmp_path / "out.json").exit_code == 2


def test_the_committed_fixture_is_what_the_seeds_give() -> None:
    result = CliRunner().invoke(main, ["--check"])
    assert result.exit_code == 0, result.output
    assert FIXTURE.read_text("utf-8").endswith("]\n")


def test_the_sample_traces_keep_the_form_of_the_fixture() -> None:
    samples = json.loads(SAMPLES.read_text("utf-8"))
    assert len(samples) == 12
    keys = {"title", "context", "solution", "tags", "agent_model", "agent_version"}
    assert all(set(sample) == keys for sample in samples)
    assert len({sample["title"] for sample in samples}) == 12
