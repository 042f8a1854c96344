"""Serve the pages with the seeds as they are on disk: a changed one shows after a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tools.paths import SEEDS

if TYPE_CHECKING:
    from app.config import Settings
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tools.content.findings import Finding
    from tools.content.seed_file import Seed

State = Mapping[Path, tuple[int, int]]
"""Time of the last change and size of each file."""


@dataclass(slots=True)
class SeedsOnDisk:
    """The preview of a folder of seeds: read and imported again when a file has changed."""

    engine: AsyncEngine
    root: Path = SEEDS
    _seen: State = field(default_factory=dict)
    _read: dict[Path, tuple[Seed | None, Sequence[Finding]]] = field(default_factory=dict)
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
        seed, _ = self._entry(slug)
        return seed.proof.text if seed else None

    def problems_of(self, slug: str) -> Sequence[str]:
        """Return what the rules find wrong with a seed."""
        return [str(finding) for finding in self._entry(slug)[1]]

    def broken(self) -> Sequence[str]:
        """Return the problems of all seeds."""
        return [str(finding) for _, findings in self._read.values() for finding in findings]

    def _entry(self, slug: str) -> tuple[Seed | None, Sequence[Finding]]:
        return self._read.get(self.root / f"{slug}.md", (None, ()))

    def _check(self, changed: Sequence[Path], state: State) -> None:
        from functools import partial

        from tools.content.corpus import check_file, map_files

        checked = map_files(partial(check_file, root=self.root), changed)
        self._read |= dict(zip(changed, checked, strict=True))
        self._read = {path: entry for path, entry in self._read.items() if path in state}

    async def _import(self) -> None:
        """Import the well-formed seeds; of two with one title, only one."""
        from tools.fixture.reader import SeedTrace
        from tools.fixture.compiler import record_of
        from tools.import_seeds import import_seeds

        seeds = {seed.title: seed for seed, _ in self._read.values() if seed}
        traces = [SeedTrace.from_element(record_of(seed)) for seed in seeds.values()]
        await import_seeds(self.engine, traces)


def _state(root: Path) -> State:
    from tools.content.seed_file import find_seeds

    stats = ((path, path.stat()) for path in find_seeds(root))
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in stats}


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--seeds-path", default=SEEDS, help="The folder of the seeds.",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
)  # fmt: skip
def main(host: str, port: int, seeds_path: Path) -> None:
    """Serve pages, search and API from the target, with the seeds as they are on disk."""
    from app.config import load_settings

    asyncio.run(_serve(load_settings(), host, port, seeds_path))


async def _serve(settings: Settings, host: str, port: int, root: Path) -> None:
    from app.database import connected_engine
    from app.http.server import serve
    from app.main import create_app

    async with connected_engine(settings) as engine:
        app = create_app(settings, SeedsOnDisk(engine, root))
        await serve(app, host, port, shutdown_timeout=settings.shutdown_timeout)


if __name__ == "__main__":
    main()
