"""This module declares every metric once, with unit and meaning. Labels are ids and enum members, not phone numbers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hub.core.model import Coverage, GapClass

FLUSH_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10)


class Metrics:
    """The hub's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._of_platforms: list[Gauge] = []
        count, show = self._counter, self._gauge
        self.intake_decided = count("hub_intake_decided", "Messages of operators decided on.", "operator", "decision")
        self.refused = count("hub_refused", "Messages refused, by source topic and reason.", "topic", "reason")
        self.breaches = count("hub_breaches", "Duties an event showed not to be met.", "operator", "breach")
        self.notices = count("hub_notices", "Notices published to platforms.")
        self.acks = count("hub_acks", "Acknowledgement messages that counted.", "platform")
        self.ack_positions = count("hub_ack_positions", "Positions named in those acknowledgements.", "platform")
        self.in_force = show("hub_in_force", "Cases that count for a platform.", "platform")
        self.resolved = show("hub_resolved", "Cases that count for a platform and are resolved.", "platform")
        self.gaps = show("hub_gaps", "Cases that count for a platform and are not resolved.", "platform", "gap")
        self.overdue = show("hub_gaps_overdue", "Gaps past their deadline.", "platform")
        self.exposed = show("hub_gaps_exposed", "Gaps whose number is released.", "platform")
        self.incident = show("hub_gaps_incident", "Gaps whose number has a new owner.", "platform")
        self.restore_pending = show("hub_restore_pending", "Undone cases a platform has not reinstated.", "platform")
        self.reports = self._counter("hub_reports", "Reports of people that count.", "kind")
        self.lag = show("hub_lag_records", "Records not durable yet.", "topic", "partition")
        self.recovery_seconds = show("hub_recovery_seconds", "From start to ready, seconds.", "topic", "partition")
        self.partitions_ready = show("hub_partitions_ready", "Partitions this worker serves.", "topic")
        self.flush_seconds = Histogram(
            "hub_flush_seconds",
            "Time to make changed tiles durable, seconds.",
            buckets=FLUSH_BUCKETS_S,
            registry=self.registry,
        )

    def show(self, coverage: Coverage) -> None:
        """Show a platform's figures."""
        gaps, platform = dict(coverage.gaps), coverage.platform
        self.in_force.labels(platform).set(coverage.in_force)
        self.resolved.labels(platform).set(coverage.resolved)
        self.overdue.labels(platform).set(coverage.overdue)
        self.exposed.labels(platform).set(coverage.exposed)
        self.incident.labels(platform).set(coverage.incident)
        self.restore_pending.labels(platform).set(coverage.restore_pending)
        for gap in GapClass:
            self.gaps.labels(platform, gap.lower()).set(gaps.get(gap, 0))

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        gauge = Gauge(name, meaning, labels, registry=self.registry)
        if "platform" in labels:
            self._of_platforms.append(gauge)
        return gauge

    def forget_partitions(self) -> None:
        """Stop showing what went to another worker, because that worker shows it now."""
        for gauge in (*self._of_platforms, self.lag):
            gauge.clear()
