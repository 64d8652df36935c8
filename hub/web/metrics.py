"""This module declares the web's metrics, each once with unit and meaning.

Labels are routes as written in the code, statuses and enum members.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10)


class WebMetrics:
    """The web's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hub_web_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "hub_web_seconds", "From request to answer, seconds.", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.numbers = Counter(
            "hub_web_numbers", "Numbers asked about, by what was asked.", ("kind",), registry=self.registry
        )
        self.streams = Gauge("hub_web_streams", "Live streams open now.", registry=self.registry)
