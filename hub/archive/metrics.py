"""This module declares the archive's metrics, each once with unit and meaning. A label is a topic, never a number."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

TOOK_BUCKETS_S = (0.005, 0.02, 0.05, 0.2, 0.5, 2, 10)


class ArchiveMetrics:
    """The archive's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.kept = Counter("hub_archive_messages", "Messages kept.", ["topic"], registry=self.registry)
        self.behind = Gauge("hub_archive_behind", "Messages not kept yet.", ["topic"], registry=self.registry)
        self.behind_seconds = Gauge(
            "hub_archive_behind_seconds",
            "Age of the newest message kept, if behind.",
            ["topic"],
            registry=self.registry,
        )
        self.outages = Counter("hub_archive_outages", "Times the database was away.", registry=self.registry)
        self.took_seconds = Histogram(
            "hub_archive_batch_seconds", "Time of one transaction.", buckets=TOOK_BUCKETS_S, registry=self.registry
        )
