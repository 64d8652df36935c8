"""This module does what intake does about held events: it holds them, opens them again, and tells the operators.

It makes durable, in this order: the held event; what the holder of the number's range is told; its receipt. For a held
event sent again the order is: its notice, if it becomes one; the record that it is decided; its receipt. For example,
`carrier` is over its limit and opens a case of a number in the range of `other`: the event is held, `other` is told
that it is HELD, and then `carrier` gets its receipt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from hub.core.held import named_source
from hub.core.intake import Arrival, opens_case
from hub.core.model import Decision, HeldDecided, HeldEvent, NumberEvent, PortedNotice, Record, Source
from hub.core.numbers import in_ranges
from hub.core.roster_life import range_holder
from hub.stream.context import Context
from hub.wire import contracts
from hub.wire.contracts import receipts_topic


class Holding:
    """The held events of one partition of `events`."""

    def __init__(self, context: Context, partition: int) -> None:
        self._context = context
        self._partition = partition

    async def open(self, records: Sequence[Record]) -> list[Arrival]:
        """Open messages. A held event sent again is opened as of its first record time."""
        context = self._context
        if all(named_source(record) is None for record in records):
            return await self._open(records)
        # The verdict was written before the copies were sent, but it may not be folded here yet.
        await context.held.caught_up()
        copies = [context.held.book.copy_of(record) for record in records]
        judged = [
            record if copy is None else record._replace(record_time=copy.recorded_at)
            for record, copy in zip(records, copies, strict=True)
        ]
        return [
            arrival._replace(record=record, held=copy)
            for arrival, record, copy in zip(await self._open(judged), records, copies, strict=True)
        ]

    async def _open(self, records: Sequence[Record]) -> list[Arrival]:
        return await self._context.checker.events(records)

    def is_held(self, source: Source) -> bool:
        """Return whether a source was held, and was not accepted nevertheless."""
        book = self._context.held.book
        if source.offset > book.last_held(source.partition):
            return False
        row = book.of(source)
        return row is not None and row.copy != source

    async def write(self, records: Sequence[HeldEvent | HeldDecided], at_ms: int) -> None:
        """Make records of `held` durable, and wait until they are folded here."""
        context = self._context
        sent = [
            await context.send(
                contracts.HELD, one, key=str(one.source).encode(), partition=self._partition, at_ms=at_ms
            )
            for one in records
        ]
        if sent:
            ends = await asyncio.gather(*sent)
            await context.held.folded(self._partition, max(end.offset for end in ends) + 1)

    async def accepted(self, arrivals: Iterable[Arrival]) -> None:
        """Note that held events sent again were accepted."""
        copies = [(one.held.source, one) for one in arrivals if one.held is not None]
        if copies:
            decided = [HeldDecided(source, one.source, Decision.ACCEPTED) for source, one in copies]
            await self.write(decided, copies[-1][1].record.record_time)

    async def tell(self, decided: Iterable[tuple[Arrival, Decision, Source | None]]) -> None:
        """Tell the holders of ranges that another operator opens a case of their number, durably."""
        sent = []
        for arrival, decision, position in decided:
            holder = self._holder(arrival)
            if holder is not None:
                told = _ported_notice(arrival, decision, position)
                topic, at_ms = receipts_topic(holder), arrival.record.record_time
                sent.append(await self._context.send(topic, told, key=told.number.encode(), partition=0, at_ms=at_ms))
        await asyncio.gather(*sent)

    def _holder(self, arrival: Arrival) -> str | None:
        """Return the holder of the range of a number that is not in its sender's ranges, if the event opens a case."""
        event, sender = arrival.content, arrival.sender
        if not isinstance(event, NumberEvent) or sender is None or in_ranges(event.number, sender.ranges):
            return None
        if not opens_case(event):
            return None
        return self.holder_of(event.number)

    def holder_of(self, number: str) -> str | None:
        """Return the operator whose range has a number."""
        return range_holder(number, self._context.roster.roster.operators.values())


def _ported_notice(arrival: Arrival, decision: Decision, position: Source | None) -> PortedNotice:
    event = arrival.content
    assert isinstance(event, NumberEvent), "only events open cases"
    return PortedNotice(
        source=arrival.source if arrival.held is None else arrival.held.source,
        number=event.number,
        operator=event.operator,
        type=event.type,
        occurred_at=event.occurred_at,
        recorded_at=arrival.judged_at,
        decision=decision,
        position=position,
        event_id=event.event_id,
    )
