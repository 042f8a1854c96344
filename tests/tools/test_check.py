"""The check, through its command: what it says of a seed that breaks a rule, and in which form."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from tools.check import main
from tools.paths import PROJECT

Check = Callable[..., Result]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """The command, run where a contributor runs it."""
    monkeypatch.chdir(PROJECT)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_the_command_shows_place_rule_and_what_would_be_right(check: Check) -> None:
    result = check("tests/rules/fence-language.md")
    assert result.exit_code == 1
    line = 'tests/rules/fence-language.md:19:1: error[fence-language]: unknown language "pyhton"'
    assert line in result.output and 'did you mean "python"?' in result.output


def test_annotations_for_github_name_file_and_line(check: Check) -> None:
    result = check("--format", "github", "tests/rules/title.md")
    assert "::error file=tests/rules/title.md,line=2,col=1,title=title::'KeyError'" in result.output


def test_json_is_a_list_of_findings(check: Check) -> None:
    findings = json.loads(check("--format", "json", "tests/rules/tags.md").stdout)
    assert ("tags", 3, "error") in [(f["rule"], f["line"], f["severity"]) for f in findings]


def test_a_path_that_does_not_exist_is_wrong_usage(check: Check) -> None:
    assert check("seeds/nowhere").exit_code == 2
