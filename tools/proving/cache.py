"""Remembers which proofs passed, so that only what changed is run again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.content.seed_file import Seed


@dataclass(frozen=True, slots=True)
class Cache:
    """Proofs that passed, as files named by a digest of all that a proof depends on.

    That is the seed's files and command with its options, the pins, and this package's code.
    """

    folder: Path
    pins_digest: str

    def seconds_of(self, seed: Seed) -> float | None:
        """Return how long the proof took when it passed as it stands, None if it has not."""
        try:
            return float(self._entry(seed).read_text())
        except (OSError, ValueError):
            return None

    def remember(self, seed: Seed, seconds: float) -> None:
        """Note that the proof passed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._entry(seed).write_text(f"{seconds:.3f}")

    def _entry(self, seed: Seed) -> Path:
        parts = [self.pins_digest, _code_digest(), seed.slug, *seed.solution_files]
        parts += [text for file in seed.files.items() for text in file]
        parts += [seed.command.code, *(f"{k}={v}" for k, v in sorted(seed.command.options.items()))]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return self.folder / digest


def _code_digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
