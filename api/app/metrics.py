"""What the service counts, for Prometheus. Each application has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the histograms' buckets."""


class Metrics:
    """The counters, and the registry that holds them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time to answer a request.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.searches = Counter("searches", "Searches answered.", registry=self.registry)
        self.empty_searches = Counter(
            "searches_without_result", "Searches that found nothing.", registry=self.registry
        )
        self.refused_searches = Counter(
            "searches_refused", "Searches refused because too many ran.", registry=self.registry
        )
        self.running_searches = Gauge(
            "searches_in_progress", "Searches under way.", registry=self.registry
        )
        self.embedding_backlog = Gauge(
            "embedding_backlog", "Traces that wait for their vector.", registry=self.registry
        )
        self._pool_size = Gauge(
            "database_pool_size", "Connections that requests may use.", registry=self.registry
        )
        self._pool_in_use = Gauge(
            "database_pool_in_use", "Connections that requests are using.", registry=self.registry
        )

    def watch_pool(self, engine: AsyncEngine) -> None:
        """Report the engine's pool from now on."""
        pool = engine.pool
        assert isinstance(pool, QueuePool)
        self._pool_size.set(pool.size())
        self._pool_in_use.set_function(pool.checkedout)
