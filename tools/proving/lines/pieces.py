"""Finds, in what tree-sitter parsed, the pieces of a file that can be left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from tools.proving.lines.cuts import Cut, Piece, begins_line, cuts_of
from tools.proving.lines.grammars import GRAMMARS, Grammar
from tools.proving.lines.nodes import (
    IMPORTS,
    bound_names,
    is_alone,
    is_condition,
    is_for_checkers,
    is_for_reading,
    is_label,
    names_used,
)
from tools.proving.lines.trees import program_within, root_of

COLLECTIONS = ("object", "dictionary", "inline_table", "array", "list")
"""Values that are nothing but what their own keys and elements say."""
JUNCTIONS = ("and", "or", "&&", "||", "kw_and", "kw_or")


def pieces_of(language: str, data: bytes, *, types: bool = False) -> list[Piece]:
    """Return the pieces of a file in a language of `GRAMMARS`, those of a piece before it."""
    root = root_of(language, data)
    names = frozenset(names_used(root))
    return _Finder(language, GRAMMARS[language], data, types, names).pieces(root)


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the pieces of one file."""

    language: str
    grammar: Grammar
    data: bytes
    types: bool
    names: frozenset[bytes]
    """The names that the file uses, apart from its imports."""

    def pieces(self, node: Node) -> list[Piece]:
        """Return the pieces within a node, its own last."""
        if self.is_ignored(node):
            return []
        inner = [piece for child in node.named_children for piece in self.pieces(child)]
        inner += self.injected(node)
        return inner + list(self.own(node, inner))

    def own(self, node: Node, inner: Sequence[Piece]) -> Iterator[Piece]:
        """Yield the pieces that a node itself is."""
        holds_statements = any(piece.whole for piece in inner)
        if self.is_statement(node):
            if not holds_statements:
                yield self.piece(node, whole=True)
            elif header := self.header(node):
                yield header
        elif node.type in self.grammar.clauses:
            if not is_alone(node):
                yield self.piece(node)
        elif self.is_part(node) and not holds_statements and not self.is_told_by(node, inner):
            yield self.piece(node)
        if tail := self.tail(node):
            yield tail

    # What counts

    def is_ignored(self, node: Node) -> bool:
        grammar = self.grammar
        if node.type in grammar.ignored or (node.type in grammar.types and not self.types):
            return True
        if node.type in grammar.wrappers and any(map(self.is_ignored, node.named_children)):
            return True
        if node.type in IMPORTS:
            # Without an import in use the statements that use it fail: they tell.
            return bool(bound_names(node) & self.names)
        if self.language == "python" and is_for_reading(node):
            return True
        return not self.types and is_for_checkers(self.language, node)

    def is_statement(self, node: Node) -> bool:
        grammar, parent = self.grammar, node.parent
        known = node.type in grammar.statements or (self.types and node.type in grammar.types)
        if not known or parent is None or parent.type in grammar.wrappers:
            return False
        if any(child.type == "private_property_identifier" for child in node.children):
            return False  # JavaScript refuses to parse `this.#count` where `#count` is not declared
        if grammar.containers and parent.type not in grammar.containers | grammar.bodies:
            return False
        return not is_condition(node, parent)

    def is_part(self, node: Node) -> bool:
        grammar, parent = self.grammar, node.parent
        place = f"{parent.type if parent else None}/{node.type}"
        if node.type in grammar.parts or place in grammar.parts:
            return True
        if parent is None or node.type == "comment" or not begins_line(self.data, node.start_byte):
            return False
        if node.type in grammar.line_parts:  # JSX: a child, not the value of an expression
            return not node.type.startswith("jsx") or parent.type.startswith("jsx")
        return parent.type in grammar.lists

    def is_told_by(self, node: Node, inner: Sequence[Piece]) -> bool:
        """Tell whether the pieces of a collection say all that it says as a whole."""
        if self.language == "yaml":
            return bool(inner) or is_alone(node) or is_label(node)
        value = node.child_by_field_name("value") or (node.named_children or [node])[-1]
        return bool(inner) and bool({node.type, value.type} & {*COLLECTIONS})

    # Pieces that are less than a node

    def header(self, node: Node) -> Piece | None:
        """Return the header of a block that can go while its block stays."""
        filler = self.grammar.headers.get(node.type)
        body = node.child_by_field_name("body")
        if (
            filler is None
            or body is None
            or b" as " in self.data[node.start_byte : body.start_byte]
        ):
            return None
        colon = self.data.rindex(b":", node.start_byte, body.start_byte) + 1
        return Piece(node.start_byte, colon, ((node.start_byte, colon, filler),))

    def tail(self, node: Node) -> Piece | None:
        """Return what follows the first operand: `.strict()`, `and x > 1`, `JOIN b ON ...`."""
        first = None
        if node.type in self.grammar.calls:
            first = self.called_on(node)
        elif node.type in self.grammar.operations:
            first = self.joined_to(node)
        if first is None:
            return None
        text = self.data[first.end_byte : node.end_byte]
        cut = (first.end_byte, node.end_byte, "")
        return Piece(node.end_byte - len(text.lstrip()), node.end_byte, (cut,))

    def called_on(self, call: Node) -> Node | None:
        """Return the call that this one is chained to, or what stands on the line above."""
        if call.parent is not None and call.parent.type == "expression_statement":
            return None  # the last link is what the statement does: without it, it does nothing
        function = call.child_by_field_name("function")
        first = function.child_by_field_name("object") if function else None
        if first is None or first.type in self.grammar.calls or self.has_break(first, call):
            return first
        return None

    def joined_to(self, operation: Node) -> Node | None:
        """Return what stands on the line above `and`, `or`, `JOIN`."""
        first, *rest = operation.children
        joins = operation.type == "joined_table" or (rest and rest[0].type in JUNCTIONS)
        return first if joins and self.has_break(first, operation) else None

    def has_break(self, first: Node, node: Node) -> bool:
        """Tell whether what follows the first operand begins a line."""
        after = self.data[first.end_byte : node.end_byte]
        return bool(re.match(rb"\s*(?:(?:and|or|&&|\|\|)\s*?)?\n", after, re.IGNORECASE))

    def injected(self, node: Node) -> list[Piece]:
        """Return the pieces of a program in another language within this one."""
        language = self.grammar.injected.get(node.type)
        inside = program_within(node) if language else None
        if language is None or inside is None:
            return []
        start, end = inside
        return [piece.moved(start) for piece in pieces_of(language, self.data[start:end])]

    # Ways to leave a node out

    def piece(self, node: Node, *, whole: bool = False) -> Piece:
        start = node.start_byte
        end = start + len(self.data[start : node.end_byte].rstrip())
        return Piece(start, end, tuple(self.cuts(node, start, end)), whole)

    def cuts(self, node: Node, start: int, end: int) -> Iterator[Cut]:
        if node.parent is None or node.parent.type not in self.grammar.bodies:
            yield from cuts_of(self.data, start, end)
        for filler in self.grammar.fillers:
            yield start, end, filler
