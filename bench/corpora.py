"""The made-up corpora of the measurements, the same in every run, and questions on them.

Up to `MOST_REAL` traces can be the real seeds, over and over with other slugs and titles. Larger
corpora are generated, of the size that real ones have. Their vectors are not embeddings of their
texts, which would take minutes, but blends of three real seeds' vectors with noise: as many, as
wide, and about as close to one another as those of a large corpus of one field.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.content.seed_file import find_seeds
from tools.paths import FIXTURE, SEEDS

Element = dict[str, Any]
"""One element of a fixture."""

WORDS = 4_000
TAGS = 300
SYLLABLES = ("ba", "con", "de", "fi", "gra", "hol", "in", "ker", "lo", "mu", "no", "pre", "ter")

MOST_REAL = 1_000
FILTERS = {"one-in-2": 2, "one-in-20": 20, "one-in-500": 500}
"""Tags to filter by: every so many traces have one."""

REAL_IN_A_BLEND = 3
NOISE = 0.5
"""Length of the noise beside a blend of length 1."""


def real_elements() -> list[Element]:
    """Return the elements of the fixture as it is."""
    elements: list[Element] = json.loads(FIXTURE.read_bytes())
    return elements


def generated_elements(count: int) -> list[Element]:
    """Return elements with contexts of about 600 characters, solutions of about 2,000."""
    rng = random.Random(20)
    write = _writer(rng)
    return [_generated_element(number, write, rng) for number in range(count)]


def _writer(rng: random.Random) -> Callable[[int], str]:
    """Return a function that makes up a text of so many characters."""
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(WORDS)]
    # Common words are common: Zipf's law, as in real text.
    weights = [1 / rank for rank in range(1, WORDS + 1)]
    return lambda length: " ".join(rng.choices(words, weights, k=length // 6))[:length].strip()


def _generated_element(number: int, write: Callable[[int], str], rng: random.Random) -> Element:
    return {
        "slug": f"python/generated-{number}",
        "title": f"{write(40)} fails in case {number}",
        "context": write(rng.randint(400, 800)).ljust(200, "."),
        "solution": f"{write(500)}\n\n```python\n{write(rng.randint(500, 2500))}\n```\n",
        "tags": ["python", *(f"tag-{n}" for n in rng.sample(range(TAGS), rng.randint(1, 4)))],
        "agent_model": "claude-opus-4-6",
        "agent_version": "1.0",
        "proven_with": {"pytest": "9.2.0"},
    }


def filtered_elements(count: int) -> list[Element]:
    """Return elements, up to `MOST_REAL` real ones, each with the tags to filter by."""
    elements = _repeated(real_elements(), count) if is_real(count) else generated_elements(count)
    for number, element in enumerate(elements):
        filters = [tag for tag, every in FILTERS.items() if number % every == 0]
        element["tags"] = [*filters, *element["tags"]][:5]
    return elements


def is_real(count: int) -> bool:
    """Say whether so many elements are real seeds, repeated."""
    return count <= MOST_REAL


def _repeated(seeds: Sequence[Element], count: int) -> list[Element]:
    copied = ((seeds[number % len(seeds)], number) for number in range(count))
    return [
        seed | {"slug": f"{seed['slug']}-{number}", "title": f"{seed['title']} ({number})"}
        for seed, number in copied
    ]


def questions(elements: Sequence[Element], count: int) -> list[str]:
    """Return three to ten words of a trace each, as people remember them."""
    rng = random.Random(7)
    return [
        " ".join(rng.sample(f"{e['title']} {e['context']}".split(), rng.randint(3, 10)))
        for e in rng.choices(elements, k=count)
    ]


def blends(real: Any, count: int, seed: int) -> Any:
    """Return vectors of unit length: means of real ones, weighted at random, and noise."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(REAL_IN_A_BLEND), count)
    chosen = real[rng.integers(len(real), size=(count, REAL_IN_A_BLEND))]
    blended = _unit(np.einsum("nk,nkd->nd", weights, chosen))
    noise = _unit(rng.standard_normal(blended.shape))
    return _unit(blended + NOISE * noise).astype(np.float32)


def _unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_seeds(folder: Path, count: int) -> None:
    """Write seeds made from the real ones, each with a title of its own."""
    models = find_seeds(SEEDS)
    for number in range(count):
        model = models[number % len(models)]
        lines = model.read_text("utf-8").split("\n")
        lines[1] = f'title: "Generated problem number {number} of the build measurement"'
        path = folder / model.parent.name / f"{model.stem}-{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")
