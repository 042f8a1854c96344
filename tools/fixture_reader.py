"""Reads the fixture, `seed_traces.json`, and checks all of it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
from app.errors import AppError
from app.services.tags import MAX_TAG_LENGTH, normalize_tag, validate_tag

from tools.paths import FIXTURE_SCHEMA

SEED_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "seeds.commontrace.internal")
"""Namespace of the ids. Another one would give every seed another address: never change it."""
FIELD_SEPARATOR = "\x1f"
"""ASCII's unit separator; stands between fields that are hashed together."""
SHOWN_PROBLEMS = 20
"""Problems that a message lists; the rest are counted."""
SHOWN_LENGTH = 120
"""Characters of a validator's message; a longer one quotes a whole text and is cut."""


class FixtureError(AppError):
    """The fixture cannot be read or breaks its rules; one line a problem."""


@dataclass(frozen=True, slots=True)
class SeedTrace:
    """One seed as the fixture has it, with tags that are normalized, valid and unique."""

    slug: str
    title: str
    context: str
    solution: str
    tags: tuple[str, ...]
    agent_model: str
    agent_version: str
    proven_with: dict[str, str]

    @classmethod
    def from_element(cls, element: dict[str, Any]) -> SeedTrace:
        """Make a seed of an element of the fixture; tags that differ in case only become one.

        Raises:
            FixtureError: if a tag is invalid. None is dropped.
        """
        tags = _unique_tags(element["tags"])
        for tag in tags:
            if not validate_tag(tag):
                raise FixtureError(f"{element['slug']}: invalid tag {tag!r}; use a-z, 0-9, . _ -")
        return cls(**{**element, "tags": tags})

    @property
    def id(self) -> uuid.UUID:
        """The UUIDv5 of the slug: the id of the seed's row in every database."""
        return uuid.uuid5(SEED_NAMESPACE, self.slug)

    @property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of title, context, solution and sorted tags."""
        fields = (self.title, self.context, self.solution, *sorted(self.tags))
        return hashlib.sha256(FIELD_SEPARATOR.join(fields).encode()).hexdigest()


def read_fixture(path: Path) -> list[SeedTrace]:
    """Read and check a fixture.

    Raises:
        FixtureError: if the file is missing or not JSON; or naming every element that breaks the
            schema, or that shares its slug or title with another.
    """
    data = _load(path)
    problems = _schema_problems(data) or _duplicates(data)
    if problems:
        shown = [f"{path}: {problem}" for problem in problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            shown.append(f"{path}: and {len(problems) - SHOWN_PROBLEMS} more")
        raise FixtureError("\n".join(shown))
    return [SeedTrace.from_element(element) for element in data]


def _load(path: Path) -> Any:
    """The parsed file, with tags normalized, because the schema is about normalized ones."""
    try:
        return json.loads(path.read_bytes().decode(), object_hook=_with_normalized_tags)
    except OSError as error:
        raise FixtureError(f"{path}: {error.strerror}; run `make fixtures`") from error
    except UnicodeDecodeError as error:
        raise FixtureError(f"{path}: byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise FixtureError(
            f"{path}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}"
        ) from error
    except RecursionError as error:
        raise FixtureError(f"{path}: nested too deeply for a fixture") from error


def _with_normalized_tags(element: dict[str, Any]) -> dict[str, Any]:
    """Normalize the tags where they are tags; one that is too long is the schema's to refuse."""
    tags = element.get("tags")
    if isinstance(tags, list) and all(
        isinstance(tag, str) and len(tag) <= MAX_TAG_LENGTH for tag in tags
    ):
        element["tags"] = list(_unique_tags(tags))
    return element


def _unique_tags(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(normalize_tag, tags)))


def _schema_problems(data: Any) -> list[str]:
    """Where the data breaks the schema; the schema's descriptions say what would be right."""
    schema = json.loads(FIXTURE_SCHEMA.read_bytes())
    try:
        errors = list(jsonschema_rs.Draft202012Validator(schema).iter_errors(data))
    except UnicodeEncodeError:
        return _surrogates(data)
    return [
        f"{_place(data, error.instance_path)}: {_shortened(error.message)}; "
        f"expected {_innermost_description(schema, error.schema_path)}"
        for error in errors
    ]


def _surrogates(data: Any) -> list[str]:
    """JSON can escape half a surrogate pair, which neither an encoding nor a database takes."""
    elements = data if isinstance(data, list) else [data]
    return [
        f"{_place(data, [position])}: holds half a surrogate pair (\\ud800 to \\udfff)"
        for position, element in enumerate(elements)
        if not _is_encodable(element)
    ]


def _is_encodable(element: Any) -> bool:
    try:
        json.dumps(element, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shortened(message: str) -> str:
    if len(message) <= SHOWN_LENGTH:
        return message
    half = SHOWN_LENGTH // 2
    return f"{message[:half]} … {message[-half:]}"


def _innermost_description(schema: Any, schema_path: Sequence[str | int]) -> str:
    description = schema["description"]
    for key in schema_path:
        schema = schema[key]
        if isinstance(schema, dict):
            description = schema.get("description", description)
    return str(description)


def _duplicates(data: list[dict[str, Any]]) -> list[str]:
    """Slugs and titles that stand more than once."""
    return [
        f"{_place(data, [position, field])}: {element[field]!r} stands more than once"
        for field in ("slug", "title")
        for counts in [Counter(element[field] for element in data)]
        for position, element in enumerate(data)
        if counts[element[field]] > 1
    ]


def _place(data: Any, instance_path: Sequence[str | int]) -> str:
    """Where in the fixture, e.g. `[3].tags[1] (react/x)`."""
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in instance_path)
    position = instance_path[0] if instance_path else None
    element = data[position] if isinstance(data, list) and isinstance(position, int) else None
    slug = element.get("slug") if isinstance(element, dict) else None
    is_known = isinstance(slug, str) and slug.isprintable()
    return f"{path} ({slug})" if is_known else path or "the file"
