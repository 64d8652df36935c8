"""Drives intake by hand: a rehearsed hub, events of two operators, and a person who decides on what is held."""

from __future__ import annotations

from itertools import count, islice
from typing import Any

from hub.core import numbers
from hub.core.held import HELD_SOURCE_HEADER
from hub.core.intake import Arrival
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Decision,
    EventType,
    HeldRelease,
    HeldVerdict,
    HeldWhy,
    Names,
    NumberEvent,
    Operator,
    Receipt,
    Refusal,
    ReleaseReason,
    Source,
)
from hub.sdk.operators.rehearsal import Rehearsal
from hub.wire.contracts import partition_of

Said = Decision | HeldWhy | Refusal
HOME = 3
NOW = 1_780_000_000_000
LAKE = Operator("lake", Names("湖", "Lake"), ("+86155",), limit_daily=2)
PORTS = Operator("lake", Names("湖", "Lake"), ("+86155",), limit_ported_daily=1)
NORTH = Operator("north", Names("北", "North"), ("+86135",))
C, S, R, A = EventType.COOLING, EventType.RELEASE_SCHEDULED, EventType.RELEASED, EventType.REASSIGNED
RESTORED, W = EventType.RESTORED, EventType.WITHDRAWN


def numbers_at_home(prefix: str, wanted: int) -> list[str]:
    every = (f"{prefix}{n:08d}" for n in count())
    return list(islice((n for n in every if numbers.is_e164(n) and partition_of(n.encode(), 12) == HOME), wanted))


N = numbers_at_home("+86155", 6)
FOREIGN = numbers_at_home("+86135", 3)


def event_of(number: str, kind: EventType, nth: int, **fields: Any) -> NumberEvent:
    at = NOW - 20 * HOUR_MS + nth * 60_000
    needed = {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS} if kind is C else {}
    base = NumberEvent(nth.to_bytes(16), "lake", number, kind, at)
    return base._replace(**(needed | fields))


class IntakeDriver:
    """A rehearsed hub, and a person who decides on what it holds."""

    def __init__(self, *operators: Operator) -> None:
        self.hub = Rehearsal(operators)
        self.log: list[Arrival] = []
        self.receipts: list[Receipt] = []

    def send(self, *events: NumberEvent, at: int = NOW) -> list[Receipt]:
        """Send events and hear what is said of them."""
        return self.hear([self.hub.arrive(event, at) for event in events])

    def hear(self, arrivals: list[Arrival]) -> list[Receipt]:
        self.log += arrivals
        heard = list(self.hub.hear(arrivals).receipts)
        self.receipts += heard
        return heard

    def copies(self, sources: list[Source], verdict: HeldVerdict, at: int) -> list[Arrival]:
        """A verdict, and the held events once more as they then arrive."""
        self.hub.held.judge(HeldRelease("lake", tuple(sources), verdict, "Li", at, ""))
        found = []
        first = {one.source: one for one in self.log}
        for source in sources:
            event = first[source].content
            assert isinstance(event, NumberEvent)
            again = self.hub.arrive(event, at)
            headers = ((HELD_SOURCE_HEADER, str(source).encode()),)
            record = again.record._replace(headers=headers)
            found.append(again._replace(record=record, held=self.hub.held.copy_of(record)))
        return found

    def judge(
        self, *sources: Source, verdict: HeldVerdict = HeldVerdict.RELEASED, at: int = NOW + DAY_MS
    ) -> list[Receipt]:
        """Give a verdict and hear what comes of it."""
        return self.hear(self.copies(list(sources), verdict, at))

    def held(self) -> list[Source]:
        """What was ever held."""
        return [one.source for one in self.receipts if one.decision is Decision.HELD and one.held_source is None]


class RuledHub:
    """A hub in which the rules of authority hold, or not, and operators that send one event after the other."""

    def __init__(self, *operators: Operator, authority: bool = True, now: int = NOW) -> None:
        self.rehearsal = Rehearsal(operators, authority=authority)
        self.nth = 0
        self.sent: Arrival
        self._ranges = {one.id: one.ranges for one in operators}
        self._now = now

    def send(self, operator: str, number: str, kind: EventType, at: int | None = None, **fields: Any) -> Said:
        """Send an event that occurs when it is recorded; return why it is held or refused, or what was decided."""
        self.nth += 1
        at = self._now if at is None else at
        needed: dict[str, Any] = {}
        if kind is C:
            needed = {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS}
        ported = not numbers.in_ranges(number, self._ranges[operator])
        event = NumberEvent(self.last, operator, number, kind, at, ported=ported)
        self.sent = self.rehearsal.arrive(event._replace(**(needed | fields)), at)
        heard = self.rehearsal.hear([self.sent])
        if heard.held:
            return heard.held[0][1]
        return heard.rejected[0].reason if heard.rejected else heard.receipts[-1].decision

    def hand_over(self, operator: str, number: str, at: int | None = None) -> Said:
        """Say that a number was handed to another person."""
        at = self._now if at is None else at
        return self.send(operator, number, A, at, reason=ReleaseReason.TRANSFER, bound_before=at)

    @property
    def last(self) -> bytes:
        """The id of the event that was sent last."""
        return self.nth.to_bytes(16)
