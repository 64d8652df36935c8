"""This module reads receipts back after a start or a rebalance: a source with a receipt is decided.

They are read once for all partitions of a worker, and again only if a partition's first uncommitted message is older
than what was read. Only receipts written before the assignment matter: later ones are our own. For example, if the
first uncommitted message was recorded at 10:00, receipts from 09:00 on are read (`SLACK_MS`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from aiokafka import TopicPartition

from hub.core.model import HOUR_MS, Receipt, Record
from hub.errors import ContractError
from hub.folds.roster import RosterFollower
from hub.kafka.clients import new_consumer, started
from hub.kafka.spans import log_spans, read_span
from hub.settings import WorkerSettings
from hub.wire.contracts import decode, receipts_topic

SLACK_MS = HOUR_MS
"""How much earlier than its source's record time a receipt may be stamped: clock skew between brokers."""


class ReadBack:
    """Knows the sources that have a receipt, by partition of `events`."""

    def __init__(self, settings: WorkerSettings, roster: RosterFollower) -> None:
        self._settings = settings
        self._roster = roster
        self._lock = asyncio.Lock()
        self.forget()

    def forget(self) -> None:
        """Read again at the next call: another worker may have written since."""
        self._since_ms: int | None = None
        self._decided: dict[int, set[int]] = defaultdict(set)

    async def decided_from(self, first: Record) -> set[int]:
        """Return the offsets from `first` on, in its partition, that have a receipt."""
        async with self._lock:
            since_ms = max(0, first.record_time - SLACK_MS)
            if self._since_ms is None or since_ms < self._since_ms:
                await self._read(since_ms)
                self._since_ms = since_ms
        return {offset for offset in self._decided[first.partition] if offset >= first.offset}

    async def _read(self, since_ms: int) -> None:
        await self._roster.caught_up()
        wanted = [TopicPartition(receipts_topic(operator), 0) for operator in self._roster.roster.operators]
        async with started(new_consumer(self._settings)) as consumer:
            # An operator whose topic is missing has no receipts, and to ask for that topic would wait for ever.
            there = await consumer.topics()
            tps = [tp for tp in wanted if tp.topic in there]
            if not tps:
                return
            consumer.assign(tps)
            found = await consumer.offsets_for_times(dict.fromkeys(tps, since_ms))
        ends = await log_spans(self._settings, tps)
        spans = {tp: (at.offset, ends[tp][1]) for tp, at in found.items() if at is not None}
        async for batch in read_span(self._settings, spans):
            for record in batch:
                self._take(record)
            await asyncio.sleep(0)

    def _take(self, record: Record) -> None:
        try:
            source = decode(record.value, Receipt).source
        except ContractError:
            return
        self._decided[source.partition].add(source.offset)
