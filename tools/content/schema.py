"""The JSON Schemas of frontmatter and fixture: the one place where a limit is stated.

The fixture's schema refers to the frontmatter's for what both have. References are resolved while
reading, so that every validator, and who looks for a description, sees one plain schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError

from tools.paths import SCHEMAS

SHOWN_LENGTH = 120
"""Characters up to which a validator's message is shown as it is."""


@cache
def frontmatter_schema() -> dict[str, Any]:
    """Return the JSON Schema that frontmatter keeps."""
    return _read("frontmatter.schema.json")


@cache
def fixture_schema() -> dict[str, Any]:
    """Return the JSON Schema of the fixture."""
    return _read("fixture.schema.json")


def length_of(field: str) -> tuple[int, int]:
    """Return the least and the most characters that a text of the fixture may have."""
    limits = fixture_schema()["items"]["properties"][field]
    return limits["minLength"], limits["maxLength"]


def frontmatter_errors(metadata: dict[str, Any]) -> Iterator[ValidationError]:
    """Give what frontmatter breaks of its schema."""
    yield from _errors(_quick_frontmatter(), frontmatter_schema(), metadata)


def record_errors(record: dict[str, Any]) -> Iterator[ValidationError]:
    """Give what one element breaks of the fixture's schema."""
    yield from _errors(_quick_record(), fixture_schema()["items"], record)


def describe(error: ValidationError) -> str:
    """Say what a value breaks, and what would be right, in words of the schema itself."""
    right = error.schema.get("description") if isinstance(error.schema, dict) else None
    problem = error.message
    if error.validator == "not" and isinstance(error.validator_value, dict):
        # jsonschema would quote the pattern
        problem = f"{ascii(error.instance)[:80]} holds one that cannot be"
        right = error.validator_value.get("description")
    if len(problem) > SHOWN_LENGTH:  # jsonschema repeats the value, perhaps a whole solution
        start = str(error.instance)[:60]
        problem = f"{start!r}… breaks {error.validator}: {error.validator_value}"
    return f"{problem}; {right}" if right else problem


def _errors(
    quick: jsonschema_rs.Draft202012Validator, schema: dict[str, Any], value: dict[str, Any]
) -> Iterator[ValidationError]:
    """Ask the quick validator first; the other one then says what is wrong."""
    try:
        if quick.is_valid(value):
            return
    except ValueError:  # YAML knows values that JSON does not, e.g. dates
        pass
    errors = list(Draft202012Validator(schema).iter_errors(value))
    # The two differ e.g. on a line break at the end of a value, where Python's $ matches.
    yield from errors or [ValidationError("a value that is not as JSON has it", validator="type")]


@cache
def _quick_frontmatter() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(frontmatter_schema())


@cache
def _quick_record() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(fixture_schema()["items"])


def _read(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = _resolved(json.loads((SCHEMAS / name).read_bytes()))
    return schema


def _resolved(schema: Any) -> Any:
    """Put what references of the form `file.json#/path/to/part` name in their place."""
    if isinstance(schema, list):
        return [_resolved(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        name, _, path = reference.partition("#/")
        part = _read(name)
        for key in path.split("/"):
            part = part[key]
        return part
    return {key: _resolved(part) for key, part in schema.items()}
