"""This module counts cases by stage, and what happened today: it folds `releases` without any number.

A notice names its case by position, so counting needs no number: each stage has a set of positions, as Roaring bitmaps.
For example, the notice SCHEDULED of case 7-120033 moves the bit 120033 of partition 7 from COOLING to SCHEDULED.

Rules 1 to 3 of `hub.core.cases` hold here as far as counts depend on them: notices come in offset order in each
partition; a notice whose `source` is not beyond the last folded one is ignored; so is one that its case's stage does
not allow. An opener while the number's case is live cannot be seen here, but intake lets none through, and a repeat by
a zombie worker has an old source. A book that begins within the log (`whole` is false) only counts days, and counts
every notice of a new source.
"""

from __future__ import annotations

from collections import Counter

from pyroaring import BitMap

from hub.core import lifecycle
from hub.core.model import DAY_MS, ReleaseNotice, Source, Stage

DAYS_KEPT = 3
OPENED = "OPENED"
"""The entry of a day's counts, beside the stages, that counts opened cases."""


class StageBook:
    """The fold. `whole` says that it begins at the start of the log, so that cases are known."""

    def __init__(self, *, whole: bool = True) -> None:
        self.whole = whole
        self._stages: dict[tuple[int, Stage], BitMap] = {}
        self._last_source: dict[int, int] = {}
        self._days: dict[int, Counter[str]] = {}

    def take(self, position: Source, notice: ReleaseNotice) -> None:
        """Fold one notice. A notice that must be ignored changes nothing."""
        partition = position.partition
        if notice.source.partition != partition or notice.source.offset <= self._last_source.get(partition, -1):
            return
        if notice.opened_at is None:
            if notice.stage not in lifecycle.OPENERS:
                return
            self._at(partition, notice.stage).add(position.offset)
        elif self.whole and not self._move(partition, notice.opened_at, notice.stage):
            return
        self._last_source[partition] = notice.source.offset
        self._count(notice)

    def _move(self, partition: int, case: int, stage: Stage) -> bool:
        for before in Stage:
            standing = self._at(partition, before)
            if case in standing and lifecycle.follows(before, stage):
                standing.discard(case)
                self._at(partition, stage).add(case)
                return True
        return False

    def _at(self, partition: int, stage: Stage) -> BitMap:
        return self._stages.setdefault((partition, stage), BitMap())

    def _count(self, notice: ReleaseNotice) -> None:
        day = self._days.setdefault(notice.published_at // DAY_MS, Counter())
        day.update([notice.stage, *([OPENED] if notice.opened_at is None else [])])
        if len(self._days) > DAYS_KEPT:
            del self._days[min(self._days)]

    def stages(self) -> dict[Stage, int]:
        """Return the cases by stage, without stages that have none."""
        found: Counter[Stage] = Counter()
        for (_, stage), standing in self._stages.items():
            found[stage] += len(standing)
        return {stage: found[stage] for stage in Stage if found[stage]}

    def day(self, now_ms: int) -> Counter[str]:
        """Return the notices of the UTC day of a time, by stage, and the count of OPENED."""
        return self._days.get(now_ms // DAY_MS, Counter())
