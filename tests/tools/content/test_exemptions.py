"""What a seed exempts from its controls: how it is written, and what is no exemption."""

from __future__ import annotations

import pytest

from tests.support.seeds import PROOF, seed_text
from tools.content.exemptions import exemptions
from tools.content.rules import check_seed, exemption_form
from tools.content.seed_file import Seed, parse_seed

GOOD = "- unmissed: `log()`: a word, nothing reads it"


def seed(entry: str) -> Seed:
    return parse_seed(seed_text(proof=f"{entry}\n\n{PROOF}"), "seeds/python/x.md", "python/x")


def test_an_exemption_has_a_statement_a_reason_and_a_line() -> None:
    mine = seed("Some words.\n\n- unmissed: `log()`: a word for whoever\n  watches, no more")
    (entry,) = exemptions(mine.proof)
    assert entry.first_line == "log()"
    assert entry.reason == "a word for whoever watches, no more"
    assert mine.text.split("\n")[entry.line - 1].startswith("- unmissed:")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (GOOD, "log()"),
        ("- unmissed: ``log(`a`)``: a word, nothing reads it", "log(`a`)"),
        ("- unmissed: `` `log` ``: a word, nothing reads it", "`log`"),
        ("- unmissed: `a: b`: `c`: a default said aloud", "a: b"),
    ],
)
def test_the_statement_stands_as_code(entry: str, code: str) -> None:
    assert [one.first_line for one in exemptions(seed(entry).proof)] == [code]


@pytest.mark.parametrize(
    "entry",
    [
        "- unmissed: `log()`",
        "- unmissed: `log()`: too short",
        "- unmissed: log(): a word, nothing reads it",
        "- unmissed: `log(): a word, nothing reads it",
    ],
)
def test_what_is_not_in_form_is_a_finding_at_its_line(entry: str) -> None:
    mine = seed(f"{GOOD}\n{entry}")
    assert len(exemptions(mine.proof)) == 1
    (finding,) = check_seed(mine, [exemption_form])
    assert mine.text.split("\n")[finding.line - 1] == entry


@pytest.mark.parametrize(
    "text", ["- another list: `x`: is no exemption", '```sh title="a.sh"\n- unmissed: x\n```']
)
def test_other_lists_and_fences_hold_none(text: str) -> None:
    mine = seed(text)
    assert exemptions(mine.proof) == () and check_seed(mine, [exemption_form]) == []


def test_entries_one_below_the_other_are_two() -> None:
    assert len(exemptions(seed(f"{GOOD}\n- unmissed: `send()`: nobody listens here").proof)) == 2
