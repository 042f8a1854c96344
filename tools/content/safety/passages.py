"""The parts of a seed that rules look at, each with the line where it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token

if TYPE_CHECKING:
    from tools.content.seed_file import Section, Seed

Problem = tuple[int, str]
CODE_SPAN = re.compile(r"(`{1,3})([^`\n]{1,400})\1")
CONTINUED = re.compile(r"\\\n|`\n(?=[ \t]{0,40}[|-])|(?<=[|&])\n(?=[ \t]{0,40}[^|\s])")
"""Where a command goes on in the next line: after a backslash, PowerShell's backtick, a pipe."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text and the line of the file in which it begins."""

    text: str
    line: int
    language: str = ""
    name: str = ""

    def line_at(self, position: int) -> int:
        """The line of the file in which a position of the text lies."""
        return self.line + self.text.count("\n", 0, position)

    def matches(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
        """Every match with the line of its start."""
        for match in pattern.finditer(self.text):
            yield self.line_at(match.start()), match


def whole(seed: Seed) -> Iterator[Passage]:
    """The file to the letter, and what its frontmatter says where YAML escapes disguise it."""
    yield Passage(seed.text, 1)
    if seed.title not in seed.text:
        yield Passage(seed.title, seed.line_of("title"))


def fences(*sections: Section) -> Iterator[Passage]:
    """The code of every fence."""
    for section in sections:
        for fence in section.fences:
            yield Passage(fence.code, fence.line + 1, fence.language, fence.title or "")


def prose(*sections: Section) -> Iterator[Passage]:
    """Every line outside of fences."""
    return (Passage(text, line) for section in sections for line, text in section.prose)


def code(*sections: Section) -> Iterator[Passage]:
    """Fences, and the code spans of the prose."""
    yield from fences(*sections)
    for passage in prose(*sections):
        for match in CODE_SPAN.finditer(passage.text):
            yield Passage(match[2].strip(), passage.line)


def joined(text: str) -> str:
    """Put commands that go on in the next line into one line; positions stay as they are."""
    return CONTINUED.sub(lambda match: " " * len(match[0]), text)


def inline_tokens(section: Section) -> Iterator[tuple[int, Token, tuple[Token, ...]]]:
    """Every inline token of the prose with its line and the tokens after it."""
    for block in _tokens(section.text):
        line = section.text_line + (block.map or [0])[0]
        children = tuple(block.children or ())
        for position, token in enumerate(children):
            yield line, token, children[position + 1 :]
            line += token.type in {"softbreak", "hardbreak"}


def blocks(section: Section) -> Iterator[tuple[int, Token]]:
    """Every block token of the prose with its line."""
    for token in _tokens(section.text):
        if token.map:
            yield section.text_line + token.map[0], token


def definitions(section: Section) -> Iterator[int]:
    """The line of every link definition."""
    environment: dict[str, dict[str, dict[str, list[int]]]] = {}
    _markdown().parse(section.text, environment)
    found = [*environment.get("references", {}).values(), *environment.get("duplicate_refs", [])]
    for reference in found:
        yield section.text_line + reference["map"][0]


@lru_cache(maxsize=8)
def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(_markdown().parse(text))


@cache
def _markdown() -> MarkdownIt:
    """CommonMark that takes every link for one: which are good is for the rules to say."""
    parser = MarkdownIt("commonmark")
    parser.validateLink = _any_link  # type: ignore[method-assign]
    return parser


def _any_link(url: str) -> bool:
    return bool(url)
