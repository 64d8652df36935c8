"""This module folds the hub's small topics, record by record, into the board that pages are made from.

It is pure; `hub.web.board.following` feeds it. Rules:
1. Figures of coverage are those of the `coverage` records as published; the board never computes them.
2. Folding a record twice changes nothing: refusals and receipts count once for each source, and a report counts once.
3. A record that cannot be read changes nothing and is counted in `unreadable`.
4. `version` grows with every record that changes a page; `moved_in` says at which version each page last changed.

For example, a new record of bank in `coverage` replaces the bank's old one, and moves the overview, the platforms and
the blind spots.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from pyroaring import BitMap

from hub.core.breaches import OperatorBook
from hub.core.model import (
    DAY_MS,
    AcceptedAnswer,
    AcceptedReport,
    Clock,
    Coverage,
    GapClass,
    Gaps,
    HeldDecided,
    HeldEvent,
    HeldRelease,
    Operator,
    Platform,
    PortedNotice,
    Receipt,
    Received,
    Record,
    Refusal,
    Rejected,
    ReportReceipt,
    Source,
    Tile,
)
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.standing import Behaviour
from hub.core.tile_records import says_received
from hub.errors import ContractError
from hub.wire import contracts
from hub.wire.contracts import decode

RECEIPTS_PREFIX = contracts.receipts_topic("")
DAYS_KEPT = 3
"""How many days have counts: today, and as many days before it as a clock may be wrong by."""

PAGES: dict[str, tuple[str, ...]] = {
    contracts.COVERAGE: ("overview", "platforms", "blind-spots"),
    contracts.GAPS: ("platforms",),
    contracts.TILES: ("platforms",),
    contracts.PLATFORMS: ("overview", "platforms", "blind-spots"),
    contracts.OPERATORS: ("operators",),
    contracts.REJECTED: ("overview", "operators", "refusals", "pipeline"),
    contracts.REPORTED: ("overview", "blind-spots"),
    contracts.HELD: ("operators", "pipeline"),
    contracts.CLOCK: (),
    RECEIPTS_PREFIX: ("overview", "operators"),
}
"""The pages that a record of a topic may change."""


class Day(NamedTuple):
    """The counts of one UTC day."""

    reports: int = 0
    refused: int = 0
    breaches: int = 0


class Board:
    """The fold. Read its public fields, but do not change them."""

    def __init__(self) -> None:
        self.version = 0
        self.moved_in: dict[str, int] = {}
        self.unreadable = 0
        self.roster = Roster()
        self.coverage: dict[str, Coverage] = {}
        self.coverage_at: dict[str, int] = {}
        """The record time of each platform's newest coverage record."""
        self.moved_at: dict[str, int] = {}
        """When what a platform has received last moved, by platform."""
        self.books: dict[str, OperatorBook] = defaultdict(OperatorBook)
        self.refused: Counter[Refusal] = Counter()
        self.disputes = Disputes()
        self.held: dict[Source, str] = {}
        """The operator of each held event that is not decided yet."""
        self.world_ms = 0
        self._days: dict[int, Day] = {}
        self._unanswered: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
        self._letters: dict[tuple[str, int], BitMap] = defaultdict(BitMap)
        self._decided: dict[int, BitMap] = defaultdict(BitMap)
        self._takes: dict[str, Callable[[Record], None]] = {
            contracts.COVERAGE: self._coverage,
            contracts.GAPS: self._gaps,
            contracts.TILES: self._received,
            contracts.PLATFORMS: self._platform,
            contracts.OPERATORS: self._operator,
            contracts.REJECTED: self._rejected,
            contracts.REPORTED: self._reported,
            contracts.HELD: self._held,
            contracts.CLOCK: self._clock,
            RECEIPTS_PREFIX: self._receipt,
        }

    def take(self, record: Record) -> None:
        """Fold one record of any topic of `PAGES`."""
        topic = RECEIPTS_PREFIX if record.topic.startswith(RECEIPTS_PREFIX) else record.topic
        try:
            self._takes[topic](record)
        except ContractError:
            self.unreadable += 1
            return
        self.changed(*PAGES[topic])

    def changed(self, *pages: str) -> None:
        """Note that these pages changed."""
        if pages:
            self.version += 1
            self.moved_in.update(dict.fromkeys(pages, self.version))

    def moved_since(self, version: int) -> list[str]:
        """Return the pages that changed after a version."""
        return sorted(page for page, at in self.moved_in.items() if at > version)

    def day(self, now_ms: int) -> Day:
        """Return the counts of the UTC day of a time."""
        return self._days.get(now_ms // DAY_MS, Day())

    def behaviour(self, platform: str, waiting_since: int | None) -> Behaviour:
        """Return what a platform was seen to do."""
        unanswered = sum(self._unanswered.get(platform, {}).values())
        return Behaviour(waiting_since, self.moved_at.get(platform), unanswered)

    # ---- One topic each ----

    def _coverage(self, record: Record) -> None:
        if record.value is not None:
            one = decode(record.value, Coverage)
            self.coverage[one.platform] = one
            self.coverage_at[one.platform] = record.record_time

    def _gaps(self, record: Record) -> None:
        if record.value is None:
            return
        one = decode(record.value, Gaps)
        unanswered = 0
        for gap, bitmap in one.classes:
            if gap is GapClass.NO_OUTCOME:
                unanswered += len(BitMap.deserialize(bitmap) & BitMap.deserialize(one.overdue))
        self._unanswered[one.platform][one.partition, one.segment] = unanswered

    def _received(self, record: Record) -> None:
        if record.value is None or not says_received(record.key):
            return
        one: Tile | Received = decode(record.value, Tile, Received)
        self.moved_at[one.platform] = max(record.record_time, self.moved_at.get(one.platform, 0))

    def _platform(self, record: Record) -> None:
        if record.value is not None:
            self.roster.put_platform(decode(record.value, Platform))

    def _operator(self, record: Record) -> None:
        if record.value is not None:
            self.roster.put_operator(decode(record.value, Operator))

    def _rejected(self, record: Record) -> None:
        letter = decode(record.value, Rejected)
        known = self._letters[letter.topic, letter.partition]
        if letter.offset not in known:
            known.add(letter.offset)
            self.refused[letter.reason] += 1
            self._count(letter.recorded_at, refused=1)
        if letter.topic == contracts.EVENTS and letter.reason is Refusal.NOT_YOUR_CASE and letter.sender:
            self.books[letter.sender].add_rejected(letter)

    def _reported(self, record: Record) -> None:
        one: AcceptedReport | AcceptedAnswer = decode(record.value, AcceptedReport, AcceptedAnswer)
        if isinstance(one, AcceptedReport) and one.report_id not in self.disputes.reports:
            self._count(one.recorded_at, reports=1)
        self.disputes.add(one)

    def _held(self, record: Record) -> None:
        one: HeldEvent | HeldRelease | HeldDecided = decode(record.value, HeldEvent, HeldRelease, HeldDecided)
        if isinstance(one, HeldDecided):
            self._decided[one.source.partition].add(one.source.offset)
            self.held.pop(one.source, None)
        elif isinstance(one, HeldEvent) and one.source.offset not in self._decided[one.source.partition]:
            self.held[one.source] = one.operator

    def _clock(self, record: Record) -> None:
        if record.value is not None:
            self.world_ms = max(self.world_ms, decode(record.value, Clock).now_ms)

    def _receipt(self, record: Record) -> None:
        operator = record.topic.removeprefix(RECEIPTS_PREFIX)
        one: Any = decode(record.value, Receipt, ReportReceipt, PortedNotice)
        if isinstance(one, Receipt):
            book = self.books[operator]
            before = book.breaches.total()
            book.add(one)
            self._count(one.recorded_at, breaches=book.breaches.total() - before)

    def _count(self, at_ms: int, *, reports: int = 0, refused: int = 0, breaches: int = 0) -> None:
        day = at_ms // DAY_MS
        old = self._days.get(day, Day())
        self._days[day] = Day(old.reports + reports, old.refused + refused, old.breaches + breaches)
        if len(self._days) > DAYS_KEPT:
            del self._days[min(self._days)]
