"""What the project pins, which is what seeds may name: packages, images; and who owns actions."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Any

from tools.paths import PROJECT

PINS = PROJECT / "tools" / "proofs"
EXAMPLE = re.compile(
    r"(?:^|[/@.])(?:acme|example)(?:$|[/.])|^(?:image|app|my-?app|name|missing_?\w*)$"
)
"""Names that stand for any other."""
DISTANCE = 2
"""Edits by which a name may differ from a pinned one and still be taken for it."""
SHORT = 5
"""Length up to which a single edit is the most."""


def is_pinned(world: str, name: str) -> bool:
    """Say whether a package is among the pins of its world (python, node)."""
    return (_normalized(name) if world == "python" else name.lower()) in pinned(world)


def meant(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` where a pinned name is a slip of the finger away."""
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    most = 1 if len(name) <= SHORT else DISTANCE
    close = process.extractOne(
        name.lower(), list(known), scorer=DamerauLevenshtein.distance, score_cutoff=most
    )
    return f'; did you mean "{close[0]}"?' if close else "; look it up"


def pinned(world: str) -> frozenset[str]:
    """Return the names of the packages of a world (python, node)."""
    return _python_pins() if world == "python" else _node_pins()


@cache
def _python_pins() -> frozenset[str]:
    lines = [
        line
        for name in ("constraints.txt", "requirements.txt")
        for line in (PINS / name).read_text("utf-8").splitlines()
    ]
    names = (re.match(r"[\w.-]+", line) for line in lines)
    return frozenset(_normalized(match[0]) for match in names if match)


@cache
def _node_pins() -> frozenset[str]:
    package: dict[str, Any] = json.loads((PINS / "package.json").read_text("utf-8"))
    lock: dict[str, Any] = json.loads((PINS / "package-lock.json").read_text("utf-8"))
    installed = (path.rpartition("node_modules/")[2] for path in lock["packages"])
    return frozenset(filter(None, (*package["dependencies"], *installed, "npm")))


@cache
def images_pinned() -> frozenset[str]:
    """Return the repositories of the base images."""
    path = next(PINS.glob("**/images.toml"))
    images: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["image"]
    return frozenset(repository(tag) for image in images for tag in image["tags"])


def repository(image: str) -> str:
    """Return an image's name without tag, digest, and the hub's own folders."""
    name = image.partition("@")[0]
    name = re.sub(r":[^/]*$", "", name)
    return name.removeprefix("docker.io/").removeprefix("library/")


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
