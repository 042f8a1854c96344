"""The rules: each has a sample that breaks it and no other, and the good one breaks none."""

from __future__ import annotations

import re

import pytest

from tools.content.corpus import check_corpus
from tools.content.findings import SeedError
from tools.content.rules import catalogue, check_seed
from tools.content.seed_file import CATEGORIES, parse_seed
from tools.paths import PROJECT, SEEDS

SAMPLES = PROJECT / "tests" / "rules"
WITHOUT_SAMPLE = {"category", "seed-name", "unique-title", "near-neighbour"}
"""Rules about a seed's place among the others; the tests of the build have them."""


def rules_broken(name: str) -> set[str]:
    """The ids of the rules that a sample breaks."""
    text = (SAMPLES / f"{name}.md").read_bytes().decode("utf-8")
    try:
        return {finding.rule for finding in check_seed(parse_seed(text, f"{name}.md", "python/x"))}
    except SeedError as error:
        return {finding.rule for finding in error.findings}


@pytest.mark.parametrize("rule", sorted(catalogue().keys() - WITHOUT_SAMPLE))
def test_each_rule_has_a_sample_that_breaks_it_and_no_other(rule: str) -> None:
    assert rules_broken(rule) == {rule}


def test_the_good_sample_keeps_every_rule() -> None:
    assert rules_broken("good") == set()


def test_there_is_no_sample_without_a_rule() -> None:
    names = {path.stem for path in SAMPLES.glob("*.md")}
    assert names - {"good"} == catalogue().keys() - WITHOUT_SAMPLE


def test_no_seed_that_stands_breaks_a_rule() -> None:
    number, findings = check_corpus()
    assert number > 0 and findings == []


def test_a_hint_is_no_error_and_names_the_line() -> None:
    text = (SAMPLES / "destroys-data.md").read_text("utf-8")
    (finding,) = check_seed(parse_seed(text, "x.md", "python/x"))
    assert (finding.severity, finding.line) == ("hint", 26)


def test_the_table_in_contributing_is_the_catalogue() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \|$", text, re.MULTILINE)
    assert dict(rows) == catalogue()


def test_the_categories_are_the_folders() -> None:
    assert {path.name for path in SEEDS.iterdir()} == set(CATEGORIES)
