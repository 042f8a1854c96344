"""Trees of files as tree-sitter parses them, and of the programs within them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from tree_sitter import Node

from tools.proving.lines.grammars import GRAMMARS

Mask = tuple[bytes, bytes]
"""A pattern, and what stands for what it finds, widened to as many bytes."""
MASKS: Mapping[str, tuple[Mask, ...]] = {
    # psql's own commands are no SQL: `\gexec` ends a statement, the others stand alone.
    "sql": (
        (rb"\\g\w*", b";"),
        (rb"(?m)^\\.*$|(?<=;)[ \t]*\\.*$", b""),
        (rb"""(?<![:\w\]]):(?=["'])""", b""),
        (rb"""(?<![:\w\]]):(?=[A-Za-z_])""", b"_"),
    ),
    # GitHub replaces its expressions before the shell sees them.
    "sh": ((rb"\$\{\{.*?\}\}", b"x"),),
}
"""What is not of a language, by the language that it stands in."""


def root_of(language: str, data: bytes) -> Node:
    """Parse a file and return the root of its tree."""
    for pattern, mask in MASKS.get(language, ()):
        data = re.sub(pattern, partial(_widened, mask), data)
    return GRAMMARS[language].parser.parse(data).root_node


def faults(language: str, data: bytes) -> int:
    """Count the places of a file that tree-sitter cannot parse; none of a language it lacks."""
    if language not in GRAMMARS:
        return 0
    root = root_of(language, data)
    return sum(map(_is_fault, walk(root))) if root.has_error or b"try" in data else 0


def programs(language: str, data: bytes) -> list[tuple[str, bytes]]:
    """Return the programs in other languages within a file, with their languages."""
    injected = GRAMMARS[language].injected if language in GRAMMARS else {}
    if not injected:
        return []
    nodes = [node for node in walk(root_of(language, data)) if node.type in injected]
    places = [(injected[node.type], program_within(node)) for node in nodes]
    return [(name, data[place[0] : place[1]]) for name, place in places if place]


def program_within(node: Node) -> tuple[int, int] | None:
    """Return where the program within a node begins and ends."""
    data = node.text or b""
    if node.type == "dollar_quoted_string":
        tag = data.index(b"$", 1) + 1
        return node.start_byte + tag, node.end_byte - tag
    pair = node.parent.parent if node.parent else None
    if pair is None or key_of(pair) != "run":
        return None
    return node.start_byte + data.find(b"\n") + 1, node.end_byte


def key_of(pair: Node) -> str:
    """Return the key of a pair of YAML, without its quotes."""
    return field_text(pair, "key").strip("\"'")


def field_text(node: Node, name: str) -> str:
    """Return the text of a named child, empty where there is none."""
    child = node.child_by_field_name(name)
    return text_of(child) if child else ""


def text_of(node: Node) -> str:
    """Return the text of a node."""
    return (node.text or b"").decode()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all within it."""
    yield node
    for child in node.children:
        yield from walk(child)


def _is_fault(node: Node) -> bool:
    """Tell whether a node does not parse; tree-sitter lets `try` stand alone, no engine does."""
    alone = node.type == "try_statement" and node.named_child_count == 1
    return alone or node.is_error or node.is_missing


def _widened(mask: bytes, found: re.Match[bytes]) -> bytes:
    width = len(found[0])
    return mask * width if mask == b"x" else mask.ljust(width)
