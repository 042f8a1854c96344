"""What a stranger may send: each gives one clear line, soon, without filling the memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.imports import element
from tests.support.limited import check_seed, refuse_fixture, under_limits
from tools.paths import PROJECT

GOOD = (PROJECT / "tests" / "rules" / "good.md").read_text("utf-8")
TAGS = "tags: [python, error-handling]"
COMMAND = "```sh\npython"
FILE = '```python title="prices.py"\n'


def seed(old: str, new: str) -> Callable[[Path], object]:
    """The good seed with something else in it."""
    assert old in GOOD
    return lambda path: path.write_text(GOOD.replace(old, new), encoding="utf-8")


def fence(language: str, name: str, code: str) -> Callable[[Path], object]:
    return seed("## Proof\n", f'```{language} title="{name}"\n{code}\n```\n\n## Proof\n')


BOMB = "tags: &a [python, &b [x, x, x, x, x, x, x, x], " + "*b, " * 40 + "*b]"
SEEDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "YAML alias bomb": (seed(TAGS, BOMB), ":3:1: error[frontmatter]: an anchor or an alias"),
    "tags nested deeply": (seed(TAGS, "tags: " + "[" * 900 + "]" * 900), "nested too deeply"),
    "long frontmatter": (seed(TAGS, "tags: " + "[" * 20_000), "error[frontmatter]: "),
    "many words of sh": (seed(COMMAND, "```sh\n: " + "sh " * 60_000 + "\npython"), "error[size]"),
    "long proof": (seed(COMMAND, "```sh\n: " + "curl " * 9_000 + "\npython"), "error[size]"),
    "many fences": (seed("## Proof\n", "```sh\n```\n\n" * 900 + "## Proof\n"), "error[size]"),
    "JSON nested": (fence("json", "x.json", "[" * 5_000 + "]" * 5_000), "nested too deeply"),
    "JSON number": (fence("json", "x.json", "9" * 5_000), "cannot read it"),
    "Python unary": (fence("python", "x.py", "-" * 9_000 + "1"), "error[code-parses]"),
    "Python attributes": (fence("python", "x.py", "a" + ".a" * 5_000), "error[code-parses]"),
    "TOML nested": (fence("toml", "x.toml", "a = " + "[" * 5_000), "error[code-parses]"),
    "YAML nested": (fence("yaml", "x.yaml", "[" * 5_000), "error[code-parses]"),
    "shell nested": (fence("sh", "x.sh", "$(" * 5_000), "error[code-parses]"),
    "nginx nested": (fence("nginx", "x.conf", "a {" * 3_000), "error[code-parses]"),
    "SQL nested": (fence("sql", "x.sql", "SELECT " + "(" * 9_000), "error[code-parses]"),
    "TypeScript nested": (fence("ts", "x.ts", "[" * 9_000), "error[code-parses]"),
    "info string": (seed(FILE, f"```python {'a=' * 20_000}\n"), "error[fence-info]"),
    "language": (seed(FILE, f'```{"p" * 250} title="prices.py"\n'), "error[fence-language]"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "error[size]: not a regular file"),
    "pipe": (os.mkfifo, "error[size]: not a regular file"),
    "folder": (Path.mkdir, "error[size]: not a regular file"),
    "link to a file": (lambda path: path.symlink_to("/etc/passwd"), "error[size]: not a regular"),
    "missing": (lambda _: None, "error[encoding]: cannot be read"),
    "large": (lambda path: path.write_bytes(b"x" * 9_000_000), "error[size]: 9000000 bytes"),
    "sparse": (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40), "size"),
    "title that ends in a line break": (
        seed('article"\ntags', 'article\\n"\ntags'),
        "error[title]: ",
    ),
    "escape of a terminal": (seed('"KeyError when', '"\\e[31mKeyError when'), r"\x1b[31mKeyError"),
    "backticks": (
        seed("## Solution\n", "## Solution\n\n" + "`a" * 5_000),
        "error[solution-length]",
    ),
    "brackets": (seed("## Solution\n", "## Solution\n\n" + "[" * 9_000), "error[solution-length]"),
    "emphasis": (seed("## Solution\n", "## Solution\n\n" + "*a_ " * 2_500), "error[solution-len"),
    "images": (
        seed("## Solution\n", "## Solution\n\n" + "![[](" * 2_000),
        "error[solution-length]",
    ),
}


@pytest.mark.parametrize("name", SEEDS)
def test_a_hostile_seed_gives_a_line(tmp_path: Path, name: str) -> None:
    write, message = SEEDS[name]
    path = tmp_path / "seeds" / "python" / "x.md"
    path.parent.mkdir(parents=True)
    write(path)
    said = under_limits(check_seed, path)
    assert message in said, said[:600]
    assert max(map(len, said.splitlines())) < 800
    assert said.replace("\n", "").isprintable()


def fixture(*elements: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(elements), encoding="utf-8")


def raw(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


HIDDEN = {"bidi": "\u202e", "zero width": "\u200b", "tag": "\U000e0072", "selector": "\ufe01"}
FIXTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, ": not a regular file; run `make fixtures`"),
    "device": (lambda path: path.symlink_to("/dev/zero"), ": not a regular file; run"),
    "folder": (Path.mkdir, ": Is a directory"),
    "number": (raw(f"[{'9' * 5_000}]"), ": a number too long for a fixture"),
    "number in an element": (raw(f'[{{"slug": {"9" * 5_000}}}]'), ": a number too long"),
    "850 levels": (raw("[" * 850 + "]" * 850), "[0]: more than 500 values"),
    "850 levels in an element": (
        raw('[{"slug": ' + "[" * 850 + "]" * 850 + "}]"),
        "more than 500 values",
    ),
    "100,000 levels": (raw("[" * 100_000), ": nested too deeply for a fixture"),
    "numbers": (raw("[" + "1e9," * 1_000_000 + "1e9]"), ": and at least 180 more"),
    "words": (raw("[" + '"x",' * 1_000_000 + '"x"]'), ": and at least 180 more"),
    "objects": (raw("[" + "{}," * 500_000 + "{}]"), ": and at least 180 more"),
    "a million tags": (
        fixture(element(tags=[f"x{n}" for n in range(1_000_000)])),
        ": more than 500 values",
    ),
    "keys twice": (raw('[{"slug": "a/b", "slug": "a/c"}]'), "the key 'slug' stands twice"),
    "blank context": (fixture(element(context=" " * 300)), "[0].context (python/one): "),
    "markup as a package": (fixture(element(proven_with={"<script>": "1"})), "[0].proven_with"),
    "many packages": (
        fixture(element(proven_with={f"a{n}": "1" for n in range(300_000)})),
        ": more than 500 values",
    ),
    "21 packages": (
        fixture(element(proven_with={f"a{n}": "1" for n in range(21)})),
        "at most 20",
    ),
    "long version": (fixture(element(proven_with={"a": "x" * 50_000_000})), "[0].proven_with.a"),
    "long slug": (fixture(element(slug="a/" + "b" * 1_000_000)), "at most 150 characters"),
    "terminal": (fixture(element(title="\x1b[31m" + "A title of thirty characters")), r"\x1b[31m"),
} | {
    f"{name} in a title": (
        fixture(element(title=f"A title of thirty {character} characters")),
        "[0].title (python/one): ",
    )
    for name, character in HIDDEN.items()
}


@pytest.mark.parametrize("name", FIXTURES)
def test_a_hostile_fixture_gives_a_line(tmp_path: Path, name: str) -> None:
    write, message = FIXTURES[name]
    path = tmp_path / "fixture.json"
    write(path)
    said = under_limits(refuse_fixture, path)
    assert message in said, said[:600]
    assert len(said.splitlines()) <= 21
    assert max(map(len, said.splitlines())) < 800
    assert said.replace("\n", "").isprintable()
