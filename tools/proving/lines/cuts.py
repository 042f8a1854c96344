"""Bytes that can be left out of a file, and the ways to do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

OWN_LINES = re.compile(rb"[ \t]*[;,]?[ \t]*(?:(?:#|//|--)[^\n]*)?(?:\n|\Z)")
"""What may follow a piece that has its lines to itself."""
SEPARATOR = re.compile(rb"[ \t]*(?:;(?!;)|,)?[ \t]*")
"""What goes with a piece that stands among others on a line."""

Cut = tuple[int, int, str]
"""Bytes from, bytes to, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file, and the ways to leave them out, the best first."""

    start: int
    end: int
    cuts: tuple[Cut, ...]
    whole: bool = False
    """Whether it is a statement rather than a part of one."""

    def moved(self, by: int) -> Piece:
        """Return the piece `by` bytes further on."""
        cuts = tuple((start + by, end + by, filler) for start, end, filler in self.cuts)
        return replace(self, start=self.start + by, end=self.end + by, cuts=cuts)


def cuts_of(data: bytes, start: int, end: int) -> Iterator[Cut]:
    """Yield the ways to leave bytes out without anything in their place, the best first."""
    if lines := own_lines(data, start, end):
        yield *lines, ""
    before = data[:start].rstrip()
    if before.endswith(b",") and not re.match(rb"\s*,", data[end:]):
        yield len(before) - 1, end, ""  # the last of a list takes the comma before it
    yield start, _past_separator(data, end), ""
    yield start, end, ""


def own_lines(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return the lines that bytes have to themselves, but for a comment behind them."""
    found = OWN_LINES.match(data, end) if begins_line(data, start) else None
    return (data.rfind(b"\n", 0, start) + 1, found.end()) if found else None


def begins_line(data: bytes, start: int) -> bool:
    """Tell whether nothing but blanks stands before a byte on its line."""
    return not data[data.rfind(b"\n", 0, start) + 1 : start].strip()


def _past_separator(data: bytes, position: int) -> int:
    found = SEPARATOR.match(data, position)
    return found.end() if found else position
