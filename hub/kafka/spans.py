"""This module reads spans of logs, from a first offset to a last one, and tells when records were recorded.

For example, the span (0, 120034) of partition 7 holds the records at offsets 0 to 120033.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.clock import Silence
from hub.core.model import Record
from hub.errors import HubError
from hub.kafka.clients import POLL_MS, POLL_RECORDS_MAX, new_consumer, started, stop_client, to_record
from hub.settings import WorkerSettings

RECORD_WAIT_MS = 5_000
NAMED_MAX = 3
"""How many partitions an error names. The others have the same problem."""


async def read_span(
    settings: WorkerSettings, spans: Mapping[TopicPartition, tuple[int, int]]
) -> AsyncGenerator[Sequence[Record], None]:
    """Read each partition from a first offset up to, but without, a last one.

    Raises:
        HubError: the brokers deliver nothing more for longer than `settings.silence_s_max`.
    """
    left = {tp: end for tp, (first, end) in spans.items() if first < end}
    if not left:
        return
    async with started(new_consumer(settings)) as consumer:
        consumer.assign(list(left))
        for tp in left:
            consumer.seek(tp, spans[tp][0])
        silence = Silence(settings.silence_s_max)
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
            for tp, batch in fetched.items():
                if batch:
                    yield [to_record(one) for one in batch if one.offset < left[tp]]
            for tp in list(left):
                if await consumer.position(tp) >= left[tp]:
                    del left[tp]
            if fetched:
                silence.end()  # after the caller has handled it: that time is not the brokers' fault
            elif left and silence.is_too_long:
                raise _silent(left, silence.s_max)


def _silent(left: Mapping[TopicPartition, int], silence_s: float) -> HubError:
    """Return the error for partitions of which the brokers deliver nothing more before their ends."""
    names = ", ".join(f"{tp.topic} {tp.partition} before {end}" for tp, end in sorted(left.items())[:NAMED_MAX])
    return HubError(
        f"the brokers bring nothing of {names} for {silence_s:g} s",
        todo="Look whether the cluster's brokers run and have leaders for that; then start this again.",
    )


async def log_spans(settings: WorkerSettings, tps: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    """Return the first and the next offset of each partition, as of now."""
    wanted = list(tps)
    async with started(new_consumer(settings)) as consumer:
        consumer.assign(wanted)
        first, end = await asyncio.gather(consumer.beginning_offsets(wanted), consumer.end_offsets(wanted))
    return {tp: (first[tp], end[tp]) for tp in wanted}


async def record_times(
    settings: WorkerSettings, places: Iterable[tuple[TopicPartition, int]]
) -> dict[tuple[TopicPartition, int], int]:
    """Return when the records at some places were recorded, or the next ones if these are not there."""
    wanted = set(places)
    if not wanted:
        return {}
    async with started(RecordTimes(settings, sorted({tp for tp, _ in wanted}))) as times:
        found: dict[tuple[TopicPartition, int], int] = await times.at(wanted)
    return found


class RecordTimes:
    """Tells repeatedly when records at some places were recorded. Start it before, and stop it at the end."""

    def __init__(self, settings: WorkerSettings, tps: Sequence[TopicPartition]) -> None:
        self._tps = list(tps)
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect."""
        self._consumer = new_consumer(self._settings)
        await self._consumer.start()
        self._consumer.assign(self._tps)  # only once: aiokafka fails at the end if it is assigned again without a group
        self._consumer.pause(*self._tps)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await stop_client(self._consumer)

    async def at(
        self, places: Iterable[tuple[TopicPartition, int]], wait_ms: int = RECORD_WAIT_MS
    ) -> dict[tuple[TopicPartition, int], int]:
        """Return when the records at some places were recorded, or the next ones if these are not there.

        Places of which nothing comes in time are left out.
        """
        assert self._consumer is not None, "start() comes first"
        times: dict[tuple[TopicPartition, int], int] = {}
        for tp, offset in sorted(places):
            self._consumer.seek(tp, offset)
            self._consumer.resume(tp)
            fetched = await self._consumer.getmany(tp, timeout_ms=wait_ms, max_records=1)
            self._consumer.pause(tp)
            for batch in fetched.values():
                if batch:
                    times[tp, offset] = int(batch[0].timestamp)
        return times
