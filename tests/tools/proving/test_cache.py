"""What a remembered run depends on, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.seeds import PROOF, seed_text
from tools.content.seed_file import Seed, parse_seed
from tools.paths import PROJECT
from tools.proving.cache import NO_PART, Cache
from tools.proving.controls import file_controls, line_controls
from tools.proving.sandbox import Outcome

PASSED = Outcome(0, 1.5, "much output")
FAILED = Outcome(1, 0.5, "")


def seed(slug: str = "python/x", **changes: str) -> Seed:
    return parse_seed(seed_text(**changes), f"seeds/{slug}.md", slug)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache of runs by code that the test may change."""
    code = tmp_path / "code"
    code.mkdir()
    for name in ("sandbox.py", "report.py"):
        (code / name).write_text("1")
    return Cache(tmp_path / "cache", "pins", code)


def test_each_run_of_a_seed_is_remembered_by_itself(cache: Cache) -> None:
    (file,), (line,) = file_controls(seed()), line_controls(seed())
    cache.remember(seed(), None, PASSED)
    cache.remember(seed(), line, FAILED)
    assert cache.outcome_of(seed()) == Outcome(0, 1.5, "")
    assert cache.outcome_of(seed(), line) == Outcome(1, 0.5, "")
    assert cache.outcome_of(seed(), file) is None


def test_a_proof_that_failed_is_not_remembered(cache: Cache) -> None:
    cache.remember(seed(), None, FAILED)
    assert cache.outcome_of(seed()) is None


def test_neither_a_name_nor_prose_is_a_part_of_a_run(cache: Cache) -> None:
    cache.remember(seed(), None, PASSED)
    other = seed("python/y", context="Other words. " * 20, proof=f"Words.\n\n{PROOF}")
    assert cache.outcome_of(other)


@pytest.mark.parametrize("old, new", [("== 42", "> 41"), ("```sh", "```sh timeout=9")])
def test_the_command_and_its_options_are(cache: Cache, old: str, new: str) -> None:
    cache.remember(seed(), None, PASSED)
    assert not cache.outcome_of(seed(proof=PROOF.replace(old, new)))


@pytest.mark.parametrize(("module", "known"), [("report.py", True), ("sandbox.py", False)])
def test_so_is_the_code_that_makes_a_run_but_not_what_tells_of_it(
    cache: Cache, module: str, known: bool
) -> None:
    cache.remember(seed(), None, PASSED)
    (cache.code / module).write_text("2")
    assert bool(cache.outcome_of(seed())) is known


def test_the_modules_that_play_no_part_are_there() -> None:
    assert {path.name for path in (PROJECT / "tools/proving").glob("*.py")} > NO_PART
