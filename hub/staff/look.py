"""This module reads the hub's logs from their start to their end, for a person who asks. It is for small hubs only.

A case's answers come from `tiles` (what each platform said) and the fold of the number's partition of `releases`,
sorted by the same rules as coverage (`hub.core.gaps`). In a large hub the archive answers instead. For example, `cases`
of a number returns the case 7-120033 with the row of `bank`: answer UNBOUND, no gap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition

from hub.core.cases import Case
from hub.core.figures import PlatformBook
from hub.core.gaps import Pairs, Terms, deadline
from hub.core.memory import MemoryCases
from hub.core.model import (
    DAY_MS,
    REFUSAL_TODO,
    SEGMENT,
    AcceptedAnswer,
    AcceptedReport,
    Coverage,
    GapClass,
    HubLog,
    Judged,
    Outcome,
    Platform,
    PlatformState,
    Received,
    Record,
    Refusal,
    Rejected,
    ReleaseNotice,
    Source,
    Tile,
)
from hub.core.numbers import is_e164
from hub.core.reports import Disputes
from hub.core.standing import Standing
from hub.core.universe import Universe
from hub.errors import UnbindError
from hub.kafka.clients import reader_settings
from hub.kafka.newest import hub_time_ms, newest, read_hub_log
from hub.kafka.spans import log_spans, read_span
from hub.staff.behaviour import standings
from hub.wire import contracts
from hub.wire.contracts import decode, partition_of


async def records(servers: str, tps: list[TopicPartition]) -> AsyncIterator[Record]:
    """Yield everything that partitions hold now."""
    settings = reader_settings(servers)
    async for batch in read_span(settings, await log_spans(settings, tps)):
        for record in batch:
            yield record


async def coverages(servers: str) -> list[Coverage]:
    """Return every platform's coverage as last published."""
    hub_log = await read_hub_log(reader_settings(servers))
    found = await newest(reader_settings(servers), contracts.COVERAGE, hub_log.partitions)
    return sorted((decode(record.value, Coverage) for record in found.values()), key=lambda one: one.platform)


async def coverage(servers: str) -> list[dict[str, Any]]:
    """Return every platform's coverage as rows to show."""
    return [
        {
            "platform": one.platform,
            "state": str(one.state),
            "standing": None if standing is None else standing.lower(),
            "in_force": one.in_force,
            "resolved": one.resolved,
            "share": f"{one.resolved / one.in_force:.1%}" if one.in_force else None,
            "outcomes": {str(count.outcome): count.pairs for count in one.outcomes},
            "gaps": {count.gap.lower(): count.pairs for count in one.gaps},
            "overdue": one.overdue,
            "exposed": one.exposed,
            "incident": one.incident,
            "restore_pending": one.restore_pending,
            "as_of": date(one.as_of.now_ms),
        }
        for one, standing in await _with_standing(servers)
    ]


async def _with_standing(servers: str) -> list[tuple[Coverage, Standing | None]]:
    hub_log = await read_hub_log(reader_settings(servers))
    known = await newest(reader_settings(servers), contracts.PLATFORMS, 1)
    roster = [decode(one.value, Platform) for one in known.values()]
    found = await standings(servers, hub_log, {one.id: one for one in roster})
    return [(one, found.get(one.platform)) for one in await coverages(servers)]


async def gaps(servers: str, platform: str | None) -> list[dict[str, Any]]:
    """Return the gaps by platform and class, the platform with the most incidents first."""
    found = [one for one in await coverages(servers) if platform in (None, one.platform)]
    return [
        {
            "platform": one.platform,
            "state": str(one.state),
            **{gap.lower(): sum(count.pairs for count in one.gaps if count.gap is gap) for gap in GapClass},
            "overdue": one.overdue,
            "exposed": one.exposed,
            "incident": one.incident,
        }
        for one in sorted(found, key=lambda one: (-one.incident, -one.overdue, one.platform))
        if one.gaps
    ]


async def rejected(servers: str, last: int) -> list[dict[str, Any]]:
    """Return the newest refused messages, without their content."""
    settings = reader_settings(servers)
    tp = TopicPartition(contracts.REJECTED, 0)
    ((first, end),) = (await log_spans(settings, [tp])).values()
    rows = []
    async for batch in read_span(settings, {tp: (max(first, end - last), end)}):
        for record in batch:
            one = decode(record.value, Rejected)
            rows.append(
                {
                    "at": date(one.recorded_at),
                    "source": f"{one.topic} {one.partition}-{one.offset}",
                    "sender": one.sender,
                    "reason": str(one.reason),
                    "todo": REFUSAL_TODO[one.reason],
                }
            )
    return rows


