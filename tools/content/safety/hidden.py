"""Text that a page does not show, or that nobody can read, but that an agent gets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.content.safety.passages import (
    Problem,
    blocks,
    definitions,
    inline_tokens,
    prose,
    whole,
)

if TYPE_CHECKING:
    from tools.content.seed_file import Section, Seed

DEFINITION = re.compile(r"^[\s>*+\-0-9.)]{0,20}\[[^\]\n]{1,400}\]:(?=\s|$)")
"""A link definition as the loosest of Markdown's readers knows it."""
BLOB = re.compile(r"[A-Za-z0-9+/_-]{160,}={0,2}|(?:\\x[0-9a-fA-F]{2}){40,}")
"""Encoded data long enough to hide something: nobody can review it."""
WRAPPED_BLOB = re.compile(
    r"""(?:^[ \t]{0,12}["']?[A-Za-z0-9+/_-]{40,100}={0,2}["',\\]{0,3}[ \t]*\n){3,}""", re.MULTILINE
)
"""The same over several lines."""
ENCODED = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,}={0,2}")
WORDS = re.compile(r"[\w'\"/~.-]+(?: [\w'\"/~.:-]+){3,}")
"""Four words with spaces between them: text."""


def no_raw_html(seed: Seed) -> Iterator[Problem]:
    """No HTML in the prose, comments least of all: a page does not show what an agent reads."""
    for section in seed.sections:
        for line in _html_lines(section) if "<" in section.text else ():
            yield line, "raw HTML; write Markdown, and code in backticks"


def no_hidden_text(seed: Seed) -> Iterator[Problem]:
    """No image, link definition or link title: a page does not show their text."""
    for section in seed.sections:
        for line, token, _ in inline_tokens(section) if "[" in section.text else ():
            if token.type == "image":
                yield line, "an image; say in words what it shows"
            elif token.type == "link_open" and token.attrs.get("title"):
                yield line, "a title of a link, which a page does not show; leave it out"
        for line in sorted(_definition_lines(section)):
            yield line, "a link definition, which a page does not show; write the link in place"


def no_blob(seed: Seed) -> Iterator[Problem]:
    """No encoded data that nobody can read in a review."""
    for passage in whole(seed):
        for pattern in (BLOB, WRAPPED_BLOB):
            for line, match in passage.matches(pattern):
                message = f"{len(match[0])} characters of encoded data; make the data in the code"
                yield line, message
        for line, match in passage.matches(ENCODED):
            if text := decoded_text(match[0]):
                yield line, f'encoded text ("{text[:40]}…"); write it as it reads'


def decoded_text(word: str) -> str:
    """Return the text that a word holds in base64 or hexadecimal digits, or nothing."""
    for decode in (_from_base64, bytes.fromhex):
        try:
            text = decode(word).decode("ascii")
        except (ValueError, binascii.Error):
            continue
        if text.isprintable() and WORDS.search(text):
            return text
    return ""


def _from_base64(word: str) -> bytes:
    word = word.rstrip("=")
    return base64.urlsafe_b64decode(
        word.replace("+", "-").replace("/", "_") + "=" * (-len(word) % 4)
    )


def _html_lines(section: Section) -> Iterator[int]:
    for line, block in blocks(section):
        if block.type == "html_block":
            yield line
    for line, token, _ in inline_tokens(section):
        if token.type == "html_inline":
            yield line


def _definition_lines(section: Section) -> set[int]:
    if "]:" not in section.text:
        return set()
    in_prose = {passage.line for passage in prose(section) if DEFINITION.match(passage.text)}
    return in_prose | set(definitions(section))
