"""Every metric, declared once with its unit and meaning. Labels are ids and enum members, never a number."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The hub's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        reg = self.registry
        self.intake_decided = Counter(
            "hub_intake_decided",
            "Messages of operators decided on, by decision.",
            ["operator", "decision"],
            registry=reg,
        )
        self.refused = Counter(
            "hub_refused", "Messages refused, by source topic and reason.", ["topic", "reason"], registry=reg
        )
        self.breaches = Counter(
            "hub_breaches", "Duties an event showed not to be met.", ["operator", "breach"], registry=reg
        )
        self.notices = Counter("hub_notices", "Notices published to platforms.", registry=reg)
        self.acks = Counter("hub_acks", "Acknowledgement messages that counted.", ["platform"], registry=reg)
        self.ack_positions = Counter(
            "hub_ack_positions", "Positions named in acknowledgements that counted.", ["platform"], registry=reg
        )
        self.in_force = Gauge("hub_in_force", "Cases that count for a platform.", ["platform"], registry=reg)
        self.resolved = Gauge(
            "hub_resolved", "Cases that count for a platform and are resolved.", ["platform"], registry=reg
        )
        self.gaps = Gauge(
            "hub_gaps",
            "Cases that count for a platform and are not resolved, by class.",
            ["platform", "gap"],
            registry=reg,
        )
        self.overdue = Gauge("hub_gaps_overdue", "Gaps past their deadline.", ["platform"], registry=reg)
        self.lag = Gauge(
            "hub_lag_records", "Records not yet handled, by topic and partition.", ["topic", "partition"], registry=reg
        )
        self.exposed = Gauge("hub_gaps_exposed", "Gaps whose number is released.", ["platform"], registry=reg)
        self.incident = Gauge("hub_gaps_incident", "Gaps whose number has a new owner.", ["platform"], registry=reg)
        self.restore_pending = Gauge(
            "hub_restore_pending", "Undone cases that a platform has not reinstated.", ["platform"], registry=reg
        )
        self._of_platforms = (
            self.in_force,
            self.resolved,
            self.gaps,
            self.overdue,
            self.exposed,
            self.incident,
            self.restore_pending,
        )
        self.flush_seconds = Histogram(
            "hub_flush_seconds",
            "Time to make changed tiles durable.",
            buckets=(0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
            registry=reg,
        )
        self.recovery_seconds = Gauge(
            "hub_recovery_seconds",
            "Time from start or rebalance until a partition was ready.",
            ["topic", "partition"],
            registry=reg,
        )
        self.partitions_ready = Gauge("hub_partitions_ready", "Partitions this worker serves.", ["topic"], registry=reg)

    def forget_platforms(self) -> None:
        """Show no platform's figures any more: its partition went to another worker, which shows them now."""
        for gauge in self._of_platforms:
            gauge.clear()