async def cases(servers: str, number: str) -> list[dict[str, Any]]:
    """Return a number's cases, newest first, with every platform's answer or gap."""
    if not is_e164(number):
        raise UnbindError("this is no phone number", todo=REFUSAL_TODO[Refusal.INVALID_NUMBER])
    hub_log = await read_hub_log(reader_settings(servers))
    partition = partition_of(number.encode(), hub_log.partitions)
    folded, universe, mine = MemoryCases(), Universe(), set()
    async for record in records(servers, [TopicPartition(contracts.RELEASES, partition)]):
        notice = decode(record.value, ReleaseNotice)
        change = folded.fold(notice, Source(partition, record.offset))
        segment, bit = universe.at(partition, record.offset)
        segment.note(bit, notice.published_at, record.record_time)
        if change is None:
            continue
        segment, bit = universe.at(*change.case.position)
        if change.opened:
            segment.open(bit, notice.stage, notice.published_at, notice.reissue_not_before)
        else:
            segment.move(bit, notice.stage)
        if change.number == number:
            mine.add(change.case.position)
    now_ms = await hub_time_ms(reader_settings(servers), hub_log)
    books = await _books(servers, hub_log, partition)
    return [
        _describe(folded.cases[position], books, universe, now_ms)
        for position in sorted(mine, key=lambda one: -one.offset)
    ]


async def _books(servers: str, hub_log: HubLog, partition: int) -> list[PlatformBook]:
    """Return what every platform said of one partition."""
    roster = await newest(reader_settings(servers), contracts.PLATFORMS, 1)
    platforms = [decode(record.value, Platform) for record in roster.values()]
    disputes = Disputes()
    async for record in records(servers, [TopicPartition(contracts.REPORTED, 0)]):
        disputes.add(decode(record.value, AcceptedReport, AcceptedAnswer))
    books = {one.id: PlatformBook(one.id, one, disputes) for one in platforms}
    for record in (await newest(reader_settings(servers), contracts.TILES, hub_log.partitions)).values():
        stored = decode(record.value, Tile, Received, Judged)
        book = books.get(stored.platform)
        if book is None or isinstance(stored, Judged) or stored.partition != partition:
            continue
        if isinstance(stored, Tile):
            book.tile((stored.partition, stored.segment)).merge(stored.said)
        else:
            book.receive(stored.partition, stored.through)
    return sorted(books.values(), key=lambda one: one.platform_id)


def _describe(case: Case, books: list[PlatformBook], universe: Universe, now_ms: int) -> dict[str, Any]:
    reissue = case.reissue_not_before
    return {
        "case": str(case.position),
        "operator": case.operator,
        "stage": case.stage.lower(),
        "opened": date(case.published_at),
        "cooling_until": date(case.cooling_until),
        "reissue_not_before": date(reissue),
        "days_to_reissue": None if reissue is None else round((reissue - now_ms) / DAY_MS, 1),
        "platforms": [_answer(book, case, universe, now_ms) for book in books],
    }


def _answer(book: PlatformBook, case: Case, universe: Universe, now_ms: int) -> dict[str, Any]:
    assert book.platform is not None, "made from the roster"
    position, platform = case.position, book.platform
    bit = position.offset % SEGMENT
    pairs = book.pairs(universe, (position.partition, position.offset // SEGMENT), now_ms)
    answer, gap = _first(Outcome, pairs.shown, bit), _first(GapClass, pairs.gaps, bit)
    due = deadline(
        Terms.of(platform), case.published_at, case.reissue_not_before, frozen=answer == Outcome.FROZEN.value
    )
    return {
        "platform": book.platform_id,
        "state": str(platform.state),
        "answer": answer,
        "gap": (gap or "").lower() or None,
        "deadline": None if gap is None else date(due),
        "marks": ", ".join(name for name in MARKS if bit in getattr(pairs, name)) or None,
        "guide": platform.guide_url,
        "steps": list(platform.guide_steps) if platform.state is not PlatformState.CONNECTED else [],
    }


MARKS = ("overdue", "exposed", "incident", "restore_pending", "disputes")
assert set(MARKS) <= set(Pairs._fields)


def _first(kind: type[Any], sets: dict[Any, Any], bit: int) -> str | None:
    return next((str(one) for one in kind if bit in sets.get(one, ())), None)


def date(at_ms: int | None) -> str | None:
    """Return a time as text in ISO form, UTC; None without one."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
