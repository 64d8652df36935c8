"""This module delivers chunks through faust's transport interface, under the URL scheme `chunked://`.

Almost all of faust's cost is per event. So this consumer delivers one event per fetched batch of a partition: its value
is the list of records, and its offset is the last one before the consumer's position. For example, records 100 to 349
of partition 7 are one event at offset 349. If offset 350 holds no record, because it is the marker of a sender's
transaction, the event is at 350; such a marker alone is an event without records, so that the committed offset goes
past it. What upstream does per message is done per chunk: there is no delivery while flow is suspended, and the
generation and the read offset are checked. What is fetched and not delivered is fetched again.

Offsets are committed only up to what a stage has declared durable. Upstream derives that from acked messages and gaps,
and can pass an in-flight message (faust issue 606). Here `Message.ack` says it directly: every offset of a partition up
to the acked chunk is durable. Stages ack the chunks of a partition in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from aiokafka.errors import IllegalStateError
from faust.transport import drivers
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP, ConsumerMessage

from hub.kafka.clients import FETCH_WAIT_MS, FETCHER_LOOK_MS, to_record
from hub.kafka.fetching import fetch_patiently

SCHEME = "chunked"


class Fetched(NamedTuple):
    """What was fetched of a partition, perhaps nothing, and the position after it."""

    records: list[Any]
    position: int


class ChunkConsumerThread(AIOKafkaConsumerThread):
    """Upstream's consumer thread, which fetches like every other reader of the hub (`hub.kafka.fetching`)."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        fetch_patiently()
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._consumer_timeout = FETCHER_LOOK_MS / 1000
        return consumer

    async def _fetch_records(self, consumer: Any, *args: Any, **options: Any) -> Any:
        records = await super()._fetch_records(consumer, *args, **options)
        return {tp: Fetched(batch, await consumer.position(tp)) for tp, batch in records.items()}


class ChunkConsumer(Consumer):
    """A consumer whose messages are chunks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._durable: dict[TP, int] = {}
        self._dropped = False

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  (upstream)
        """Fetch, and yield one message per partition that had records."""
        generation = self.app.consumer_generation_id
        records, active = await self._wait_next_records(timeout)
        if self.should_stop:
            return
        if self._dropped and self.flow_active:
            await self._rewind()
            return
        for tp, fetched in (records or {}).items():
            wanted = active is None or tp in active or tp in self._buffered_partitions
            if not wanted or not self.flow_active or self.app.consumer_generation_id != generation:
                self._dropped = True
            else:
                yield tp, self._chunk(tp, fetched)

    async def _rewind(self) -> None:
        """Fetch again what was fetched and not delivered, from the committed offset or from the start.

        Upstream does this only while flow is suspended, and leaves a partition without a committed offset where it is:
        its undelivered records would be skipped, and the next commit would pass them.
        """
        self._dropped = False
        if not self.assignment():
            return
        try:
            committed = await self.seek_to_committed()
            never = [tp for tp, offset in committed.items() if not offset]
            if never:
                await self._thread.seek_to_beginning(*never)
        except IllegalStateError:  # some are no longer ours; the others must still be fetched again
            self._dropped = True
            return
        for tp, offset in committed.items():
            self._read_offset[TP(*tp)] = offset or None

    def _chunk(self, tp: TP, fetched: Fetched) -> ConsumerMessage:
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=fetched.position - 1,
            timestamp=fetched.records[-1].timestamp / 1000 if fetched.records else 0.0,
            timestamp_type=0,
            headers=(),
            key=None,
            value=[to_record(one) for one in fetched.records],
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: upstream's detector asks for positions that a rebalance has not set yet, and crashes the app."""

    def ack(self, message: ConsumerMessage) -> bool:
        """Note that everything of the partition up to this chunk is durable."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        # A partition that was lost meanwhile is committed by its new owner.
        if message.generation_id == self.app.consumer_generation_id:
            self._durable[message.tp] = max(message.offset + 1, self._durable.get(message.tp, 0))
        return True

    def lags(self) -> dict[TP, int]:
        """Return how many records of each partition that we hold are not durable yet."""
        places = {tp: self._durable.get(tp, self._committed_offset.get(tp) or 0) for tp in self.assignment()}
        return {tp: max(0, (self.highwater(tp) or 0) - place) for tp, place in places.items()}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was durable in partitions that are no longer ours."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._durable.pop(tp, None)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: gaps between records need no bookkeeping, because an ack covers everything before it."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._durable if topics is None or tp in topics or tp.topic in topics])

    def _new_offset(self, tp: TP) -> int | None:
        return self._durable.get(tp)


class ChunkTransport(Transport):
    """faust's Kafka transport with chunks."""

    Consumer = ChunkConsumer


def register() -> None:
    """Make `chunked://host:port` known to faust."""
    drivers.TRANSPORTS.aliases[SCHEME] = "hub.stream.transport:ChunkTransport"
