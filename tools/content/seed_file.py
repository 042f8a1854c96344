"""The one reader of the seed format: a Markdown file becomes a `Seed`, with line numbers.

Everything that looks at a seed (build, rules, proofs, pages) reads it here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from app.markdown import parse_blocks, read_info
from frontmatter.default_handlers import YAMLHandler
from markdown_it.token import Token

from tools.content.findings import Finding, SeedError, did_you_mean
from tools.content.schema import describe, frontmatter_errors, frontmatter_schema
from tools.paths import PROJECT, SEEDS

SECTIONS = ("Context", "Solution", "Proof")
CATEGORIES = ("cicd", "database", "docker", "integrations", "python", "react", "testing")
DEFAULT_TIMEOUT = 60
"""Seconds that a proof may take unless its command says otherwise."""
READING_ONLY = ("text", "console", "diff")
"""Languages of fences that are not files: they are for reading only."""
MOST_BYTES = 64 * 1024
"""Bytes of a seed's file: several times what the largest one has."""
MOST_CHARACTERS = 12_000
"""Characters of a section, a proof's too: what the rules and the parsers of code get to see."""
MOST_FRONTMATTER = 2_000
"""Characters of the frontmatter, twice over what its longest values take."""
MOST_DEPTH = 3
"""Levels of nesting in the frontmatter: a mapping, a list, what stands in it."""
MOST_FENCES = 60
"""Fences of a seed: each costs a parser's run."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: `title` names the file that it is, `line` is where it opens."""

    language: str
    title: str | None
    options: Mapping[str, str]
    code: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One of the three sections: its Markdown to the letter, where it and its heading stand."""

    name: str
    text: str
    line: int
    text_line: int
    fences: tuple[Fence, ...]

    @property
    def prose(self) -> Iterator[tuple[int, str]]:
        """The lines that stand outside of its fences, with their numbers in the file."""
        fenced = {
            line
            for fence in self.fences
            for line in range(fence.line, fence.line + fence.code.count("\n") + 2)
        }
        for line, text in enumerate(self.text.split("\n"), self.text_line):
            if line not in fenced:
                yield line, text


@dataclass(frozen=True, slots=True)
class Seed:
    """A curated trace as its file tells it."""

    path: str
    slug: str
    title: str
    tags: tuple[str, ...]
    agent_model: str
    agent_version: str
    context: Section
    solution: Section
    proof: Section
    key_lines: Mapping[str, int] = field(repr=False)
    """The line of each frontmatter key."""
    text: str = field(repr=False)
    """The whole file."""

    @property
    def category(self) -> str:
        """The first folder of the slug."""
        return self.slug.partition("/")[0]

    @property
    def sections(self) -> tuple[Section, Section, Section]:
        """The three sections in their order."""
        return self.context, self.solution, self.proof

    @property
    def files(self) -> dict[str, str]:
        """Every file of the seed by its name: fences with one title are one file, in order."""
        files: dict[str, str] = {}
        for fence in (*self.solution.fences, *self.proof.fences):
            if fence.title:
                files[fence.title] = files.get(fence.title, "") + fence.code
        return files

    @property
    def solution_files(self) -> tuple[str, ...]:
        """The names of the files that the solution consists of, each once."""
        return tuple(dict.fromkeys(fence.title for fence in self.solution.fences if fence.title))

    @property
    def command(self) -> Fence:
        """The proof's command: its last fence."""
        return self.proof.fences[-1]

    @property
    def needs_docker(self) -> bool:
        """Whether the proof declares that it needs a Docker engine."""
        return self.command.options.get("needs") == "docker"

    @property
    def timeout(self) -> float:
        """Seconds that the proof may take."""
        return float(self.command.options.get("timeout", DEFAULT_TIMEOUT))

    def names(self, variable: str) -> bool:
        """Say whether a file or the command names a variable of the environment."""
        texts = (*self.files.values(), self.command.code)
        return any(re.search(rf"\b{variable}\b", text) for text in texts)

    def line_of(self, key: str) -> int:
        """Return the line of a frontmatter key."""
        return self.key_lines.get(key, 1)


def find_seeds(root: Path = SEEDS) -> list[Path]:
    """List the seed files below `root`, or `root` itself if it is one, sorted by path."""
    root = Path(os.path.abspath(root))  # noqa: PTH100
    if root.exists() and not root.is_dir():
        return [root]
    return sorted(root.rglob("*.md"), key=lambda path: path.as_posix())


def read_seed(path: Path, root: Path = SEEDS) -> Seed:
    """Read one seed file below `root`.

    Raises SeedError with every problem of the file's form.
    """
    shown = display_path(path)
    data = _read(path, shown)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SeedError(
            [Finding(shown, line, 1, "encoding", "not UTF-8; save it as UTF-8")]
        ) from None
    return parse_seed(text, shown, slug_of(path, root))


