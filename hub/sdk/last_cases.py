"""This module keeps the last case of every number, for the rule of the fold and for the login check. It is pure.

A case that is in force when the number's next one opens can never be undone again (`hub.core.cases`, rule 3). So one
row for each number is enough to tell, for any moment, whether the number changed hands after it. The row holds the last
case, and the latest moment before which the bindings of all earlier cases had ended.

For example, a number's case 7-120033 with `bound_before` on 1 March came to REASSIGNED, and then case 7-130000 opens:
the row now names 7-130000, and its `earlier_before` is 1 March.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hub.core.lifecycle import LIVE, OPENERS, UNDONE, follows
from hub.core.model import ReleaseNotice, Source, Stage

NONE: Mapping[Any, Any] = MappingProxyType({})
"""This is an empty mapping, for defaults."""


class LastCase(NamedTuple):
    """This is the last case of a number. Times are UTC milliseconds.

    Bindings strictly older than `bound_before` are its old owner's. `free_until` is when the next owner got the number,
    None while nobody has it. `earlier_before` and `earlier_until` are the latest of both over all cases before this one
    that are in force, None if there are none; `earlier_until` is also that of cases withdrawn after a handover.
    """

    case: Source
    stage: Stage
    bound_before: int
    free_until: int | None
    earlier_before: int | None = None
    earlier_until: int | None = None

    @property
    def in_force(self) -> bool:
        """Return whether the case counts, which it does if it was not undone."""
        return self.stage not in UNDONE

    @property
    def handover_withdrawn(self) -> bool:
        """Return whether the case came to REASSIGNED and was withdrawn then: who holds the number nobody can tell."""
        return not self.in_force and self.free_until is not None


class Evidence(NamedTuple):
    """This is what the answers of a login check rest on. Times are UTC milliseconds.

    `since` says, by partition, from when on everything was heard; all partitions are in it once `caught_up_at` is
    known.
    """

    caught_up_at: int | None = None
    since: Mapping[int, int] = NONE


@runtime_checkable
class Index(Protocol):
    """This is what a login check asks of a store. It may be asked from any thread."""

    def last_case(self, number: str) -> LastCase | None:
        """Return the last case of an E.164 number, or None if no notice was about it."""
        ...

    def evidence(self) -> Evidence:
        """Return how far the record goes back and how new it is."""
        ...


def opened(before: LastCase | None, case: Source, notice: ReleaseNotice) -> LastCase:
    """Return what a number's row becomes when a notice opens its next case."""
    ends: list[int | None] = []
    untils: list[int | None] = []
    if before is not None:
        ends, untils = [before.earlier_before], [before.earlier_until]
        if before.in_force:
            ends.append(before.bound_before)
        if before.in_force or before.handover_withdrawn:
            untils.append(before.free_until)
    return LastCase(
        case=case,
        stage=notice.stage,
        bound_before=notice.bound_before,
        free_until=notice.bound_before if notice.stage is Stage.REASSIGNED else None,  # handed over without a pause
        earlier_before=_latest(ends),
        earlier_until=_latest(untils),
    )


def moved(before: LastCase | None, case: Source, notice: ReleaseNotice) -> LastCase:
    """Return what a number's row becomes when a notice moves its last case; if there is no row, a new one begins."""
    if before is None:
        before = opened(None, case, notice)
    free_until = notice.occurred_at if notice.stage is Stage.REASSIGNED else before.free_until
    return before._replace(stage=notice.stage, free_until=free_until)


def _latest(times: Iterable[int | None]) -> int | None:
    return max((one for one in times if one is not None), default=None)


class LastCases:
    """This holds the last cases of a batch's numbers, as the batch changes them, and where evidence begins."""

    def __init__(self, known: Mapping[str, LastCase]) -> None:
        self.changed: dict[str, LastCase] = {}
        self.evidence: dict[int, int] = {}
        self._known = known

    def heard(self, partition: int, published_at: int) -> None:
        """Note that a notice was heard: the evidence of a partition begins with its first one."""
        self.evidence.setdefault(partition, published_at)

    def case_of(
        self, position: Source, notice: ReleaseNotice, last_source: int, stage_of: Callable[[Source], Stage | None]
    ) -> Source | None:
        """Return the case a notice opens or moves, or None if the fold ignores it (`hub.core.cases`, rules 2 and 3).

        Args:
            last_source: the offset of the last folded source of its partition, -1 before the first.
            stage_of: gives the stage of a case, None if no case was opened there.
        """
        if notice.source.partition != position.partition or notice.source.offset <= last_source:
            return None
        if notice.opened_at is None:
            case, legal = position, notice.stage in OPENERS
        else:
            case = Source(position.partition, notice.opened_at)
            legal = follows(stage_of(case), notice.stage)
        return case if legal and self._admits(case, notice) else None

    def _admits(self, case: Source, notice: ReleaseNotice) -> bool:
        """Return whether a notice may open a case (none of its number is live) or move one (it is the number's last).

        A number may have no row, because all its cases began before this record did; then the notice may do either.
        """
        last = self._of(notice)
        if last is None:
            return True
        return last.stage not in LIVE if notice.opened_at is None else last.case == case

    def fold(self, case: Source, notice: ReleaseNotice) -> None:
        """Fold a notice that opens a case or moves it."""
        follow = opened if notice.opened_at is None else moved
        self.changed[notice.subject.value] = follow(self._of(notice), case, notice)

    def _of(self, notice: ReleaseNotice) -> LastCase | None:
        number = notice.subject.value
        return self.changed.get(number) or self._known.get(number)
