"""Finds the pieces of what tree-sitter has no parser for: nginx's directives, files of lines."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator

import crossplane

from tools.proving.lines.cuts import Piece, own_lines

LINE = re.compile(rb"^[^\s#;\[].*(?:\n[ \t]+\S.*)*\n?", re.MULTILINE)
"""A line that is no comment and no heading, with those indented below it."""


def lines(data: bytes) -> list[Piece]:
    """Return the lines of an INI file, of `.env`, of a list of patterns."""
    return [
        Piece(found.start(), found.end(), ((found.start(), found.end(), ""),))
        for found in LINE.finditer(data)
    ]


def directives(data: bytes) -> list[Piece]:
    """Return nginx's directives; a block is one only if it holds none."""
    pieces: list[Piece] = []
    begin: int | None = None
    open_blocks: list[tuple[int, int]] = []
    for word, start, end in _tokens(data):
        begin = start if begin is None else begin
        if word == "{":
            open_blocks.append((begin, len(pieces)))
        elif word == ";":
            pieces.append(_piece(data, begin, end))
        elif word == "}":
            begin, count = open_blocks.pop()
            if count == len(pieces):
                pieces.append(_piece(data, begin, end))
        if word in (";", "{", "}"):
            begin = None
    return pieces


def _piece(data: bytes, start: int, end: int) -> Piece:
    whole = own_lines(data, start, end)
    return Piece(start, end, ((*whole, ""),) if whole else ((start, end, ""),))


def _tokens(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield nginx's tokens with their places, which crossplane's lexer does not tell."""
    with tempfile.NamedTemporaryFile("wb", suffix=".conf") as file:
        file.write(data)
        file.flush()
        tokens = [(token, quoted) for token, _, quoted in crossplane.lex(file.name)]
    position = 0
    for token, quoted in tokens:
        start = data.index(token.encode(), position)
        position = start + len(token.encode())
        if quoted:
            yield "", start - 1, position + 1
        elif not token.startswith("#"):
            yield token, start, position