def _read(path: Path, shown: str) -> bytes:
    """Read a regular file of bounded size: no link, no device, no pipe that never ends."""
    try:
        # O_NONBLOCK: opening a pipe without a writer does not wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SeedError([Finding(shown, 1, 1, "size", _NO_FILE)])
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            raise SeedError([Finding(shown, 1, 1, "size", _NO_FILE)]) from None
        message = f"cannot be read: {error.strerror}"
        raise SeedError([Finding(shown, 1, 1, "encoding", message)]) from None
    if len(data) > MOST_BYTES:
        message = f"{status.st_size} bytes; a seed has at most {MOST_BYTES}"
        raise SeedError([Finding(shown, 1, 1, "size", message)])
    return data


_NO_FILE = "not a regular file; a seed is a file of its own, no link, folder or device"


def parse_seed(text: str, path: str, slug: str) -> Seed:
    """Parse the text of a seed; `path` is what findings show.

    Raises SeedError with every problem of the file's form.
    """
    findings = list(_check_line_ends(path, text))
    metadata, key_lines, body = _split_frontmatter(text, path)
    findings += _check_frontmatter(path, metadata, key_lines)
    first_line = text.count("\n", 0, len(text) - len(body)) + 1
    sections = list(_sections(body, first_line, path, findings))
    findings += _check_sections(path, sections, first_line)
    findings += _check_size(path, sections)
    if findings:
        raise SeedError(findings)
    context, solution, proof = sections
    return Seed(
        path=path,
        slug=slug,
        title=metadata["title"],
        tags=tuple(metadata["tags"]),
        agent_model=metadata["agent_model"],
        agent_version=metadata["agent_version"],
        context=context,
        solution=solution,
        proof=proof,
        key_lines=key_lines,
        text=text,
    )


def display_path(path: Path) -> str:
    """Show a path relative to the project where it lies within it, in POSIX form."""
    absolute = os.path.abspath(path)  # noqa: PTH100  (resolve() asks the disk, ten times slower)
    prefix = f"{PROJECT}{os.sep}"
    return (
        Path(absolute).as_posix().removeprefix(prefix)
        if absolute.startswith(prefix)
        else path.as_posix()
    )


def slug_of(path: Path, root: Path = SEEDS) -> str:
    """Return the path below `root` without its suffix: the seed's identity."""
    path, root = Path(os.path.abspath(path)), Path(os.path.abspath(root))  # noqa: PTH100
    base = root if path.is_relative_to(root) else path.parent.parent
    return path.relative_to(base).with_suffix("").as_posix()


def _check_line_ends(path: str, text: str) -> Iterator[Finding]:
    if "\r" in text:
        line = text.count("\n", 0, text.index("\r")) + 1
        yield Finding(path, line, 1, "encoding", "a carriage return; end lines in LF alone")
    if text.startswith("\ufeff"):
        yield Finding(path, 1, 1, "encoding", "starts with a byte order mark; save without it")


def _split_frontmatter(text: str, path: str) -> tuple[dict[str, Any], dict[str, int], str]:
    """Return the frontmatter's values, the line of each of its keys, and the body."""

    def fail(line: int, message: str) -> SeedError:
        return SeedError([Finding(path, line, 1, "frontmatter", message)])

    handler = YAMLHandler()
    text = text.removeprefix("\ufeff")
    try:
        source, body = handler.split(text)
    except ValueError:
        raise fail(1, "no frontmatter; begin with --- lines around title, tags, agent_model, "
                      "agent_version") from None  # fmt: skip
    if not text.startswith("---"):
        raise fail(1, "text before the frontmatter; begin the file with ---")
    source = source.lstrip("\n")
    if len(source) > MOST_FRONTMATTER:
        raise fail(1, f"{len(source)} characters; write at most {MOST_FRONTMATTER}")
    loader = _LOADER(source)
    try:
        if trick := _trick(source):
            raise fail(*trick)
        node = loader.get_single_node()
        metadata = loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        problem = error.problem or "not YAML"
        raise fail(
            line, f"not valid YAML: {problem}; quote values that contain ': ' or '#'"
        ) from None
    except yaml.reader.ReaderError as error:
        line = source.count("\n", 0, error.position) + 2
        raise fail(line, f"not valid YAML: U+{error.character:04X} may not stand there") from None
    except ValueError as error:  # e.g. an impossible date
        raise fail(2, f"not valid YAML: {error}") from None
    if not isinstance(metadata, dict) or not isinstance(node, yaml.MappingNode):
        raise fail(2, "not a mapping; write one `key: value` a line")
    key_lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.value in key_lines:
            raise fail(key.start_mark.line + 2, f'the key "{key.value}" stands twice; keep one')
        key_lines[key.value] = key.start_mark.line + 2
    return metadata, key_lines, body


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _trick(source: str) -> tuple[int, str] | None:
    """Return where the YAML refers to itself or nests: values that are small to write, and huge.

    Events are looked at one by one, before anything is built of them.
    """
    depth = 0
    for event in yaml.parse(source, Loader=_LOADER):
        line = (event.start_mark.line if event.start_mark else 0) + 2
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return line, "an anchor or an alias; write the value out"
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            return line, "nested too deeply; write one value, or a list of words, a key"
    return None


