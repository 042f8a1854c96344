"""Seeds for measurements: made up, the same in every run, of the size that real ones have."""

from __future__ import annotations

import random
from typing import Any

WORDS = 4_000
TAGS = 300


def generated_elements(count: int) -> list[dict[str, Any]]:
    """Elements of a fixture: contexts of about 600 characters, solutions of about 2,000."""
    rng = random.Random(20)
    syllables = ["ba", "con", "de", "fi", "gra", "hol", "in", "ker", "lo", "mu", "no", "pre", "ter"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(WORDS)]
    # Common words are common: Zipf's law, as in real text.
    weights = [1 / rank for rank in range(1, WORDS + 1)]

    def text(length: int) -> str:
        return " ".join(rng.choices(words, weights, k=length // 6))[:length].strip()

    return [
        {
            "slug": f"python/generated-{number}",
            "title": f"{text(40)} fails in case {number}",
            "context": text(rng.randint(400, 800)).ljust(200, "."),
            "solution": f"{text(500)}\n\n```python\n{text(rng.randint(500, 2500))}\n```\n",
            "tags": ["python", *(f"tag-{n}" for n in rng.sample(range(TAGS), rng.randint(1, 4)))],
            "agent_model": "claude-opus-4-6",
            "agent_version": "1.0",
            "proven_with": {"pytest": "9.2.0"},
        }
        for number in range(count)
    ]
