"""What proofs are pinned to, read from the files in `tools/proofs`; nothing need be installed."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.paths import PINS

_JAVASCRIPT = {
    "javascript",
    "typescript",
    "node",
    "nodejs",
    "node.js",
    "react",
    "nextjs",
    "next.js",
}


@dataclass(frozen=True)
class Pins:
    """Versions by name, and the words that tags use."""

    python_version: str
    """The Python that proofs run on, such as `3.11`."""
    python: dict[str, str]
    """Python packages by normalized name (PEP 503)."""
    npm: dict[str, str]
    programs: dict[str, str]
    """Programs inside the wheels, such as `postgresql` and `node`."""
    tags: dict[str, list[str]]
    """What a tag means that is not itself the name of a package."""

    @property
    def versions(self) -> dict[str, str]:
        """Return every pinned version by name; a program goes before a package of its name."""
        return {**self.npm, **self.python, **self.programs}

    def proven_with(self, tags: Iterable[str]) -> dict[str, str]:
        """Return the versions of what the tags name, sorted by name.

        A package that is pinned for Python and for npm is taken from npm where another tag names
        JavaScript or one of its frameworks.
        """
        wanted = set(tags)
        packages = [self.npm, self.python] if wanted & _JAVASCRIPT else [self.python, self.npm]
        names = {name for tag in wanted for name in self.tags.get(tag, [tag])}
        found = {}
        for name in sorted(names):
            for table in (self.programs, *packages):
                if name in table:
                    found[name] = table[name]
                    break
        return found


@cache
def read_pins(folder: Path = PINS) -> Pins:
    """Read the pin files of a folder."""
    extra = tomllib.loads((folder / "programs.toml").read_text())
    python = _constraints((folder / "constraints.txt").read_text())
    wheels = {program: _upstream(python[wheel]) for program, wheel in extra["wheels"].items()}
    return Pins(
        python_version=extra["python"],
        python=python,
        npm=_locked(folder),
        programs={"python": extra["python"], **wheels, **extra["programs"]},
        tags=extra["tags"],
    )


def digest(paths: Iterable[Path], *more: str) -> str:
    """Return a hash of the contents of the files and of the other words."""
    state = hashlib.sha256()
    for path in paths:
        state.update(path.read_bytes() + b"\0")
    state.update("\0".join(more).encode())
    return state.hexdigest()


def _constraints(text: str) -> dict[str, str]:
    pinned = re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned}


def _locked(folder: Path) -> dict[str, str]:
    """Return the versions of the packages that package.json names, not of all they bring."""
    names = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    return {name: packages[f"node_modules/{name}"]["version"] for name in names}


def _upstream(version: str) -> str:
    """Return the program's three numbers without what the wheel's maker appends to them."""
    return ".".join(version.split(".")[:3])
