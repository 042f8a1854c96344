"""What a check has to say about a file: where, how bad, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "hint"]
MOST_SHOWN = 600
"""Characters of a message."""
LONGEST_WORD = 60
"""Characters of a word that can be a slip of the finger: comparing longer ones takes long."""
Problem = tuple[int, str]
"""A line, counted from 1, and what is wrong there; with a rule and a path it is a finding."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One problem of one file. Errors block a build, hints are only shown.

    `line` and `column` count from 1, from the top of the file.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    severity: Severity = "error"

    def __post_init__(self) -> None:
        """Keep the message one line of bounded length: it may quote what a stranger wrote."""
        object.__setattr__(self, "message", _one_line(self.message))

    def __str__(self) -> str:
        """Write the finding as compilers do, so that editors can jump to it."""
        place = f"{_one_line(self.path)}:{self.line}:{self.column}"
        return f"{place}: {self.severity}[{self.rule}]: {self.message}"


class SeedError(Exception):
    """Something is wrong with the content; `findings` says what, all of it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = sorted(findings)
        super().__init__("\n".join(map(str, self.findings)))


def counted(number: int, noun: str) -> str:
    """Return e.g. `1 seed` or `3 seeds`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` when a known word is close to `word`, else nothing."""
    if len(word) > LONGEST_WORD:
        return ""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _one_line(text: str) -> str:
    """Cut a text that is too long, and write out characters that a terminal would act upon."""
    if len(text) > MOST_SHOWN:
        text = f"{text[: MOST_SHOWN // 2]} … {text[-MOST_SHOWN // 3 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
