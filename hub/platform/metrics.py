"""This module declares the adapter's metrics, each once with unit and meaning, and reads them on request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.errors import PlatformError
from hub.sdk.adapter.adapter import PlatformAdapter


class Declared(NamedTuple):
    """This is one metric. `counts` says that it only grows."""

    name: str
    meaning: str
    value: Callable[[PlatformAdapter], float]
    counts: bool = False


def lag_notices(adapter: PlatformAdapter) -> int:
    """Return how many notices in the log were not handled yet."""
    return sum(max(0, end - adapter.done.get(partition, 0)) for partition, end in adapter.ends.items())


def _age_s(adapter: PlatformAdapter) -> float:
    last = adapter.last_published_at
    return float("nan") if last is None else time.time() - last / 1_000


def _fuse(adapter: PlatformAdapter) -> float:
    fuse = adapter.settings.fuse_unbinds_per_day
    return float("nan") if fuse is None else fuse


METRICS = (
    Declared("adapter_lag_notices", "Notices in the log that were not handled yet.", lag_notices),
    Declared("adapter_last_notice_age_seconds", "Age of the newest notice handled since the start, seconds.", _age_s),
    Declared("adapter_fuse_limit", "Unbinds an operator may have in any 24 hours; NaN: the fuse is off.", _fuse),
    Declared(
        "adapter_fuse_used",
        "Unbinds of the last 24 hours of record time, of the operator that has most.",
        lambda one: one.unbound_in_day,
    ),
    Declared("adapter_fuse_blown_operators", "Operators whose fuse is blown.", lambda one: len(one.fuses.blown)),
    Declared(
        "adapter_fuse_held_cases",
        "Cases that a fuse holds for a person.",
        lambda one: sum(one.fuses.blown.values()),
    ),
    Declared("adapter_dry_run", "1 if nothing is changed and nothing said.", lambda one: one.settings.dry_run),
    Declared("adapter_notices", "Notices handled.", lambda one: one.counts.notices, counts=True),
    Declared("adapter_ignored", "Notices that broke the order of their case.", lambda one: one.counts.ignored, True),
    Declared("adapter_frozen", "Accounts frozen.", lambda one: one.counts.frozen, counts=True),
    Declared("adapter_unbound", "Accounts unbound.", lambda one: one.counts.unbound, counts=True),
    Declared("adapter_reinstated", "Accounts put back.", lambda one: one.counts.reinstated, counts=True),
    Declared(
        "adapter_without_number",
        "Accounts put back whose number another account holds by now.",
        lambda one: one.counts.without_number,
        counts=True,
    ),
    Declared("adapter_failed", "Deeds that failed; they are tried again.", lambda one: one.counts.failed, counts=True),
    Declared("adapter_declined", "Deeds that were declined.", lambda one: one.counts.declined, counts=True),
    Declared("adapter_held", "Notices that a fuse held.", lambda one: one.counts.held, counts=True),
    Declared("adapter_in_use", "Accounts left alone for a proof of the number.", lambda one: one.counts.in_use, True),
    Declared(
        "adapter_passed_over",
        "Notices of cases that are undone further on in the log.",
        lambda one: one.counts.passed_over,
        counts=True,
    ),
    Declared("adapter_not_bound", "Cases in which nobody was bound.", lambda one: one.counts.not_bound, counts=True),
    Declared("adapter_acks", "Acknowledgements on the brokers.", lambda one: one.acks, counts=True),
)


class AdapterCollector(Collector):
    """This reads the metrics from an adapter."""

    def __init__(self, adapter: PlatformAdapter) -> None:
        self._adapter = adapter

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it is now."""
        for one in METRICS:
            kind = CounterMetricFamily if one.counts else GaugeMetricFamily
            yield kind(one.name, one.meaning, value=float(one.value(self._adapter)))


def serve(adapter: PlatformAdapter, port: int) -> tuple[int, Callable[[], None]]:
    """Serve /metrics on 127.0.0.1.

    Args:
        port: the port; 0 takes a free one.

    Returns:
        The port, and a function that stops it.

    Raises:
        PlatformError: the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(AdapterCollector(adapter))
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as wrong:
        raise PlatformError(f"metrics_port {port} is taken", todo="Choose another, or 0 for a free one.") from wrong

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_port, stop
