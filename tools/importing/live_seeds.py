"""The seeds of a folder as they are on disk: imported again when a file has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from tools.content.corpus import CheckedSeed, read_corpus
from tools.content.seed_file import find_seeds
from tools.fixture.compiler import record_of
from tools.fixture.reader import SeedTrace
from tools.importing.importer import import_seeds
from tools.paths import SEEDS

State = Mapping[Path, tuple[int, int]]
"""Time of the last change and size of each file."""


@dataclass(slots=True)
class LiveSeeds:
    """The preview of a folder of seeds: read and imported again when a file has changed."""

    engine: AsyncEngine
    root: Path = SEEDS
    _seen: State = field(default_factory=dict)
    _checked: dict[Path, CheckedSeed] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Import the seeds that changed on disk since the last call."""
        async with self._lock:
            state = _state(self.root)
            changed = [path for path in state if self._seen.get(path) != state[path]]
            if state.keys() == self._seen.keys() and not changed:
                return
            await asyncio.to_thread(self._check, changed, state)
            await self._import()
            self._seen = state

    def proof_of(self, slug: str) -> str | None:
        """Return the Markdown of a seed's proof."""
        checked = self._of(slug)
        return checked.seed.proof.text if checked and checked.seed else None

    def problems_of(self, slug: str) -> Sequence[str]:
        """Return what the rules find wrong with a seed."""
        checked = self._of(slug)
        return [str(finding) for finding in checked.findings] if checked else []

    def problems(self) -> Sequence[str]:
        """Return what the rules find wrong with any seed."""
        return [str(f) for checked in self._checked.values() for f in checked.findings]

    def _of(self, slug: str) -> CheckedSeed | None:
        return self._checked.get(self.root / f"{slug}.md")

    def _check(self, changed: Sequence[Path], state: State) -> None:
        known = self._checked | {c.path: c for c in read_corpus(changed, self.root).checked}
        self._checked = {path: checked for path, checked in known.items() if path in state}

    async def _import(self) -> None:
        """Import the well-formed seeds; of two with one title, only one."""
        seeds = {c.seed.title: c.seed for c in self._checked.values() if c.seed}
        traces = [SeedTrace.from_element(record_of(seed)) for seed in seeds.values()]
        await import_seeds(self.engine, traces)


def _state(root: Path) -> State:
    stats = ((path, path.stat()) for path in find_seeds(root))
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in stats}
