"""This module declares delivery's metrics, each once with unit and meaning. Labels are ids and enum members only."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hub.delivery.health import Answer, Health, ReceiverState

TOOK_BUCKETS_S = (0.01, 0.05, 0.2, 1, 5, 20)


class DeliveryMetrics:
    """These are the metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = self._counter("hub_delivery_answers", "Attempts by what they came to.", "platform", "verdict")
        self.receipts = self._counter("hub_delivery_receipts", "Receipts written to acks.")
        self._state = self._gauge("hub_delivery_state", "1 for the state a receiver is in.", "platform", "state")
        self._since = self._gauge("hub_delivery_state_since", "Since when, seconds since 1970.", "platform")
        self._failing = self._gauge(
            "hub_delivery_failing_since", "Since when it fails, seconds since 1970; 0 if not.", "platform"
        )
        self.behind = self._gauge("hub_delivery_behind", "Notices a receiver has not received.", "platform")
        self.requests = self._counter("hub_delivery_requests", "Requests of platforms.", "route", "status")
        self._took = Histogram(
            "hub_delivery_seconds",
            "From handing over to the answer, seconds.",
            buckets=TOOK_BUCKETS_S,
            registry=self.registry,
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def took(self, seconds: float) -> None:
        """Observe an attempt's time."""
        self._took.observe(seconds)

    def answered(self, platform: str, answer: Answer) -> None:
        """Count an attempt."""
        self._answers.labels(platform, answer.verdict).inc()

    def show(self, platform: str, health: Health) -> None:
        """Show a receiver's state."""
        for state in ReceiverState:
            self._state.labels(platform, state).set(state is health.state)
        self._since.labels(platform).set(health.since / 1_000)
        self._failing.labels(platform).set((health.overall.failing_since or 0) / 1_000)

    def forget(self, platform: str) -> None:
        """Remove the metrics of a platform to which delivery does not deliver any more."""
        for state in ReceiverState:
            self._state.remove(platform, state)
        for gauge in (self._since, self._failing, self.behind):
            gauge.remove(platform)
