"""Remembers how runs ended, so that only what changed is run again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.proving.sandbox import Outcome

if TYPE_CHECKING:
    from tools.content.seed_file import Seed
    from tools.proving.controls import Control

NO_PART = {"controls.py", "report.py", "runner.py", "unmissed.py"}
"""Modules of this package that no run depends on: which runs are made, and what is said of them.

What a control leaves out shows in its files.
"""


@dataclass(frozen=True, slots=True)
class Cache:
    """How runs ended, in files named by a digest of all that a run depends on.

    That is its files and its command with the options, the pins, and the code of the walls and of
    what stands within them. So a seed may be renamed and its prose be mended, and what is said of
    its results may change, but no result outlives what it was had with.
    """

    folder: Path
    pins_digest: str
    code: Path = Path(__file__).parent
    """Where the modules are."""

    def outcome_of(self, seed: Seed, control: Control | None = None) -> Outcome | None:
        """Return how the whole proof or a control ended (without its output), None if unknown."""
        try:
            status, seconds = self._entry(seed, control).read_text().split()
            return Outcome(int(status), float(seconds), "")
        except (OSError, ValueError):
            return None

    def remember(self, seed: Seed, control: Control | None, outcome: Outcome) -> None:
        """Note how a run ended, unless it is a whole proof that failed: that may be luck."""
        if control or outcome.passed:
            self.folder.mkdir(parents=True, exist_ok=True)
            status = 0 if outcome.passed else 1
            self._entry(seed, control).write_text(f"{status} {outcome.seconds:.3f}")

    def _entry(self, seed: Seed, control: Control | None) -> Path:
        command, files = seed.command, control.files if control else seed.files
        parts = [self.pins_digest, self._code_digest(), command.code]
        parts += [f"{key}={value}" for key, value in sorted(command.options.items())]
        parts += [text for file in sorted(files.items()) for text in file]
        return self.folder / hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _code_digest(self) -> str:
        sources = [path for path in self.code.glob("*.py") if path.name not in NO_PART]
        texts = b"\0".join(source.read_bytes() for source in sorted(sources))
        return hashlib.sha256(texts).hexdigest()
