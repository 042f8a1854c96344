"""What a node is to a reader: a condition, a docstring, a type, a label, an import in use."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from tools.proving.lines.trees import field_text, key_of, text_of

LABELLED = ("run", "uses", "jobs", "steps", "on")
"""Keys of a workflow beside which `name` is a label for the reader."""
TYPING = ("Protocol", "TypedDict")
"""Base classes of classes that only a type checker reads."""
IMPORTS = ("import_statement", "import_from_statement")


def is_condition(node: Node, parent: Node) -> bool:
    """Tell whether a node decides something rather than does it."""
    index = next(i for i, child in enumerate(parent.children) if child == node)
    if parent.field_name_for_child(index) in ("condition", "initializer", "increment"):
        return True
    return any(child.type == "then" for child in parent.children[index:])


def is_for_reading(node: Node) -> bool:
    """Tell whether a Python statement is a docstring or an ellipsis."""
    if node.type != "expression_statement" or len(node.named_children) != 1:
        return False
    return node.named_children[0].type in ("string", "concatenated_string", "ellipsis")


def is_for_checkers(language: str, node: Node) -> bool:
    """Tell whether only a type checker reads a node."""
    if language != "python":
        return _is_erased(node)
    if node.type == "if_statement":
        return field_text(node, "condition").endswith("TYPE_CHECKING")
    if node.type == "class_definition":
        return any(name in field_text(node, "superclasses") for name in TYPING)
    if node.type == "decorated_definition":
        return text_of(node).startswith(("@overload\n", "@typing.overload\n"))
    return _is_bare_annotation(node) and not _is_field(node)


def _is_erased(node: Node) -> bool:
    """Tell whether TypeScript drops this export or field when it compiles."""
    if node.type == "export_statement":
        return any(child.type == "type" for child in node.children)
    return node.type == "public_field_definition" and not node.child_by_field_name("value")


def _is_bare_annotation(node: Node) -> bool:
    inner = node.named_children[0] if node.named_children else None
    if node.type != "expression_statement" or inner is None or inner.type != "assignment":
        return False
    return inner.child_by_field_name("right") is None


def _is_field(node: Node) -> bool:
    above = node.parent.parent if node.parent else None
    return above is not None and above.type == "class_definition"


def is_alone(node: Node) -> bool:
    """Tell whether a key or item of YAML is all that its collection has: without it, null stays."""
    parent = node.parent
    if parent is None or parent.type not in ("block_mapping", "block_sequence"):
        return False
    above = parent.parent.parent if parent.parent else None
    nested = above is not None and above.type in ("block_mapping_pair", "block_sequence_item")
    return nested and sum(child.type != "comment" for child in parent.named_children) == 1


def is_label(node: Node) -> bool:
    """Tell whether a key is the name of a workflow, job or step: it shows in a log, no more."""
    if node.type != "block_mapping_pair" or node.parent is None or key_of(node) != "name":
        return False
    return any(key_of(sibling) in LABELLED for sibling in node.parent.named_children)


def names_used(node: Node) -> Iterator[bytes]:
    """Yield the names within a node that stand outside of imports."""
    if node.type in IMPORTS:
        return
    if "identifier" in node.type:
        yield node.text or b""
    for child in node.named_children:
        yield from names_used(child)


def bound_names(node: Node) -> set[bytes]:
    """Return the names that an import binds."""
    source = node.child_by_field_name("module_name") or node.child_by_field_name("source")
    names = [child for child in node.named_children if child != source]
    return {name for child in names for name in _bound(child)}


def _bound(node: Node) -> Iterator[bytes]:
    bound = node.child_by_field_name("alias")
    if bound is None and node.type in ("aliased_import", "import_specifier"):
        bound = node.child_by_field_name("name")
    if bound is not None or node.type in ("identifier", "dotted_name"):
        yield ((bound or node).text or b"").split(b".")[0]
        return
    for child in node.named_children:
        yield from _bound(child)
