"""Starting a seed, through the command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.seeds import write_seed
from tools.content.corpus import check_file
from tools.new_seed import main

TITLE = 'dict.get returns "None" for a missing key in a price list'


def new(folder: Path, title: str = TITLE, tags: str = "python, dict", **kwargs: str) -> Result:
    arguments = ["--title", title, "--tags", tags, "--seeds-path", str(folder)]
    return CliRunner().invoke(main, [*arguments, "--category", "python"], **kwargs)


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A corpus of one seed."""
    write_seed(tmp_path, "python/answer")
    return tmp_path


def test_the_template_keeps_every_rule(seeds: Path) -> None:
    result = new(seeds)
    assert result.exit_code == 0, result.output
    path = seeds / "python/dict-get-returns-none-for-a-missing-key-in.md"
    assert f"Wrote {path}" in result.output
    checked = check_file(path, seeds)
    assert checked.seed and checked.seed.title == TITLE and checked.findings == []


def test_it_asks_for_what_is_not_given(seeds: Path) -> None:
    arguments = ["--seeds-path", str(seeds)]
    result = CliRunner().invoke(main, arguments, input=f"python\n{TITLE}\npython, dict\n")
    assert result.exit_code == 0, result.output
    assert len(list(seeds.rglob("*.md"))) == 2


@pytest.mark.parametrize(
    ("title", "tags", "rule"),
    [
        ("Too short", "python, dict", "title"),
        (TITLE, "Python", "tags"),
        ("The ANSWER is missing from the program", "python, x", "unique-title"),
    ],
)
def test_what_breaks_a_rule_is_not_written(seeds: Path, title: str, tags: str, rule: str) -> None:
    result = new(seeds, title, tags)
    assert result.exit_code == 1 and f"error[{rule}]" in result.output
    assert len(list(seeds.rglob("*.md"))) == 1


def test_a_seed_that_stands_is_not_overwritten(seeds: Path) -> None:
    new(seeds)
    path = seeds / "python/dict-get-returns-none-for-a-missing-key-in.md"
    path.write_text("mine")
    assert new(seeds).exit_code == 1
    assert path.read_text() == "mine"
