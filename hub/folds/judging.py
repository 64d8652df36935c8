"""Acknowledgements that were read already, found again where a platform's keys count otherwise than they did.

Validity is judged at a message's record time by the roster read to its end, and the roster may come to say otherwise of
a time that has passed: a key is revoked from before it was known to be stolen, or is put on the roster later than it
began to count. Sets that only grow cannot lose what they hold, so that platform's acknowledgements are folded again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from aiokafka import TopicPartition

from hub.core.model import Record
from hub.kafka.clients import new_consumer, started
from hub.kafka.spans import read_span
from hub.settings import WorkerSettings
from hub.wire.signing import read_seal


async def any_signed(
    settings: WorkerSettings, tp: TopicPartition, end: int, platform: str, changed: Mapping[str, int]
) -> bool:
    """Whether any acknowledgement before an offset may count otherwise.

    Args:
        tp: the platform's partition of `acks`.
        end: the first offset that was not judged yet.
        changed: ids of keys that count otherwise, each with the record time from which on (`keys_changed`).
    """
    if not changed or not end:
        return False
    async with started(new_consumer(settings)) as consumer:
        consumer.assign([tp])
        found = (await consumer.offsets_for_times({tp: max(0, min(changed.values()))}))[tp]
    if found is None:
        return False
    async with aclosing(acks_of(settings, tp, found.offset, end, platform)) as batches:
        async for records in batches:
            seals = [read_seal(one.headers) for one in records]
            if any(seal is not None and seal.key_id in changed for seal in seals):
                return True
    return False


async def acks_of(
    settings: WorkerSettings, tp: TopicPartition, first: int, end: int, platform: str
) -> AsyncGenerator[list[Record], None]:
    """A platform's acknowledgements from an offset up to, but without, another."""
    async with aclosing(read_span(settings, {tp: (first, end)})) as batches:
        async for batch in batches:
            yield [one for one in batch if one.key == platform.encode()]
