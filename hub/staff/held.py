"""This module lets a person see held events, and release or drop them by name (`hub.core.held`).

A verdict is written to `held` first; then the same bytes of the held messages are sent into `events` again, in order.
If that breaks off, the same command continues: what has a verdict and no answer yet is sent again, and an extra copy is
answered as a duplicate. For example, `zhang` releases 7-240517: a HeldRelease names it, and its copy in `events` has
the header `held-source: 7-240517`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from hub.clock import system_clock
from hub.core.held import HELD_SOURCE_HEADER, HeldBook, HeldRow
from hub.core.model import HeldDecided, HeldEvent, HeldRelease, HeldVerdict, HeldWhy, NumberEvent, Source
from hub.errors import ContractError, HubError
from hub.kafka.clients import new_producer, reader_settings, started
from hub.kafka.spans import log_spans, read_span
from hub.settings import HubAddress
from hub.wire import contracts
from hub.wire.contracts import decode, encode

SOURCES_MAX = 2_000
"""How many sources one record of a verdict may hold: far below the limit of a message."""

IN_FLIGHT_MAX = 1_000
"""How many copies are sent before the broker's answers are awaited."""

Choice = Callable[["Waiting"], bool]


class Waiting(NamedTuple):
    """A held event that is not decided. Its row may have a verdict already."""

    event: HeldEvent
    row: HeldRow

    @property
    def source(self) -> Source:
        """Return where the event lies in `events`."""
        return self.event.source


class WaitingFor(NamedTuple):
    """What waits of one operator, without any phone number."""

    operator: str
    events: int
    since: int
    why: dict[HeldWhy, int]
    released: int
    """How many of them have a verdict whose copy is not decided yet."""


async def waiting(address: HubAddress, operator: str | None = None) -> list[Waiting]:
    """Return every held event that is not decided, in the order of arrival; of one operator or of all."""
    settings = reader_settings(address.bootstrap_servers, address.security)
    tps = [TopicPartition(contracts.HELD, one) for one in range(address.partitions)]
    book, events = HeldBook(), dict[Source, HeldEvent]()
    async for batch in read_span(settings, await log_spans(settings, tps)):
        for record in batch:
            try:
                one = decode(record.value, HeldEvent, HeldRelease, HeldDecided)
            except ContractError:
                continue
            _fold(book, events, one)
    rows = ((event, book.of(source)) for source, event in sorted(events.items()))
    found = [Waiting(event, row) for event, row in rows if row is not None]
    return [one for one in found if operator in (None, one.event.operator)]


def _fold(book: HeldBook, events: dict[Source, HeldEvent], record: HeldEvent | HeldRelease | HeldDecided) -> None:
    if isinstance(record, HeldEvent):
        if book.of(record.source) is None:
            book.hold(record, decode(record.value, NumberEvent).number)
            events[record.source] = record
    elif isinstance(record, HeldRelease):
        book.judge(record)
    else:
        book.settle(record)
        events.pop(record.source, None)


def summary(found: Iterable[Waiting]) -> list[WaitingFor]:
    """Return what waits, by operator."""
    grouped: dict[str, list[Waiting]] = defaultdict(list)
    for one in found:
        grouped[one.event.operator].append(one)
    return [
        WaitingFor(
            operator,
            len(held),
            min(one.event.recorded_at for one in held),
            {why: sum(one.event.why is why for one in held) for why in HeldWhy},
            sum(one.row.verdict is not None for one in held),
        )
        for operator, held in sorted(grouped.items())
    ]


def choose(found: Sequence[Waiting], choice: Choice, verdict: HeldVerdict) -> list[Waiting]:
    """Return the events that a choice names and that may get the verdict. An event with another verdict keeps it.

    Raises:
        HubError: no event is left, or an earlier event of the same number would be passed over.
    """
    named = [one for one in found if choice(one)]
    chosen = [one for one in named if one.row.verdict in (None, verdict)]
    if named and not chosen:
        raise HubError(
            f"what is named was {named[0].row.verdict} before, and the first word counts",
            todo="Wait for its receipt; if none comes, give the first command again.",
        )
    if not chosen:
        raise HubError("no held event is named by this", todo="unbind-hub operator held shows what waits.")
    if verdict is HeldVerdict.RELEASED:
        _check_order(found, chosen)
    return chosen


def _check_order(found: Sequence[Waiting], chosen: Sequence[Waiting]) -> None:
    """Refuse to release an event before an earlier one of its number: they are judged in their order."""
    last: dict[tuple[str, str], int] = {}
    for one in chosen:
        last[one.row.operator, one.row.number] = one.source.offset
    picked = {one.source for one in chosen}
    passed = [
        one
        for one in found
        if one.row.verdict is None
        and one.source not in picked
        and one.source.offset < last.get((one.row.operator, one.row.number), -1)
    ]
    if passed:
        raise HubError(
            f"{len(passed)} earlier events of the same numbers still wait, and order is kept",
            todo="Release those as well (--all, or --before a later time), or drop them first.",
        )


async def judge(
    address: HubAddress, operator: str, choice: Choice, verdict: HeldVerdict, *, by: str, reason: str
) -> list[Waiting]:
    """Give a verdict in a person's name, send the chosen events to intake, and return them.

    Raises:
        HubError: no person is named, or the choice names no event.
    """
    if not by.strip():
        raise HubError("a verdict needs a name", todo="Say with --by who decides.")
    chosen = choose(await waiting(address, operator), choice, verdict)
    async with started(new_producer(address, linger_ms=0)) as producer:
        await _write_verdict(producer, operator, chosen, verdict, by, reason)
        await _send_copies(producer, chosen)
    return chosen


async def _write_verdict(
    producer: Any, operator: str, chosen: Sequence[Waiting], verdict: HeldVerdict, by: str, reason: str
) -> None:
    now_ms = system_clock()
    homes: dict[int, list[Source]] = defaultdict(list)
    for one in chosen:
        if one.row.verdict is None:
            homes[one.source.partition].append(one.source)
    for partition, sources in homes.items():
        for start in range(0, len(sources), SOURCES_MAX):
            word = HeldRelease(operator, tuple(sources[start : start + SOURCES_MAX]), verdict, by, now_ms, reason)
            await producer.send_and_wait(
                contracts.HELD, encode(word), key=operator.encode(), partition=partition, timestamp_ms=now_ms
            )


async def _send_copies(producer: Any, chosen: Sequence[Waiting]) -> None:
    for start in range(0, len(chosen), IN_FLIGHT_MAX):
        sent = [await _send_copy(producer, one) for one in chosen[start : start + IN_FLIGHT_MAX]]
        await asyncio.gather(*sent)


async def _send_copy(producer: Any, one: Waiting) -> Any:
    headers = [(header.name, header.value) for header in one.event.headers]
    return await producer.send(
        contracts.EVENTS,
        value=one.event.value,
        key=one.row.number.encode(),
        partition=one.source.partition,
        headers=[*headers, (HELD_SOURCE_HEADER, str(one.source).encode())],
    )
