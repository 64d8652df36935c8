"""This module is the adapter's connection to Kafka: it reads `releases` and writes `acks` and `answers`.

What the broker may do later (aiokafka calls such errors retriable) is tried again a bounded number of times, each time
after a longer wait; any other error ends the adapter at once. For example, a partition without a leader is retriable;
a missing right is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from hub.core.model import Record, ReleaseNotice, Source
from hub.errors import ContractError, HubError, PlatformError
from hub.sdk.adapter.settings import AdapterSettings
from hub.settings import HubAddress
from hub.wire.contracts import MARKER, RELEASES, decode, partition_of
from hub.wire.signing import Headers

log = logging.getLogger(__name__)
T = TypeVar("T")

REREAD_MS = 5_000
"""One record may take so long to be read again; one that does not come is tried at its next time."""


class Reread(NamedTuple):
    """This is the result of reading again. A position in neither did not come in time, and may come the next time."""

    records: list[Record]
    gone: set[Source]


class Wire:
    """This is one adapter's connection; `connected` makes it."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        name: str,
        settings: AdapterSettings,
        common: Mapping[str, Any],
    ) -> None:
        self._common = common
        self._consumer = consumer
        self._producer = producer
        self._name = name
        self._settings = settings

    async def seek(self, places: Mapping[int, int]) -> None:
        """Read these partitions of `releases` from these offsets on."""
        self._consumer.assign([TopicPartition(RELEASES, one) for one in places])
        for partition, offset in places.items():
            self._consumer.seek(TopicPartition(RELEASES, partition), offset)

    async def fetch(self, wait_ms: int, records_max: int) -> list[Record]:
        """Return the records that came in time, perhaps none, in the order of each partition's offsets."""
        fetched = await self.retried(
            "fetch", lambda: self._consumer.getmany(timeout_ms=wait_ms, max_records=records_max)
        )
        return [_record(raw) for batch in fetched.values() for raw in batch]

    async def places(self) -> dict[int, int]:
        """Return the next offset to be read of each partition that is read. What lies before was fetched.

        It may lie beyond the last record: the last offsets of a log may hold none.
        """
        read = self._consumer.assignment() - self._consumer.paused()
        return {tp.partition: await self._consumer.position(tp) for tp in read}

    async def reread(self, positions: Iterable[Source]) -> Reread:
        """Return the records at single positions; the adapter's place in the log stays as it is."""
        found = Reread([], set())
        async with AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="none", **self._common) as reader:
            for position in positions:
                tp = TopicPartition(RELEASES, position.partition)
                reader.assign([tp])
                reader.seek(tp, position.offset)
                fetch = partial(reader.getmany, timeout_ms=REREAD_MS, max_records=1)
                try:
                    fetched = (await self.retried("read again", fetch)).get(tp, [])
                except OffsetOutOfRangeError:
                    found.gone.add(position)
                    continue
                for raw in fetched:  # at most one record, and a later one if the wanted one is gone
                    if raw.offset == position.offset:
                        found.records.append(_record(raw))
                    else:
                        found.gone.add(position)
        return found

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return where partitions of `releases` end now, as the next offset to be written."""
        wanted = [TopicPartition(RELEASES, one) for one in partitions]
        ends = await self.retried("find the ends", lambda: self._consumer.end_offsets(wanted))
        return {tp.partition: end for tp, end in ends.items()}

    async def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the next offset to be read, by partition; what holds no record, such as a marker, is passed over."""
        return {one: await self._consumer.position(TopicPartition(RELEASES, one)) for one in partitions}

    def ends_seen(self) -> dict[int, int]:
        """Return where the partitions being read ended when something of them was last fetched."""
        seen = {tp.partition: self._consumer.highwater(tp) for tp in self._consumer.assignment()}
        return {partition: end for partition, end in seen.items() if end is not None}

    def leave(self, partition: int) -> None:
        """Read no more of a partition."""
        self._consumer.pause(TopicPartition(RELEASES, partition))

    async def send(self, topic: str, key: bytes, value: bytes, headers: Headers, time_ms: int) -> None:
        """Send one message to `acks` or `answers`; it is on the brokers when this returns."""
        partitions = await self.retried(f"find {topic}", lambda: self._producer.partitions_for(topic))
        await self.retried(
            f"write to {topic}",
            lambda: self._producer.send_and_wait(
                topic,
                value,
                key=key,
                partition=partition_of(key, len(partitions)),
                timestamp_ms=time_ms,
                headers=list(headers),
            ),
        )

    async def retried(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Attempt, a bounded number of times, what the broker may do later."""
        settings = self._settings
        for retry in range(settings.retries_max):
            try:
                return await attempt()
            except KafkaError as wrong:
                if not wrong.retriable or retry + 1 == settings.retries_max:
                    raise
                log.warning("%s: cannot %s (%s), trying again", self._name, what, type(wrong).__name__)
                await asyncio.sleep(min(settings.backoff_ms << retry, settings.backoff_max_ms) / 1_000)
        raise AssertionError("retries_max is at least 1")

    async def start(self, partitions: int) -> None:
        """Connect, and check that `releases` has the partitions it should have."""
        await self.retried("connect", self._producer.start)
        await self.retried("connect", self._consumer.start)
        found = len(await self.retried("find releases", lambda: self._producer.partitions_for(RELEASES)))
        if found != partitions:
            raise PlatformError(
                f"the hub's releases have {found} partitions, not {partitions}",
                todo="Correct the number of partitions in the hub's address.",
            )

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()
        await self._producer.stop()


def _record(raw: Any) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, ())


def read_notice(record: Record) -> ReleaseNotice | None:
    """Return the notice in a record, or None if it is not a message of the hub; every follower ignores those."""
    if record.value is None or record.value[: len(MARKER)] != MARKER:
        log.error("releases %s-%s: no message of the hub; passed over", record.partition, record.offset)
        return None
    try:
        return decode(record.value, ReleaseNotice)
    except ContractError as wrong:
        raise PlatformError(
            f"releases {record.partition}-{record.offset} cannot be read: {wrong.message}",
            todo="Install a newer unbind-hub; nothing from there on was acknowledged.",
        ) from wrong


@asynccontextmanager
async def connected(address: HubAddress, name: str, settings: AdapterSettings) -> AsyncIterator[Wire]:
    """Provide a connection for as long as the block runs.

    Args:
        name: the platform's id, for the broker's and the adapter's logs.

    Raises:
        PlatformError: the log is not the one that the adapter's positions are in.
        HubError: the cluster refuses, or did not answer for too long.
    """
    common = {"bootstrap_servers": address.bootstrap_servers, "client_id": f"{name}-adapter", **address.security}
    # There is no group, and the broker keeps no offsets: the store knows where to read on, and "none" raises if it
    # cannot.
    consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="none", **common)
    wire = Wire(consumer, AIOKafkaProducer(acks="all", **common), name, settings, common)
    try:
        await wire.start(address.partitions)
        yield wire
    except OffsetOutOfRangeError as wrong:
        raise PlatformError(
            "the store's positions are not in this log",
            todo="Check the hub's address. If the hub was made anew, give the adapter fresh tables.",
        ) from wrong
    except KafkaError as wrong:
        raise HubError(
            f"the cluster does not do its part: {type(wrong).__name__}",
            todo="Check the address, this platform's rights, and the brokers; nothing is lost, start again.",
        ) from wrong
    finally:
        await wire.stop()
