"""The questions that search is measured on, from the files beside this, and ways to spoil them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

SHORTEST_MISSPELT = 5
"""Letters. In shorter words a slip makes another word."""


@dataclass(frozen=True)
class Question:
    """A question and the slugs of the traces that answer it; none if nothing does."""

    query: str
    slugs: frozenset[str]
    category: str
    kind: str


def judged(folder: Path = FOLDER) -> list[Question]:
    """Return what developers asked, answerable or not."""
    return _read(folder / "judgments.jsonl")


def paraphrases(folder: Path = FOLDER) -> list[Question]:
    """Worded to share few words with the title of the trace that answers, and pasted logs."""
    return _read(folder / "paraphrases.jsonl")


def languages(folder: Path = FOLDER) -> list[Question]:
    """Questions that are not in English; the category is the language."""
    return _read(folder / "languages.jsonl")


def off_topic(folder: Path = FOLDER) -> list[Question]:
    """Questions that nothing in such a corpus answers."""
    return _read(folder / "off_topic.jsonl")


def _read(path: Path) -> list[Question]:
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        Question(
            line["query"],
            frozenset(line.get("slugs", ())),
            line.get("category") or line.get("language", ""),
            line.get("kind", ""),
        )
        for line in lines
    ]


def _half_of_the_words(words: list[str], rng: random.Random) -> list[str]:
    kept = sorted(rng.sample(range(len(words)), max(min(3, len(words)), len(words) // 2)))
    return [words[index] for index in kept]


def _one_word_left_out(words: list[str], rng: random.Random) -> list[str]:
    left_out = rng.randrange(len(words))
    return words[:left_out] + words[left_out + 1 :] or words


def _another_order(words: list[str], rng: random.Random) -> list[str]:
    return rng.sample(words, len(words))


def _a_third_misspelt(words: list[str], rng: random.Random) -> list[str]:
    long = [n for n, word in enumerate(words) if len(word) >= SHORTEST_MISSPELT and word.isalpha()]
    chosen = rng.sample(long, -(-len(long) // 3))
    return [_misspelt(word, rng) if n in chosen else word for n, word in enumerate(words)]


def _misspelt(word: str, rng: random.Random) -> str:
    """Two letters exchanged, one left out or one doubled; not the first."""
    at = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    exchanged = before + after[0] + letter + after[1:]
    return rng.choice([exchanged, before + after, before + letter + letter + after])


NOISE: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "one word left out": _one_word_left_out,
    "half of the words": _half_of_the_words,
    "another order": _another_order,
    "a third misspelt": _a_third_misspelt,
}
"""Ways to spoil a question's words."""


def noisy(questions: Sequence[Question], noise: str) -> list[Question]:
    """Return the questions, spoilt; the same in every run."""
    rng = random.Random(7)
    return [
        Question(
            " ".join(NOISE[noise](question.query.split(), rng)),
            question.slugs,
            question.category,
            question.kind,
        )
        for question in questions
    ]
