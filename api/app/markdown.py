"""Markdown as traces use it: blocks, and what a fence says of itself."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

MOST_INFO = 300
"""Characters after the backticks that open a fence; splitting more takes long."""


@dataclass(frozen=True, slots=True)
class FenceInfo:
    """What follows the backticks that open a fence: ` ```python title="x.py" `."""

    language: str
    options: Mapping[str, str]
    unreadable: Sequence[str]
    """Words that are no `key="value"`."""


@cache
def read_info(info: str) -> FenceInfo:
    """Split the info string of a fence into its language, its options and what cannot be read."""
    if len(info) > MOST_INFO:
        return FenceInfo("", {}, [f"{info[:MOST_INFO]}…"])
    try:
        words = shlex.split(info)
    except ValueError:  # an open quote
        words = info.split()
    language = words.pop(0) if words and "=" not in words[0] else ""
    options: dict[str, str] = {}
    unreadable = []
    for word in words:
        key, _, value = word.partition("=")
        if not key or not value or key in options:
            unreadable.append(word)
        else:
            options[key] = value
    return FenceInfo(language, options, unreadable)


def parse_blocks(markdown: str) -> list[Token]:
    """Parse CommonMark up to its blocks; inline markup stays as it is."""
    return _block_parser().parse(markdown)


def split_code(markdown: str) -> tuple[str, str]:
    """Split a text into its prose and its fenced code."""
    fences = [token for token in parse_blocks(markdown) if token.type == "fence" and token.map]
    lines = markdown.split("\n")
    for fence in reversed(fences):
        assert fence.map
        del lines[slice(*fence.map)]
    return "\n".join(lines), "\n".join(fence.content for fence in fences)


@cache
def _block_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser
