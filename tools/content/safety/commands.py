"""Commands of a shell as they stand in a text, wherever that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.content.safety.passages import Passage, joined

WRAPPERS = frozenset(
    [
        "sudo",
        "doas",
        "env",
        "command",
        "exec",
        "time",
        "nohup",
        "nice",
        "stdbuf",
        "setsid",
        "xargs",
        "busybox",
        "run",
        "run:",
        "cmd",
        "-",
        "then",
        "do",
        "else",
        "if",
        "!",
        "&&",
        "timeout",
    ]
)
SEPARATOR = re.compile(r"(\|\||&&|\|&?|;|&(?=\s|$))")
ASSIGNMENT = re.compile(r"\w+=\S*$")
PROMPT = re.compile(
    r"^\s{0,40}(?:[-$#>%❯]\s+|PS[^>\n]{0,40}>\s{0,3}|(?:RUN|CMD|ENTRYPOINT)\s+|run:\s{0,3}\|?\s*)?"
)
QUOTES = "\"'`()[]{},"


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words from the program on, its text, and what stands before it."""

    words: tuple[str, ...]
    text: str
    operator: str
    passage: Passage
    offset: int

    @property
    def program(self) -> str:
        """The name of the program without its folder."""
        return self.words[0].rpartition("/")[2].lower() if self.words else ""

    @property
    def is_piped(self) -> bool:
        """Whether it reads what the command before it writes."""
        return self.operator in {"|", "|&"}

    @property
    def line(self) -> int:
        """The line of the file in which it begins."""
        blank = len(self.text) - len(self.text.lstrip())
        return self.passage.line_at(self.offset + blank)


def commands(passage: Passage) -> Iterator[Command]:
    """Every command of a text, as a shell would cut it."""
    offset = 0
    for line in joined(passage.text).split("\n"):
        parts = SEPARATOR.split(line)
        for operator, text in zip(("", *parts[1::2]), parts[::2], strict=True):
            offset += len(operator)
            yield Command(_words(text), text, operator, passage, offset)
            offset += len(text)
        offset += 1


def _words(text: str) -> tuple[str, ...]:
    """The words from the program on: no prompt, no `sudo`, no variables before it."""
    words = [word.strip(QUOTES) for word in PROMPT.sub("", text[:2000], count=1).split()[:40]]
    position = 0
    while position < len(words) and _stands_before(words, position):
        position += 1
    return tuple(words[position:])


def _stands_before(words: list[str], position: int) -> bool:
    word = words[position].lower()
    follows = position > 0 and (word.startswith("-") or word.isdigit())
    return not word or word in WRAPPERS or follows or bool(ASSIGNMENT.match(words[position]))
