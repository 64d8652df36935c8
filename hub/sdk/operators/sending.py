"""This module gets stored messages into their partitions, in order, whatever Kafka does.

The rules are 2 and 3 of `hub.sdk.operators.publisher`. For example, if the second of three messages of partition 7
fails, the second and the third are sent once more by a new producer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)

from hub.errors import HubError
from hub.sdk.operators.outbox import Entry, Outbox
from hub.settings import HubAddress
from hub.wire.contracts import EVENTS

NO_ENTRY = -1
"""This stands in place of an outbox number for a report, which is made again rather than kept."""

HOPELESS = (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)
"""These errors do not pass with time."""

Connect = Callable[[], AbstractAsyncContextManager[Any]]
"""This makes a producer with aiokafka's `send`."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublisherSettings:
    """These are the settings of an operator's publisher, with its bounds."""

    outbox: Path
    """This file holds what was sent and not receipted yet; it is the operator's own, and kept over restarts."""

    in_flight_max: int = 2_000
    """At most so many events wait for Kafka; `send` waits for room."""

    chunk_max: int = 500
    """So many events are sent at once."""

    request_timeout_ms: int = 30_000
    """aiokafka waits so long for an answer, or for a partition to have a leader again."""

    patience_s: float = 300.0
    """Kafka may fail so long before the publisher stops."""

    backoff_s: float = 0.2
    """The pause after the first failure; it is doubled after each further one."""

    backoff_max_s: float = 10.0
    """No pause is longer than this."""

    stop_s: float = 5.0
    """A producer may take so long to stop before it is cut off."""

    report_gap_s: float = 0.01
    """There is a pause after a report, so that no later event has the report's own millisecond."""

    report_timeout_s: float = 60.0
    """A report waits so long for events of unknown fate."""

    places_kept: int = 10_000
    """So many receipted places are remembered in each partition, to know a repeat of a receipt."""


class Retries:
    """This decides on the pauses between tries, and when to give up."""

    def __init__(self, settings: PublisherSettings) -> None:
        self._settings = settings
        self.succeeded()

    def succeeded(self) -> None:
        """Start from the first pause again, because a try worked."""
        self._pause_s = self._settings.backoff_s
        self._failing_since_s: float | None = None

    def pause_s(self, wrong: KafkaError, now_s: float) -> float:
        """Return how long to pause before the next try.

        Raises:
            HubError: this error does not pass with time, or Kafka has failed for too long.
        """
        name = type(wrong).__name__
        if isinstance(wrong, HOPELESS):
            raise HubError(
                f"Kafka refuses: {name}", todo="Show this to the hub's staff: rights or versions."
            ) from wrong
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        if now_s - self._failing_since_s > self._settings.patience_s:
            raise HubError(
                f"Kafka has failed for {self._settings.patience_s:g} s: {name}",
                todo="Check the network and the address, then start again: what was not sent will be.",
            ) from wrong
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, self._settings.backoff_max_s)
        _log.warning("Kafka fails (%s); next try in %.1f s", name, pause_s)
        return pause_s


