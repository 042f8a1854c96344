"""What the pages show of seeds that are being written: the checkout's side of `make serve`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Preview(Protocol):
    """Knows the seeds on disk. The service itself knows only the database."""

    async def refresh(self) -> None:
        """Bring the database up to date with seeds that changed on disk."""

    def proof_of(self, slug: str) -> str | None:
        """Return the Markdown of a seed's proof."""

    def problems_of(self, slug: str) -> Sequence[str]:
        """Return what the rules find wrong with a seed, one line each."""

    def problems(self) -> Sequence[str]:
        """Return what the rules find wrong with any seed, one line each."""
