"""Negative controls: runs of a proof with a piece of its solution left out, which must fail.

The piece is a file, or one statement of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from tools.content.findings import Finding
from tools.content.seed_file import Fence, Seed

if TYPE_CHECKING:
    from tools.proving.lines.statements import Statement

SHOWN = 80
"""Characters of a statement that a finding shows."""
CHECKERS = re.compile(r"\b(tsc|tsd|mypy|pyright|next build|--typecheck|vue-tsc)\b")
"""Commands that read types: where a proof runs one, declarations of types are statements."""


@dataclass(frozen=True, slots=True)
class Control:
    """A seed without one file of its solution, or without one statement of that file."""

    seed: Seed
    file: str
    statement: Statement | None = None
    """None: without the file."""

    @property
    def files(self) -> dict[str, str]:
        """The files of the seed that are left, as they are then."""
        files = self.seed.files
        text = files.pop(self.file)
        return files | {self.file: self.statement.left_out(text)} if self.statement else files

    @property
    def line(self) -> int:
        """The line of the seed where the piece begins; that of a file is where its fence opens."""
        if self.statement:
            return _line_of(self.seed, self.file, self.statement.start)
        return next(_fences(self.seed, self.file)).line

    @property
    def name(self) -> str:
        """What the run is called, as a name of a file."""
        name = self.file.replace("/", "_")
        return f"{name}.{self.line}.{self.rank[:3].hex()}" if self.statement else name

    @property
    def rank(self) -> bytes:
        """What decides whether it is chosen: nothing but the piece and whose it is."""
        piece = (self.statement.text, str(self.statement.occurrence)) if self.statement else ()
        return sha256("\0".join((self.seed.slug, self.file, *piece)).encode()).digest()

    @property
    def finding(self) -> Finding:
        """What to say when the proof passes."""
        rule, what = "superfluous-file", self.file
        if self.statement:
            first, rest = self.statement.first_line, "\n" in self.statement.text
            shown = first[:SHOWN] + ("…" if rest or len(first) > SHOWN else "")
            rule, what = "unmissed-line", f"this line: {shown}"
        return Finding(self.seed.path, self.line, 1, rule, f"the proof passes without {what}")

    def holds(self, other: Control) -> bool:
        """Tell whether the piece of another control is a part of this one's, or the same."""
        if self.file != other.file or self.statement is None or other.statement is None:
            return self.file == other.file and self.statement is None
        mine, its = self.statement, other.statement
        return mine.start <= its.start and its.end <= mine.end


def file_controls(seed: Seed) -> tuple[Control, ...]:
    """Return the controls of all files of a seed's solution."""
    return tuple(Control(seed, file) for file in seed.solution_files)


def line_controls(seed: Seed) -> tuple[Control, ...]:
    """Return the controls of all statements of a seed's solution, in their order."""
    from tools.proving.lines.statements import statements

    types = bool(CHECKERS.search(seed.command.code))
    return tuple(
        Control(seed, file, statement)
        for file in seed.solution_files
        for statement in statements(_language(seed, file), seed.files[file], types=types)
    )


def chosen(candidates: Sequence[Control], number: int | None) -> tuple[Control, ...]:
    """Choose at most `number` controls (None: all), whatever else the seed gains or loses."""
    lowest = sorted(candidates, key=lambda control: control.rank)[:number]
    return tuple(control for control in candidates if control in lowest)


def _line_of(seed: Seed, file: str, offset: int) -> int:
    """Return the line of the seed in which a character of a file stands."""
    for fence in _fences(seed, file):
        if offset < len(fence.code):
            return fence.line + 1 + fence.code.count("\n", 0, offset)
        offset -= len(fence.code)
    raise ValueError(f"{file} ends before that")


def _fences(seed: Seed, file: str) -> Iterator[Fence]:
    for fence in (*seed.solution.fences, *seed.proof.fences):
        if fence.title == file:
            yield fence


def _language(seed: Seed, file: str) -> str:
    return next(_fences(seed, file)).language
