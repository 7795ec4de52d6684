"""What Prometheus reads from an engine, under `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY_BUCKETS_SECONDS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)


class Metrics:
    """The engine's own registry; labels name a site, and a reason where something was refused."""

    def __init__(self, site: str) -> None:
        self.registry = CollectorRegistry()
        self._info = Gauge("engine_info", "1, with the site that the engine serves", ["site"], registry=self.registry)
        self._info.labels(site).set(1)
        self.height = Gauge("engine_height", "Last committed height", registry=self.registry)
        self.commit_time = Gauge(
            "engine_last_commit_timestamp_seconds", "When the last block was committed here", registry=self.registry
        )
        self.persisted_height = Gauge("engine_persisted_height", "Height of the newest state", registry=self.registry)
        self.books_hash = Gauge(
            "engine_books_hash",
            "First 48 bits of the books' hash as of engine_books_hash_height: equal everywhere",
            registry=self.registry,
        )
        self.books_hash_height = Gauge(
            "engine_books_hash_height", "Last height divisible by 10 that was committed", registry=self.registry
        )
        self.open_orders = Gauge("engine_open_orders", "Orders in the book", ["market"], registry=self.registry)
        self.ready = Gauge("engine_ready", "1 while the gateway could acknowledge an order", registry=self.registry)
        self.transactions = Counter(
            "engine_transactions", "Transactions in committed blocks, by what became of them", ["code"],
            registry=self.registry,
        )  # fmt: skip
        self.trades = Counter("engine_trades", "Trades in committed blocks", registry=self.registry)
        self.refused = Counter(
            "engine_refused", "Orders that this gateway refused, by reason", ["reason"], registry=self.registry
        )
        self.indeterminate = Counter(
            "engine_indeterminate", "Orders whose fate this gateway did not learn in time", registry=self.registry
        )
        self.acknowledge_seconds = Histogram(
            "engine_acknowledge_seconds",
            "From an order's arrival at this gateway to its committed block",
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.block_seconds = Histogram(
            "engine_block_seconds", "Between commits", buckets=_LATENCY_BUCKETS_SECONDS, registry=self.registry
        )

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
