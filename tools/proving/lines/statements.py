"""The statements of a file, and its text with one of them left out.

A statement is the smallest piece without which the file still parses in its language, and whose
absence the program could notice. What that is:

- Python, JavaScript, TypeScript: an expression, assignment, `return`, `raise`, directive
  (`"use client"`), decorator, class field; a keyword argument, dictionary entry, property, JSX
  attribute; a link of a chain of calls (`.strict()`); what `and` or `or` joins, an element of a
  list, a JSX child where it begins a line; the header of a `with` without `as`.
- SQL: a statement; a clause (`WHERE`, `ORDER BY`, `ON CONFLICT`, `FOR UPDATE`); a column or
  constraint that begins a line; a statement of PL/pgSQL.
- Shell: a command with what it pipes and joins. Dockerfile: an instruction, an option. nginx: a
  directive. YAML, TOML, JSON: a key, an item; in YAML's `run: |` a command of the shell.
- `.env`, INI, ignore files: a line.

A compound statement (`def`, `if`, `for`, `try`, a callback) is left out piece by piece: the whole
would tell nothing that its pieces do not. `elif`, `except`, `case` go as a whole, too, since what
they catch goes elsewhere then; `else` and `finally` do not. A block that is left empty gets `pass`,
`{}` or `:`, a `try` that is left alone an empty `finally`.

None are: comments, blank lines, docstrings, brackets, annotations, what only a type checker reads
(`interface`, `type`, `declare`, a field without value; with `types` these count), imports whose
names the file uses (the statements that use them fail without, and tell more), `from __future__`,
`if TYPE_CHECKING`, the `name:` of a workflow's steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from tools.content.syntax import fault_in
from tools.proving.lines import plain
from tools.proving.lines.cuts import Piece
from tools.proving.lines.grammars import GRAMMARS
from tools.proving.lines.pieces import pieces_of
from tools.proving.lines.trees import faults, programs

PLAIN: dict[str, Callable[[bytes], list[Piece]]] = {
    "nginx": plain.directives,
    "ini": plain.lines,
    "env": plain.lines,
    "properties": plain.lines,
    "gitignore": plain.lines,
}
"""The languages that tree-sitter does not parse."""
SLOW = ("js", "mjs", "cjs", "jsx", "ts", "tsx")
"""Languages whose second parser is a process of its own: tree-sitter's word is enough."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of a file; offsets are characters, lines count from 1."""

    text: str
    """The piece to the letter, without blanks around it."""
    occurrence: int
    """Which one it is among those of the file that read the same, from 0."""
    start: int
    """Where the piece begins."""
    line: int
    last_line: int
    cut: tuple[int, int]
    """What goes when it is left out: perhaps a comma or whole lines more than the piece."""
    filler: str
    """What stands there then, where the language wants something to stand."""

    @property
    def end(self) -> int:
        """Where the piece ends."""
        return self.start + len(self.text)

    @property
    def first_line(self) -> str:
        """The first line of the text: how people name the statement."""
        return self.text.partition("\n")[0].rstrip()

    def left_out(self, file: str) -> str:
        """Return the text of its file without it."""
        start, end = self.cut
        return file[:start] + self.filler + file[end:]


def statements(language: str, text: str, *, types: bool = False) -> tuple[Statement, ...]:
    """Return the statements of a file in their order; none where the language is not known.

    Without any one of them the file parses as well as it does now. `types` counts what only a type
    checker reads, too, for proofs that run one.
    """
    data = text.encode()
    seen: Counter[str] = Counter()
    found = {piece.cuts: piece for piece in _cuttable(language, data, types=types)}
    answer = []
    for piece in sorted(found.values(), key=lambda piece: (piece.start, -piece.end)):
        words = data[piece.start : piece.end].decode().strip()
        answer.append(_statement(data, piece, words, seen[words]))
        seen[words] += 1
    return tuple(answer)


def _statement(data: bytes, piece: Piece, text: str, occurrence: int) -> Statement:
    ((first, last, filler),) = piece.cuts
    line = data.count(b"\n", 0, piece.start) + 1
    return Statement(
        text=text,
        occurrence=occurrence,
        start=_characters(data, piece.start),
        line=line,
        last_line=line + text.count("\n"),
        cut=(_characters(data, first), _characters(data, last)),
        filler=filler,
    )


def _characters(data: bytes, offset: int) -> int:
    return len(data[:offset].decode())


def _cuttable(language: str, data: bytes, *, types: bool) -> Iterator[Piece]:
    """Yield the pieces that can be left out, each with the first cut that leaves it parsing."""
    most = _faults(language, data)
    for piece in _pieces(language, data, types=types):
        for start, end, filler in piece.cuts:
            if _faults(language, data[:start] + filler.encode() + data[end:]) <= most:
                yield replace(piece, cuts=((start, end, filler),))
                break


def _pieces(language: str, data: bytes, *, types: bool) -> list[Piece]:
    if language in GRAMMARS:
        return pieces_of(language, data, types=types)
    return PLAIN[language](data) if language in PLAIN else []


@lru_cache(maxsize=1024)
def _faults(language: str, data: bytes) -> int:
    """Count what does not parse, in the file and in the programs within it."""
    count = faults(language, data)
    count += language not in SLOW and fault_in(language, data.decode()) is not None
    count += language == "dockerfile" and not _begins_with_from(data)
    return count + sum(_faults(*program) for program in programs(language, data))


def _begins_with_from(dockerfile: bytes) -> bool:
    """Tell whether nothing but ARG stands before the first FROM, as Docker demands."""
    words = re.findall(rb"^[ \t]*([A-Za-z]+)\b", dockerfile, re.MULTILINE)
    return next((word.upper() for word in words if word.upper() != b"ARG"), b"") == b"FROM"
