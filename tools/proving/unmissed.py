"""Holds what runs have shown against what a seed says its proof need not miss."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.content.exemptions import Exemption, exemptions
from tools.content.findings import Finding, did_you_mean
from tools.proving.controls import line_controls

if TYPE_CHECKING:
    from tools.content.seed_file import Seed
    from tools.proving.controls import Control


@dataclass(frozen=True, slots=True)
class Allowance:
    """The exemptions of a seed beside the line controls that it has."""

    path: str
    entries: Sequence[Exemption]
    candidates: Sequence[Control]
    """All line controls of the seed."""

    @classmethod
    def of(cls, seed: Seed) -> Allowance:
        """Read what a seed allows."""
        return cls(seed.path, exemptions(seed.proof), line_controls(seed))

    def covers(self, control: Control) -> bool:
        """Tell whether a statement, or one that it is a part of, is exempt."""
        return any(exempt.holds(control) for entry in self.entries for exempt in self._named(entry))

    def stale(self) -> Iterator[Finding]:
        """Yield the entries whose statement is gone."""
        for entry in self.entries:
            if not self._named(entry):
                known = {_first_line(control) for control in self.candidates}
                close = did_you_mean(entry.first_line, known)
                message = f"no statement of the solution begins so: {entry.first_line}{close}"
                yield Finding(self.path, entry.line, 1, "stale-exemption", message)

    def needless(self, missed: Collection[Control]) -> Iterator[Finding]:
        """Yield the entries all of whose statements the proof has missed."""
        for entry in self.entries:
            named = self._named(entry)
            if named and all(control in missed for control in named):
                message = f"the proof does miss {entry.first_line}; take the entry out"
                yield Finding(self.path, entry.line, 1, "needless-exemption", message)

    def _named(self, entry: Exemption) -> list[Control]:
        """Return the controls of all statements that read as the entry says."""
        return [one for one in self.candidates if _first_line(one) == entry.first_line]


def _first_line(control: Control) -> str:
    return control.statement.first_line if control.statement else ""