class Sender:
    """This sends what is in an outbox, and reports beside it, until it is cancelled.

    Args:
        connect: makes a producer; it is called again after every failure.
        notify: is called whenever messages were acknowledged.
    """

    def __init__(
        self, connect: Connect, outbox: Outbox, settings: PublisherSettings, notify: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._outbox = outbox
        self._settings = settings
        self._notify = notify
        self._queue: deque[Entry] = deque()
        self._more = asyncio.Event()
        self._placed: dict[int, asyncio.Future[int]] = {}
        self._report: Entry | None = None

    def enqueue(self, entry: Entry) -> asyncio.Future[int]:
        """Send a message that was stored just now, or a report; the future is its offset."""
        if entry.entry == NO_ENTRY:
            self._report = entry
        placed = self._placed[entry.entry] = asyncio.get_running_loop().create_future()
        self._queue.append(entry)
        self._more.set()
        return placed

    def reload(self) -> None:
        """Queue everything that has no place again, in its order."""
        self._queue = deque(self._outbox.unsent())
        if self._report is not None:
            self._queue.append(self._report)
        self._more.set()

    def fail(self, wrong: HubError) -> None:
        """Tell everyone who waits that nothing more will be sent."""
        for placed in self._placed.values():
            if not placed.done():
                placed.set_exception(wrong)
                placed.exception()  # it is no error if nobody waits any more
        self._placed.clear()

    async def run(self) -> None:
        """Send for ever.

        Raises:
            HubError: Kafka refuses, or failed for too long.
        """
        retries = Retries(self._settings)
        while True:
            self._outbox.doubt()
            self.reload()
            try:
                async with self._connect() as producer:
                    while True:
                        await self._send_next(producer)
                        retries.succeeded()
            except KafkaError as wrong:
                await asyncio.sleep(retries.pause_s(wrong, time.monotonic()))

    async def _send_next(self, producer: Any) -> None:
        while not self._queue:
            self._more.clear()
            await self._more.wait()
        chunk = [self._queue.popleft() for _ in range(min(len(self._queue), self._settings.chunk_max))]
        answers = await self._answers(producer, chunk)
        placed: list[tuple[Entry, int]] = []
        failed: dict[int, KafkaError] = {}
        for entry, answer in zip(chunk, answers, strict=True):
            if isinstance(answer, KafkaError):
                failed.setdefault(entry.partition, answer)
            elif entry.partition not in failed:  # else it is a copy: its receipt counts it before the next one's
                placed.append((entry, answer))
        self._settle(placed)
        for wrong in failed.values():
            raise wrong

    async def _answers(self, producer: Any, chunk: Sequence[Entry]) -> list[int | KafkaError]:
        """Send a chunk; return the offset of each message, or the error for which it has none."""
        sent: list[asyncio.Future[Any]] = []
        stopped: KafkaError | None = None
        try:
            for entry in chunk:
                sent.append(
                    await producer.send(
                        EVENTS,
                        value=entry.value,
                        key=entry.key,
                        partition=entry.partition,
                        timestamp_ms=entry.timestamp_ms,
                        headers=list(entry.headers),
                    )
                )
        except KafkaError as wrong:
            stopped = wrong
        if sent:
            await asyncio.wait(sent, timeout=self._settings.patience_s)
        rest = stopped or KafkaError("not sent")
        return [_answer(one) for one in sent] + [rest] * (len(chunk) - len(sent))

    def _settle(self, placed: Sequence[tuple[Entry, int]]) -> None:
        self._outbox.acknowledge([one for one in placed if one[0].entry != NO_ENTRY])
        for entry, place in placed:
            if entry.entry == NO_ENTRY:
                self._report = None
            waiter = self._placed.pop(entry.entry, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(place)
        self._notify()


def _answer(sent: asyncio.Future[Any]) -> int | KafkaError:
    if not sent.done():
        return KafkaError("no answer")
    wrong = sent.exception()
    if wrong is not None:
        return wrong if isinstance(wrong, KafkaError) else KafkaError(type(wrong).__name__)
    offset: int = sent.result().offset
    # After DuplicateSequenceNumber the broker no longer knows where the message lies.
    return offset if offset >= 0 else KafkaError("place unknown")


@asynccontextmanager
async def kafka_producer(address: HubAddress, settings: PublisherSettings) -> AsyncIterator[Any]:
    """Provide a producer that is surely gone afterwards, so that no late copy of a message can come from it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=address.bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=settings.request_timeout_ms,
        **address.security,
    )
    try:
        await producer.start()
        yield producer
    finally:
        stopping = asyncio.ensure_future(producer.stop())
        await asyncio.wait([stopping], timeout=settings.stop_s)
        if not stopping.done():
            # stop() flushes first, and without a broker that never ends; when the sender ends, it goes on.
            producer._sender.sender_task.cancel()
            await asyncio.wait([stopping], timeout=settings.request_timeout_ms / 1000)
        if stopping.done() and not stopping.cancelled():
            stopping.exception()  # a producer that failed also fails to stop
