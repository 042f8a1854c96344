"""What weakens, destroys, sends away or breaks out: not always wrong, always to be read twice.

These are hints, on what `dangers` lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from tools.content.safety.dangers import (
    BREAKS_OUT,
    DESTROYS,
    MOUNTS,
    SENDS,
    TOGETHER,
    WEAKENS,
    Table,
)
from tools.content.safety.passages import Passage, Problem, code, fences, joined

if TYPE_CHECKING:
    from tools.content.seed_file import Seed

QUESTION = "is it meant, and does the seed say so?"


def weakens_security(seed: Seed) -> Iterator[Problem]:
    """What weakens security is wanted, and the seed says what it costs."""
    yield from _hints(code(seed.solution), WEAKENS)
    for passage in fences(seed.solution):
        yield from _together(passage)


def destroys_data(seed: Seed) -> Iterator[Problem]:
    """What destroys data is wanted, and the seed says what is lost."""
    yield from _hints(code(seed.solution), DESTROYS)


def sends_secrets_away(seed: Seed) -> Iterator[Problem]:
    """What reads keys, or sends something away, is wanted."""
    yield from _hints(code(seed.context, seed.solution), SENDS)


def leaves_the_sandbox(seed: Seed) -> Iterator[Problem]:
    """A proof that reaches beyond its folder needs to."""
    yield from _hints(fences(seed.proof), BREAKS_OUT)
    if not any(fence.options.get("needs") == "docker" for fence in seed.proof.fences):
        yield from _hints(fences(seed.proof), MOUNTS)


def _hints(passages: Iterable[Passage], table: Table) -> Iterator[Problem]:
    """The first of each kind of a seed: a hint is to be read, not to be counted."""
    seen: set[str] = set()
    for passage in passages:
        text = joined(passage.text)
        for what, pattern in _compiled(table):
            match = None if what in seen else pattern.search(text)
            if match:
                seen.add(what)
                shown = " ".join(match[0].split())[:50]
                yield passage.line_at(match.start()), f'"{shown}" {what}; {QUESTION}'


@cache
def _compiled(table: Table) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((what, re.compile(source, re.IGNORECASE | re.M)) for what, source in table)


def _together(passage: Passage) -> Iterator[Problem]:
    for what, first, second in TOGETHER:
        match = re.search(first, passage.text)
        if match and re.search(second, passage.text):
            yield passage.line_at(match.start()), f"{what}; {QUESTION}"
