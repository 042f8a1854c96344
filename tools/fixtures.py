"""The fixture: one JSON array of all seeds, the same bytes from the same seeds everywhere."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError

from tools.content.corpus import check_file, map_files, sample_titles
from tools.content.findings import Finding, SeedError
from tools.paths import CACHE, FIXTURE_SCHEMA, PROJECT, SAMPLES, SCHEMAS
from tools.proving.pins import FOLDER as PINS
from tools.proving.pins import read_pins
from tools.content.rules import FORM, check_titles
from tools.content.seed_file import Seed, describe, find_seeds


@dataclass(frozen=True, slots=True)
class Fixture:
    """The compiled seeds: the bytes of the file, and how many there are."""

    data: bytes
    count: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one file gives: its JSON for the array (empty if faulty), its title, its findings."""

    path: str
    slug: str
    json: str
    title: str
    title_line: int
    findings: Sequence[Finding]


def compile_fixture(root: Path) -> Fixture:
    """Compile all seeds below `root`, validated against the schema of the fixture.

    Raises SeedError with every problem of every seed.
    """
    entries = map_files(partial(_compile_file, root=root), find_seeds(root))
    findings = [finding for entry in entries for finding in entry.findings]
    titles = ((entry.title, entry.path, entry.title_line) for entry in entries if entry.json)
    findings += check_titles(titles, sample_titles())
    if not entries:
        findings = [Finding(str(root), 1, 1, "no-seeds", "no .md file below this folder")]
    if findings:
        raise SeedError(findings)
    entries.sort(key=lambda entry: entry.slug)
    text = "[\n" + ",\n".join(entry.json for entry in entries) + "\n]\n"
    return Fixture(text.encode(), len(entries))


def _compile_file(path: Path, root: Path) -> _Entry:
    seed, findings = check_file(path, root, FORM)
    if seed is None:
        return _Entry(str(path), "", "", "", 1, findings)
    record = record_of(seed)
    if not findings and not _quick_validator().is_valid(record):
        errors = Draft202012Validator(fixture_schema()["items"]).iter_errors(record)
        findings = [_finding(seed, error) for error in errors]
    text = "  " + json.dumps(record, ensure_ascii=False, indent=2).replace("\n", "\n  ")
    return _Entry(seed.path, seed.slug, text, seed.title, seed.line_of("title"), findings)


@cache
def _quick_validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(fixture_schema()["items"])


def _finding(seed: Seed, error: ValidationError) -> Finding:
    key = str(next(iter(error.absolute_path), "fixture"))
    return Finding(seed.path, seed.line_of(key), 1, key.replace("_", "-"), describe(error))


def record_of(seed: Seed) -> dict[str, Any]:
    """Return what the fixture holds of a seed."""
    return {
        "slug": seed.slug,
        "title": seed.title,
        "context": seed.context.text,
        "solution": seed.solution.text,
        "tags": list(seed.tags),
        "agent_model": seed.agent_model,
        "agent_version": seed.agent_version,
        "proven_with": read_pins().proven_with(seed.tags),
    }


@cache
def fixture_schema() -> dict[str, Any]:
    """Return the JSON Schema of the fixture."""
    schema: dict[str, Any] = json.loads(FIXTURE_SCHEMA.read_text("utf-8"))
    return schema


def write_fixture(fixture: Fixture, output: Path) -> None:
    """Replace the file in one rename, so that a reader sees the old one or the new one."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=output.parent, delete=False) as file:
        file.write(fixture.data)
        Path(file.name).chmod(0o644)
    Path(file.name).replace(output)


def is_current(root: Path, output: Path) -> bool:
    """Say whether `output` was compiled from exactly these seeds by exactly this code."""
    try:
        return _stamp_file(output).read_text() == _digest(root, output)
    except OSError:
        return False


def note_built(root: Path, output: Path) -> None:
    """Remember that `output` was compiled from the seeds as they are."""
    CACHE.mkdir(exist_ok=True)
    _stamp_file(output).write_text(_digest(root, output))


def _stamp_file(output: Path) -> Path:
    name = hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]
    return CACHE / f"fixture-{name}"


def _digest(root: Path, output: Path) -> str:
    """Digest all that the fixture depends on, and the fixture itself."""
    digest = hashlib.sha256()
    for path in _inputs(root, output):
        content = path.read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _inputs(root: Path, output: Path) -> Iterator[Path]:
    yield output
    yield from find_seeds(root)
    yield SAMPLES
    for folder, pattern in ((PINS, "*.*"), (SCHEMAS, "*.json"), (PROJECT / "tools", "**/*.py")):
        yield from sorted(folder.glob(pattern))
