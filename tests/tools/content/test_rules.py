"""The rules: each has a sample that breaks it and no other, and the good one breaks none."""

from __future__ import annotations

import json
import re
import subprocess
import sys

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
    assert number > 0 and [str(f) for f in findings if f.severity == "error"] == []


def test_the_table_in_contributing_is_the_catalogue() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \|$", text, re.MULTILINE)
    assert dict(rows) == catalogue()


def test_the_categories_are_the_folders() -> None:
    assert {path.name for path in SEEDS.iterdir()} == set(CATEGORIES)


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a contributor does."""
    command = [sys.executable, "-m", "tools.check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)


def test_the_command_shows_place_rule_and_what_would_be_right() -> None:
    result = check("tests/rules/fence-language.md")
    assert result.returncode == 1
    line = 'tests/rules/fence-language.md:19:1: error[fence-language]: unknown language "pyhton"'
    assert line in result.stdout and 'did you mean "python"?' in result.stdout


def test_annotations_for_github_name_file_and_line() -> None:
    result = check("--format", "github", "tests/rules/title.md")
    assert "::error file=tests/rules/title.md,line=2,col=1,title=title::'KeyError'" in result.stdout


def test_json_is_a_list_of_findings() -> None:
    findings = json.loads(check("--format", "json", "tests/rules/tags.md").stdout)
    assert ("tags", 3, "error") in [(f["rule"], f["line"], f["severity"]) for f in findings]


def test_a_path_that_does_not_exist_is_wrong_usage() -> None:
    assert check("seeds/nowhere").returncode == 2