def _check_frontmatter(
    path: str, metadata: dict[str, Any], key_lines: Mapping[str, int]
) -> Iterator[Finding]:
    for error in frontmatter_errors(metadata):
        if error.validator == "additionalProperties":
            known = frontmatter_schema()["properties"]
            for key in metadata.keys() - known.keys():
                meant = did_you_mean(str(key), known)
                message = f'unknown key "{key}"; only {", ".join(known)} are allowed{meant}'
                yield Finding(path, key_lines.get(str(key), 1), 1, "frontmatter-key", message)
        elif error.validator == "required":
            missing = next(k for k in frontmatter_schema()["required"] if f"'{k}'" in error.message)
            yield Finding(path, 1, 1, "frontmatter-key", f'"{missing}" is missing; add it')
        else:
            key = str(error.absolute_path[0]) if error.absolute_path else ""
            rule = key.replace("_", "-") or "frontmatter"
            yield Finding(path, key_lines.get(key, 1), 1, rule, describe(error))


def _sections(body: str, first_line: int, path: str, findings: list[Finding]) -> Iterator[Section]:
    """Cut the body at its level-two headings. What cannot be read goes into `findings`."""
    lines = body.split("\n")
    tokens = parse_blocks(body)
    for token in tokens:
        if token.type == "code_block" and token.map:
            message = "indented code; put it into a fence, so that it is proven"
            findings.append(Finding(path, first_line + token.map[0], 1, "indented-code", message))
    heads = [
        (token.map[0], token.map[1], tokens[position + 1].content)
        for position, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2" and token.level == 0 and token.map
    ]
    ends = [*(start for start, _, _ in heads[1:]), len(lines)][: len(heads)]
    before = next((n for n, text in enumerate(lines[: heads[0][0]] if heads else []) if text), None)
    if before is not None:
        message = "text before the first section; move it below ## Context"
        findings.append(Finding(path, first_line + before, 1, "sections", message))
    for (start, text_start, name), end in zip(heads, ends, strict=True):
        text = "\n".join(lines[text_start:end])
        blank = len(text) - len(text.lstrip("\n"))
        yield Section(
            name=name,
            text=text.strip("\n").rstrip(),
            line=first_line + start,
            text_line=first_line + text_start + blank,
            fences=tuple(
                _fence(token, first_line, path, findings)
                for token in tokens
                if token.type == "fence" and token.map and start < token.map[0] < end
            ),
        )


def _fence(token: Token, first_line: int, path: str, findings: list[Finding]) -> Fence:
    line = first_line + (token.map or [0])[0]
    info = read_info(token.info)
    for word in info.unreadable:
        message = f'cannot read "{word}" after the language; write key="value"'
        findings.append(Finding(path, line, 1, "fence-info", message))
    options = {key: value for key, value in info.options.items() if key != "title"}
    return Fence(info.language, info.options.get("title"), options, token.content, line)


def _check_sections(path: str, sections: list[Section], first_line: int) -> Iterator[Finding]:
    names = tuple(section.name for section in sections)
    if names == SECTIONS:
        return
    expected = ", ".join(f"## {name}" for name in SECTIONS)
    line = first_line
    for section, right in zip(sections, SECTIONS, strict=False):
        if section.name != right:
            line = section.line
            break
    found = ", ".join(f"## {name}" for name in names) or "none"
    message = f"the sections are {found}; they must be exactly {expected}, in this order"
    yield Finding(path, line, 1, "sections", message)


def _check_size(path: str, sections: list[Section]) -> Iterator[Finding]:
    for section in sections:
        if len(section.text) > MOST_CHARACTERS:
            message = (
                f"{len(section.text)} characters in {section.name}; write at most {MOST_CHARACTERS}"
            )
            yield Finding(path, section.line, 1, "size", message)
    fences = [fence for section in sections for fence in section.fences]
    if len(fences) > MOST_FENCES:
        message = f"{len(fences)} fences; write at most {MOST_FENCES}"
        yield Finding(path, fences[MOST_FENCES].line, 1, "size", message)
