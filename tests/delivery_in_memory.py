"""What couriers need, in memory: `releases` with the real interface, a book of receipts, and quick patience."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from hub.clock import system_clock
from hub.core.model import DAY_MS, HubLog, ReleaseNotice, Source, Stage, Subject
from hub.delivery.channels import Channel, Span
from hub.delivery.courier import Courier, Office
from hub.delivery.health import Health, ReceiverState
from hub.delivery.inbox import Letter
from hub.delivery.journal import Journal
from hub.delivery.metrics import DeliveryMetrics
from hub.delivery.releases import Told, tell
from hub.delivery.settings import DeliverySettings, Patience
from hub.wire.contracts import encode

LOG = HubLog(b"l" * 16, "h", 3, "record", 0)
POLL_S = 0.005
DEADLINE_S = 20.0
QUICK = Patience(
    backoff_s=0.01,
    backoff_max_s=0.05,
    degraded_after_s=60.0,
    degraded_backoff_max_s=0.1,
    suspended_after_s=600.0,
    probe_s=0.2,
    retry_after_max_s=0.5,
)
"""Tries soon, judges late: on a slow machine nobody is degraded but whom a test degrades."""


def quick_settings(folder: Path, **changes: object) -> DeliverySettings:
    """Settings for receivers of a test: local addresses, small messages; no time-out that a good one could miss."""
    given: dict[str, object] = {
        "answer_timeout_s": 10.0,
        "connect_timeout_s": 10.0,
        "batch_notices_max": 7,
        "private_addresses": True,
        "offer_s": 10.0,
        "spread_s": 0.0,
    }
    return DeliverySettings("", folder, **(given | changes))  # type: ignore[arg-type]


def number_of(index: int) -> str:
    return f"+8613500{index:06d}"


class MemoryReleases:
    """`releases` in memory."""

    def __init__(self, partitions: int = LOG.partitions) -> None:
        self._logs: list[list[Told]] = [[] for _ in range(partitions)]
        self._listeners: set[asyncio.Event] = set()

    def publish(self, count: int, at_ms: int = 1_750_000_000_000) -> None:
        """So many opening notices in each partition, recorded at a time."""
        for partition, log in enumerate(self._logs):
            for _ in range(count):
                offset = len(log)
                notice = ReleaseNotice(
                    *(Stage.COOLING, None, Subject("e164", number_of(offset)), "north", at_ms, at_ms, at_ms),
                    *(at_ms + 60 * DAY_MS, at_ms + 70 * DAY_MS, 0, bytes(16), bytes(32)),
                    *(Source(partition, offset), LOG.log_id),
                )
                log.append(tell(partition, offset, at_ms, encode(notice)))
        for wake in self._listeners:
            wake.set()

    def spoil(self, partition: int) -> None:
        """A record that is no notice."""
        self._logs[partition].append(tell(partition, len(self._logs[partition]), 1_750_000_000_000, b"\xff"))

    def end(self, partition: int) -> int:
        """The offset after the newest notice."""
        return len(self._logs[partition])

    async def read(self, partition: int, first: int, count: int) -> Sequence[Told]:
        """Notices from an offset on."""
        return self._logs[partition][first : first + count]

    async def first_at(self, at_ms: int) -> list[int]:
        """By partition, the first offset recorded at or after a time."""
        return [next((one.offset for one in log if one.record_time >= at_ms), len(log)) for log in self._logs]

    def listen(self, wake: asyncio.Event) -> None:
        """Set this event whenever there is something new."""
        self._listeners.add(wake)

    def leave(self, wake: asyncio.Event) -> None:
        """Set it no more."""
        self._listeners.discard(wake)

    def ends(self) -> dict[int, int]:
        """The last position of each partition."""
        return {partition: len(log) - 1 for partition, log in enumerate(self._logs) if log}


class Receipts:
    """What was said to be received."""

    def __init__(self) -> None:
        self.through: dict[int, int] = {}

    def add(self, platform: str, spans: Iterable[Span]) -> None:
        """Write it down."""
        del platform
        for one in spans:
            self.through[one.partition] = max(one.last, self.through.get(one.partition, -1))


class MemoryInboxes:
    """An inbox in memory: that of every platform."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []

    def tell(self, word: str) -> None:
        """Put a message there."""
        offset = len(self._letters)
        body = json.dumps({"offset": offset, "kind": None, "message": word}).encode()
        self._letters.append(Letter(offset, 1_750_000_000_000, body))

    async def read(self, platform: str, first: int) -> Letter | None:
        """The first message from an offset on."""
        del platform
        return next((one for one in self._letters if one.offset >= first), None)


class StatesSeen(DeliveryMetrics):
    """Delivery's metrics, which keep every state they were shown."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[ReceiverState] = []

    def show(self, platform: str, health: Health) -> None:
        """Keep it, and show it."""
        self.states.append(health.state)
        super().show(platform, health)


async def soon(what: str, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it does not hold in time.
    """
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {deadline_s:.0f} s: {what}"
        await asyncio.sleep(POLL_S)


@asynccontextmanager
async def carrying(
    folder: Path,
    channel: Channel,
    releases: MemoryReleases,
    receipts: Receipts,
    received: dict[int, int] | None = None,
    *,
    patience: Patience = QUICK,
    metrics: DeliveryMetrics | None = None,
) -> AsyncIterator[Courier]:
    """A courier at work."""
    journal = Journal(folder, LOG.log_id)
    channel.patience = patience
    office = Office(releases, journal, receipts, metrics or DeliveryMetrics(), 2, system_clock)
    courier = Courier("hooky", "a channel", channel, office, received or {})
    task = asyncio.create_task(courier.run())
    try:
        yield courier
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        journal.close()
