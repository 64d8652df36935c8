"""How many cases stand at which stage, and what happened today: a fold of `releases` without any number.

A notice names its case by position, so counting needs no number: a set of positions a stage, as Roaring bitmaps.
Rules 1 to 3 of `hub.core.cases`, as far as counts depend on them: notices in offset order a partition; one whose
`source` is not beyond the last folded one is ignored; one whose case is not at a stage it may follow is ignored.
An opener while the number's case is live is not seen here; intake lets none through, and a zombie's repeat is an old
source. A book that begins within the log (`whole` is false) counts days, and every notice of a source that is new.
"""

from __future__ import annotations

from collections import Counter

from pyroaring import BitMap

from hub.core import lifecycle
from hub.core.model import DAY_MS, ReleaseNotice, Source, Stage

DAYS_KEPT = 3
OPENED = "OPENED"
"""Beside the stages, in a day's counts: that a case opened."""


class StageBook:
    """The fold. `whole`: from the start of the log, so that cases are known."""

    def __init__(self, *, whole: bool = True) -> None:
        self.whole = whole
        self._stages: dict[tuple[int, Stage], BitMap] = {}
        self._last_source: dict[int, int] = {}
        self._days: dict[int, Counter[str]] = {}

    def take(self, position: Source, notice: ReleaseNotice) -> None:
        """Fold one notice. One that is to be ignored changes nothing."""
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
        """Cases by stage; those without any are left out."""
        found: Counter[Stage] = Counter()
        for (_, stage), standing in self._stages.items():
            found[stage] += len(standing)
        return {stage: found[stage] for stage in Stage if found[stage]}

    def day(self, now_ms: int) -> Counter[str]:
        """Notices of the UTC day a time is in, by stage, and OPENED."""
        return self._days.get(now_ms // DAY_MS, Counter())
