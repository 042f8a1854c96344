"""Search under a bound: counted, logged, and refused at once when too many run."""

import logging
import time
from collections.abc import Sequence

from app.metrics import Metrics
from app.search.service import SearchAnswer, SearchService

log = logging.getLogger(__name__)


class TooManySearchesError(Exception):
    """As many searches as are allowed are under way."""


class BoundedSearch:
    """A search service for many clients."""

    def __init__(
        self,
        service: SearchService,
        metrics: Metrics,
        *,
        max_concurrent: int,
        log_queries: bool = False,
    ) -> None:
        """Let `max_concurrent` searches run at once; logs hold questions only if told so."""
        self._service = service
        self._metrics = metrics
        self._max_concurrent = max_concurrent
        self._log_queries = log_queries
        self._running = 0

    async def search(
        self, question: str | None, tags: Sequence[str] = (), limit: int = 10
    ) -> SearchAnswer:
        """Search as `SearchService.search` does.

        Raises:
            TooManySearchesError: at once, if no more may run.
        """
        if self._running >= self._max_concurrent:
            self._metrics.refused_searches.inc()
            raise TooManySearchesError
        begin = time.perf_counter()
        self._running += 1
        self._metrics.running_searches.set(self._running)
        try:
            answer = await self._service.search(question, tags, limit)
        finally:
            self._running -= 1
            self._metrics.running_searches.set(self._running)
        self._record(answer, question, tags, time.perf_counter() - begin)
        return answer

    def _record(
        self, answer: SearchAnswer, question: str | None, tags: Sequence[str], seconds: float
    ) -> None:
        self._metrics.searches.inc()
        if not answer.results:
            self._metrics.empty_searches.inc()
        fields: dict[str, object] = {
            "characters": len(question or ""),
            "found": answer.total,
            "milliseconds": round(1000 * seconds, 1),
        }
        if self._log_queries:
            fields |= {"question": question, "tags": list(tags)}
        log.info("search found %d", answer.total, extra=fields)
