"""What a proof need not miss, said in the seed's Proof section, outside of its fences.

    - unmissed: `log.info("sent")`: logging only, nothing reads it

The code is the first line of a statement, to the letter; what reads the same is meant as well. A
line that goes on, indented, belongs to the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.content.seed_file import Section

MARK = "- unmissed:"
FORM = f"{MARK} `the line to the letter`: the reason"
"""How an exemption is written."""
SHORTEST_REASON = 10
"""Characters that a reason has at least."""
_ENTRY = re.compile(r"- unmissed: (?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`): (?P<reason>.+)")


@dataclass(frozen=True, slots=True)
class Exemption:
    """A statement that the proof passes without, and why that is right; `line` of the seed."""

    first_line: str
    reason: str
    line: int


def exemptions(proof: Section) -> tuple[Exemption, ...]:
    """Return the exemptions of a Proof section that are in form."""
    return tuple(entry for line, text in _entries(proof) if (entry := _read(line, text)))


def ill_formed(proof: Section) -> Iterator[int]:
    """Yield the lines of the entries that cannot be read as exemptions."""
    return (line for line, text in _entries(proof) if _read(line, text) is None)


def _entries(proof: Section) -> Iterator[tuple[int, str]]:
    """Yield the entries of a section with their lines, each joined to one line."""
    entry: tuple[int, str] | None = None
    for line, text in proof.prose:
        if entry and text.startswith("  ") and text.strip():
            entry = entry[0], f"{entry[1]} {text.strip()}"
            continue
        if entry:
            yield entry
        entry = (line, text.rstrip()) if text.startswith(MARK) else None
    if entry:
        yield entry


def _read(line: int, text: str) -> Exemption | None:
    found = _ENTRY.fullmatch(text)
    if found is None or len(found["reason"].strip()) < SHORTEST_REASON:
        return None
    # CommonMark takes one blank off each end, so that code may begin or end with a backtick.
    code = re.sub(r"\A (.*\S.*) \Z", r"\1", found["code"])
    return Exemption(code, found["reason"].strip(), line)
