"""This module keeps what is known of the past in dictionaries: the `KnownCases` of tests, rehearsals and replays.

It folds with `hub.core.cases.fold`, as all other parts do, and forgets nothing.
"""

from __future__ import annotations

from collections import defaultdict

from hub.core.cases import Case, Folded, fold
from hub.core.intake import SeenEvent
from hub.core.limits import USUAL_DAYS, Published, hour_of, trips
from hub.core.model import DAY_MS, Operator, ReleaseNotice, Source


class MemoryCounts:
    """The counts of notices; implements `hub.core.limits.Counted`."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, int], Published] = defaultdict(Published)
        self._hours: dict[tuple[str, int], Published] = defaultdict(Published)
        self._tripped: dict[str, int] = {}

    def published(self, operator: str, day: int) -> Published:
        """Return how many notices an operator had on a UTC day, without those that a person released."""
        return self._days[operator, day]

    def published_in_hour(self, operator: str, hour: int) -> Published:
        """Return how many notices an operator had in an hour since 1970, without those that a person released."""
        return self._hours[operator, hour]

    def tripped_at(self, operator: str) -> int | None:
        """Return when an operator last went beyond what is usual for it; None if it never did."""
        return self._tripped.get(operator)

    def count(self, notice: ReleaseNotice, operator: Operator, one: Published) -> None:
        """Count a folded notice in its operator's day and hour. `one` is what it adds."""
        day, hour = notice.published_at // DAY_MS, hour_of(notice.published_at)
        self._days[operator.id, day] = self._days[operator.id, day].plus(one)
        self._hours[operator.id, hour] = self._hours[operator.id, hour].plus(one)
        usual = range(day - USUAL_DAYS, day)
        if trips(
            self._days[operator.id, day].every, operator, lambda: [self._days[operator.id, d].every for d in usual]
        ):
            self._tripped[operator.id] = notice.published_at


class MemoryCases:
    """The fold of `releases` in memory; implements `hub.core.intake.KnownCases`."""

    def __init__(self) -> None:
        self.cases: dict[Source, Case] = {}
        """Every case that ever opened, by its position."""
        self._last: dict[str, Case] = {}
        self._events: dict[tuple[int, str, bytes], SeenEvent] = {}
        self._last_source: dict[int, int] = {}
        self.days = MemoryCounts()

    def case_of(self, number: str) -> Case | None:
        """Return the last case of a number."""
        return self._last.get(number)

    def event_of(self, partition: int, operator: str, event_id: bytes) -> SeenEvent | None:
        """Return the accepted event of that id from that operator in that partition."""
        return self._events.get((partition, operator, event_id))

    def last_source(self, partition: int) -> int:
        """Return the offset of the last folded source of a partition, -1 before the first."""
        return self._last_source.get(partition, -1)

    def fold(self, notice: ReleaseNotice, position: Source) -> Folded | None:
        """Fold the notice that lies at `position`. Return None if it is ignored; nothing has changed then."""
        folded = fold(notice, position, self.last_source(position.partition), self.case_of)
        if folded is None:
            return None
        self.cases[folded.case.position] = self._last[folded.number] = folded.case
        seen = SeenEvent(notice.event_digest, position)
        self._events[position.partition, notice.operator, notice.event_id] = seen
        self._last_source[position.partition] = notice.source.offset
        return folded
