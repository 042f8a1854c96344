"""The command that proves: what it takes as a number of lines."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tools.prove import NumberOrAll, main


@pytest.mark.parametrize(("typed", "number"), [("0", 0), ("8", 8), ("all", None)])
def test_lines_are_a_number_or_all(typed: str, number: int | None) -> None:
    assert NumberOrAll().convert(typed, None, None) == number


@pytest.mark.parametrize("typed", ["-1", "some", "1.5", ""])
def test_anything_else_is_wrong_usage(typed: str) -> None:
    result = CliRunner().invoke(main, ["--lines", typed])
    assert result.exit_code == 2
    assert f'{typed} is neither a number nor "all"' in result.output
