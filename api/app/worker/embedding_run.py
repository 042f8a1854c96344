"""The embedding worker's loop: claim a batch, embed it in one call, write the vectors."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.errors import DATABASE_ERRORS, reason_of
from app.database.notifications import ChangeListener
from app.services.embeddings import Embedder, EmbeddingError, Vector
from app.worker.embedding_queue import Claim, EmbeddingQueue

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two tries while the provider or the database is down; doubled after each."""

_PROBE = "Is the provider there?"
"""A text that every working provider can embed."""


@dataclass(frozen=True)
class Counts:
    """What became of claimed traces."""

    embedded: int = 0
    failed: int = 0
    changed: int = 0
    """Edited while they were being embedded, and so to be done again."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.embedded + other.embedded,
            self.failed + other.failed,
            self.changed + other.changed,
        )

    def __bool__(self) -> bool:
        return self != Counts()


class EmbeddingRun:
    """Takes traces from a queue and gives them to an embedder, a batch at a time."""

    def __init__(self, queue: EmbeddingQueue, embedder: Embedder, batch_size: int) -> None:
        self._queue = queue
        self._embedder = embedder
        self._batch_size = batch_size

    async def drain(self) -> Counts:
        """Work until no trace can be claimed.

        Raises:
            EmbeddingError: if the provider does not work at all.
        """
        total = Counts()
        while counts := await self.batch():
            total += counts
        return total

    async def forever(self, engine: AsyncEngine, poll_seconds: float) -> None:
        """Work until cancelled: at once when traces change, else every `poll_seconds`."""
        pause = FIRST_PAUSE
        async with ChangeListener(engine) as changes:
            while True:
                try:
                    counts = await self.drain()
                    pause = FIRST_PAUSE
                    if counts:
                        log.info("%d embedded, %d failed", counts.embedded, counts.failed)
                except (EmbeddingError, *DATABASE_ERRORS) as error:
                    log.warning("%s; next try in %.0f s", reason_of(error), pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    await changes.wait(poll_seconds)

    async def batch(self) -> Counts:
        """Claim and embed one batch; no transaction is open while the embedder works.

        Raises:
            EmbeddingError: if the provider does not work at all. The claims are given back.
        """
        claims = await self._queue.claim(self._batch_size)
        if not claims:
            return Counts()
        try:
            results = await self._embed(claims)
        except BaseException:  # also when cancelled
            await asyncio.shield(self._queue.release(claims))
            raise
        vectors = {claim: r for claim, r in results.items() if not isinstance(r, EmbeddingError)}
        failures = {claim: str(r) for claim, r in results.items() if isinstance(r, EmbeddingError)}
        written = await self._queue.write(vectors) if vectors else 0
        if failures:
            await self._queue.reschedule(failures)
        for claim, reason in failures.items():
            log.warning("trace %s (%s) not embedded: %s", claim.trace_id, claim.title, reason)
        return Counts(written, len(failures), len(vectors) - written)

    async def _embed(self, claims: Sequence[Claim]) -> dict[Claim, Vector | EmbeddingError]:
        """Return a vector or a failure for each claim.

        A batch that fails is halved until the bad texts stand alone.

        Raises:
            EmbeddingError: if the provider refuses even the probe.
        """
        try:
            vectors = await self._embedder.embed_documents([claim.text for claim in claims])
        except EmbeddingError as error:
            await self._embedder.embed_documents([_PROBE])
            if len(claims) == 1:
                return {claims[0]: error}
            middle = len(claims) // 2
            return await self._embed(claims[:middle]) | await self._embed(claims[middle:])
        return dict(zip(claims, vectors, strict=True))
