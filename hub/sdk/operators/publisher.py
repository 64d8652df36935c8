"""This module sends an operator's events: signed, in order, stored before they are sent, and kept until receipted.

    async with OperatorPublisher("lake", signer, address, PublisherSettings(Path("lake.outbox"))) as publisher:
        await publisher.send(event)
        receipt = await publisher.receipt(event.event_id, timeout_s=10)

Rules:
1. Every message is in the outbox (`hub.sdk.operators.outbox`) before it is sent, and goes to the partition of its key.
2. Messages are sent in the order of `send`, a chunk at a time; the next chunk waits until Kafka has acknowledged
   the last (`acks=all`, idempotent). aiokafka repeats what can be repeated without a second copy. When it gives
   up, it is unknown which messages arrived: its producer is closed, and from the first failed message of each
   partition on everything is sent once more, by a new producer, in the same order. That may leave copies, which
   the hub answers as duplicates, and which are counted (outbox, rules 2 and 3).
3. After `patience_s` without success, or at an error that time does not mend, the publisher stops with an error.
   Nothing is lost: the next one with the same outbox sends the rest, the very same bytes. What Kafka has
   acknowledged is not sent again by itself, because it is there; `resend_unreceipted` does so.
4. Receipts are read from `receipts.<operator>` without a consumer group, on from the place in the outbox.
5. A daily report says how many events lie in each partition up to its own record time. So while it is made no
   event is on its way or of unknown fate, and the next event waits until the clock has moved on. In a replayed
   world give it a `timestamp_ms` not before those of the events sent, and later events a later one.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.core.model import Decision, NumberEvent, OperatorReport, Receipt, Refusal, Source
from hub.errors import ContractError, HubError, OperatorError
from hub.sdk.operators.outbox import Entry, Outbox
from hub.sdk.operators.receipting import OnPorted, ReceiptReader
from hub.sdk.operators.sending import NO_ENTRY, PublisherSettings, Retries, Sender, kafka_producer
from hub.settings import HubAddress
from hub.wire.contracts import EVENTS, encode, partition_of, receipts_topic
from hub.wire.signing import Signer

__all__ = ["OperatorPublisher", "PublisherSettings"]

POLL_MS = 500
RECEIPTS_MAX = 1_000
"""So many receipts are noted at once."""


class OperatorPublisher:
    """This sends one operator's events and reports, and knows their receipts. Only one uses an outbox at a time.

    Args:
        operator_id: the id on the roster.
        signer: holds a key of that operator.
        address: the hub's address.
        settings: the outbox and every bound.
        on_ported: as for `hub.sdk.operators.receipting.ReceiptReader`.

    Every method raises `HubError` once Kafka or the hub failed for good, and the error says what to do.
    """

    def __init__(
        self,
        operator_id: str,
        signer: Signer,
        address: HubAddress,
        settings: PublisherSettings,
        on_ported: OnPorted | None = None,
    ) -> None:
        self.operator = operator_id
        self.receipts: Counter[tuple[Decision, Refusal | None]] = Counter()
        """These are the receipts that arrived since the start. Each message counts once; a held one again when
        decided."""
        self._reader = ReceiptReader(on_ported)
        self._signer = signer
        self._address = address
        self._settings = settings
        self._room = asyncio.Semaphore(settings.in_flight_max)
        self._gate = asyncio.Lock()
        self._news = asyncio.Event()
        self._failure: HubError | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the outbox, send what an earlier run left unsent, and begin to read receipts.

        Raises:
            OperatorError: the outbox cannot be used.
        """
        settings, address = self._settings, self._address
        self._outbox = Outbox(settings.outbox, self.operator, address.hub_id, address.partitions, settings.places_kept)
        self._sender = Sender(partial(kafka_producer, address, settings), self._outbox, settings, self._notify)
        self._tasks = [self._watched(self._sender.run()), self._watched(self._follow_receipts())]

    async def stop(self) -> None:
        """Wait a moment for what is on its way, and stop. The next run reads the receipts that are still missing."""
        with suppress(HubError):
            await self._until(lambda: not self._outbox.unsent(), self._settings.stop_s, "events are unsent")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail(HubError("the publisher was stopped", todo="Start another one; it goes on from the outbox."))
        self._outbox.close()

    async def send(self, event: NumberEvent, timestamp_ms: int | None = None) -> Source:
        """Send one event; return once Kafka has it on all replicas. What the hub says of it is its receipt.

        Args:
            timestamp_ms: the record time in a replayed world; elsewhere the broker's clock counts.

        Returns:
            The event's position in `events`.

        Raises:
            OperatorError: the event is another operator's, or does not fit its schema.
        """
        if event.operator != self.operator:
            raise OperatorError("an event of another operator", todo=f"Set `operator` to {self.operator}.")
        value, key = _encoded(event), event.number.encode()
        home = partition_of(key, self._address.partitions)
        headers = self._signer.headers(EVENTS, value)
        await self._room.acquire()
        try:
            async with self._gate:
                self._check()
                entry = self._outbox.put(event.event_id, home, key, value, headers, timestamp_ms)
                placed = self._sender.enqueue(entry)
        except BaseException:
            self._room.release()
            raise
        placed.add_done_callback(lambda _: self._room.release())
        # It is shielded: a caller that no longer waits for an event has sent it all the same.
        return Source(home, await asyncio.shield(placed))

    async def send_report(self, day: int, timestamp_ms: int | None = None) -> Source:
        """Send the daily report with the running total of each partition, repeats and refused events included.

        Args:
            day: the day in days since 1970-01-01, UTC.
            timestamp_ms: as for `send`.

        Raises:
            HubError: it is not known in time whether some events arrived, because their receipts do not come.
        """
        async with self._gate:
            known = f"the fate of {self._outbox.open_fates()} events is not known"
            await self._until(lambda: self._outbox.open_fates() == 0, self._settings.report_timeout_s, known)
            value = encode(OperatorReport(self.operator, day, self._outbox.totals()))
            key = self.operator.encode()
            home = partition_of(key, self._address.partitions)
            headers = self._signer.headers(EVENTS, value)
            entry = Entry(NO_ENTRY, b"", home, key, value, headers, timestamp_ms, None)
            place = await asyncio.shield(self._sender.enqueue(entry))
            await asyncio.sleep(self._settings.report_gap_s)
            return Source(home, place)

    async def receipt(self, event_id: bytes, timeout_s: float) -> Receipt:
        """Return what the hub says of an event; if it was sent several times, the receipt is that of the last.

        Raises:
            OperatorError: no such event was sent, or it was too long ago to be remembered.
            HubError: no receipt comes in time.
        """
        await self._until(lambda: not self._outbox.waiting(event_id), timeout_s, "no receipt")
        found = self._outbox.receipt_of(event_id)
        if found is None:
            raise OperatorError("no such event in the outbox", todo="Ask for events sent from here, and soon.")
        return found

    async def wait_all(self, timeout_s: float) -> None:
        """Wait until every event sent has its receipt.

        Raises:
            HubError: some have none in time.
        """
        await self._until(lambda: not self._outbox.waiting(), timeout_s, "not every event has a receipt")

    async def resend_unreceipted(self) -> int:
        """Send everything that has no receipt once more, with the same bytes; return how many messages that is.

        Use it when a cluster lost messages that it had acknowledged; otherwise it only makes duplicates.
        """
        async with self._gate:
            await self._until(lambda: not self._outbox.unsent(), self._settings.patience_s, "events are unsent")
            again = self._outbox.waiting()
            self._outbox.forget_places()
            self._sender.reload()
            return again

    @property
    def totals(self) -> tuple[int, ...]:
        """Return how many events of this operator are known to lie in each partition."""
        return self._outbox.totals()

    @property
    def ported(self) -> Counter[tuple[str, Decision]]:
        """Count the cases that others opened of numbers in this operator's ranges, by operator and decision."""
        return self._reader.ported

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _fail(self, wrong: HubError) -> None:
        self._failure = self._failure or wrong
        self._sender.fail(self._failure)
        self._notify()

    def _notify(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _until(self, reached: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not reached():
                    self._check()
                    await self._news.wait()
        except TimeoutError as wrong:
            raise HubError(
                f"{otherwise} after {timeout_s:g} s",
                todo="Wait longer. If receipts never come, ask whether the operator's key is on the roster.",
            ) from wrong

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        wrong = None if task.cancelled() else task.exception()
        if isinstance(wrong, HubError):
            self._fail(wrong)
        elif wrong is not None:
            failure = HubError(f"the publisher failed: {type(wrong).__name__}", todo="Look at the disk, start again.")
            failure.__cause__ = wrong
            self._fail(failure)

    async def _follow_receipts(self) -> None:
        retries = Retries(self._settings)
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._address.bootstrap_servers,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                **self._address.security,
            )
            try:
                await consumer.start()
                await self._read_receipts(consumer, retries)
            except KafkaError as wrong:
                await asyncio.sleep(retries.pause_s(wrong, time.monotonic()))
            finally:
                await consumer.stop()

    async def _read_receipts(self, consumer: Any, retries: Retries) -> None:
        tp = TopicPartition(receipts_topic(self.operator), 0)
        if tp.topic not in await consumer.topics():
            raise HubError(f"there is no {tp.topic}", todo="Ask the hub's staff to put this operator on the roster.")
        consumer.assign([tp])
        consumer.seek(tp, self._outbox.next_receipt)
        while True:
            fetched = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=RECEIPTS_MAX)
            retries.succeeded()
            for batch in filter(None, fetched.values()):
                receipts = self._reader.read(batch)
                new = self._outbox.record(receipts, batch[-1].offset + 1)
                self.receipts.update((one.decision, one.reason) for one in new)
                self._notify()


def _encoded(event: NumberEvent) -> bytes:
    try:
        return encode(event)
    except ContractError as wrong:
        raise OperatorError(wrong.message, todo=wrong.todo) from wrong
