"""Exemptions beside what a seed has and what its runs have shown."""

from __future__ import annotations

from tests.support.seeds import seed_text
from tools.content.exemptions import exemptions
from tools.content.seed_file import Seed, parse_seed
from tools.proving.controls import line_controls
from tools.proving.unmissed import Allowance

SOLUTION = """\
```python title="app.py"
log("sent", level=1)
log("read")
pay()
pay()
```"""


def seed(*lines: str) -> Seed:
    """A seed that exempts the statements that begin so."""
    entries = "\n".join(f"- unmissed: `{line}`: nothing here reads it" for line in lines)
    text = seed_text(solution=SOLUTION, proof=f"{entries}\n\n```sh\npython app.py\n```")
    return parse_seed(text, "seeds/python/x.md", "python/x")


def allowance(*lines: str) -> Allowance:
    mine = seed(*lines)
    return Allowance(mine.path, exemptions(mine.proof), line_controls(mine))


def covered(allowed: Allowance) -> list[str]:
    return [
        one.statement.text for one in allowed.candidates if one.statement and allowed.covers(one)
    ]


def test_an_exemption_covers_the_statement_and_its_parts() -> None:
    assert covered(allowance('log("sent", level=1)')) == ['log("sent", level=1)', "level=1"]
    assert covered(allowance("level=1")) == ["level=1"]


def test_an_exemption_covers_all_that_reads_the_same() -> None:
    assert covered(allowance("pay()")) == ["pay()", "pay()"]


def test_an_exemption_whose_statement_is_gone_is_stale_and_says_what_was_meant() -> None:
    mine = allowance('log("read")', 'log("raed")', "beep()")
    first, second = mine.stale()
    assert first.rule == "stale-exemption" and first.line == mine.entries[1].line
    assert first.message.endswith('did you mean "log("read")"?')
    assert second.message == "no statement of the solution begins so: beep()"


def test_an_exemption_is_needless_when_the_proof_misses_all_that_it_names() -> None:
    mine = allowance("pay()", 'log("read")')
    first, second = (one for one in mine.candidates if one.finding.message.endswith("pay()"))
    assert list(mine.needless([first])) == []
    (finding,) = mine.needless([first, second])
    assert (finding.rule, finding.line) == ("needless-exemption", mine.entries[0].line)
