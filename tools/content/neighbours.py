"""Which seeds say nearly the same? By the vectors that search uses."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tools.content.findings import Finding, Severity
from tools.content.seed_file import Seed
from tools.paths import CACHE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME_QUESTION = 0.9
"""Cosine from which two seeds are taken to answer one question, so that the new one is refused.

Four seeds that were told again in other words came to 0.81 to 0.87, and the nearest two of the
corpus that are about different problems to 0.88: below this a person has to decide, and is shown
the neighbour."""
WORTH_A_LOOK = 0.7
"""Cosine from which a neighbour is shown to who writes a seed: half of all seeds have one."""
SHOWN = 3
"""Neighbours shown at most, the nearest ones."""
VECTORS = CACHE / "vectors.npz"


def neighbour_findings(
    seeds: Sequence[Seed], others: Sequence[Seed], *, hints: bool
) -> Iterator[Finding]:
    """Compare each of `seeds` with all `others`: errors for the same question, hints if near."""
    if not seeds:
        return
    for seed, row in zip(seeds, similarities(seeds, others), strict=True):
        near = sorted(
            ((float(cosine), other) for cosine, other in zip(row, others, strict=True)
             if other.slug != seed.slug and cosine >= WORTH_A_LOOK),
            key=lambda pair: -pair[0],
        )  # fmt: skip
        for cosine, other in near[:SHOWN]:
            same = cosine >= SAME_QUESTION
            if not (same or hints):
                continue
            message = f'{other.slug} is near ({cosine:.2f}): "{other.title}"; ' + (
                "improve that one instead" if same else "read it before you go on"
            )
            severity: Severity = "error" if same else "hint"
            yield Finding(seed.path, seed.line_of("title"), 1, "near-neighbour", message, severity)


def similarities(seeds: Sequence[Seed], others: Sequence[Seed]) -> NDArray[np.float32]:
    """Return the cosine of each of `seeds` (rows) to each of `others` (columns)."""
    from app.services.embeddings import document_text

    texts = {seed.slug: document_text(seed.title, seed.context.text) for seed in (*seeds, *others)}
    vectors = _vectors(list(texts.values()))

    def rows(chosen: Sequence[Seed]) -> NDArray[np.float32]:
        import numpy as np

        return np.array([vectors[texts[seed.slug]] for seed in chosen], dtype=np.float32)

    similar: NDArray[np.float32] = rows(seeds) @ rows(others).T
    return similar


def _vectors(texts: Sequence[str]) -> Mapping[str, Sequence[float]]:
    """Embed the texts, those that were embedded before from the cache."""
    import numpy as np
    from app.services.embeddings import LocalEmbedder

    embedder = LocalEmbedder()
    keys = {text: _key(text, embedder.model_version) for text in texts}
    try:
        with np.load(VECTORS) as stored:
            known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
    except (OSError, ValueError, KeyError):
        known = {}
    missing = [text for text, key in keys.items() if key not in known]
    if missing:
        embedded = asyncio.run(embedder.embed_documents(missing))
        known |= {keys[text]: vector for text, vector in zip(missing, embedded, strict=True)}
        VECTORS.parent.mkdir(exist_ok=True)
        np.savez(VECTORS, keys=np.array(list(known)), vectors=np.array(list(known.values()), "f4"))
    return {text: known[key] for text, key in keys.items()}


def _key(text: str, version: str) -> str:
    return hashlib.sha256(f"{version}\0{text}".encode()).hexdigest()[:32]
