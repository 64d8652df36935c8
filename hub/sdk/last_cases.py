"""The last case of every number, as an adapter keeps it: for the fold's own rule, and for the login check. Pure.

A case that is in force when the number's next one opens can never be undone again (`hub.core.cases`, rule 3). So one
row a number is enough to tell, of any moment, whether the number changed hands after it: the last case, and the
latest moment before which the bindings of all cases before it had ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hub.core.lifecycle import LIVE, OPENERS, UNDONE, follows
from hub.core.model import ReleaseNotice, Source, Stage

NONE: Mapping[Any, Any] = MappingProxyType({})
"""Nothing, where a mapping is looked for."""


class LastCase(NamedTuple):
    """The last case of a number. Times are UTC milliseconds.

    `bound_before`: bindings strictly older are its old owner's. `free_until`: when the next owner got the number,
    None while nobody has it. `earlier_before` and `earlier_until`: the latest of both over all cases before this one
    that are in force, None if there are none.
    """

    case: Source
    stage: Stage
    bound_before: int
    free_until: int | None
    earlier_before: int | None = None
    earlier_until: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether the case counts: it was not undone."""
        return self.stage not in UNDONE


class Evidence(NamedTuple):
    """What the answers of a login check rest on. Times are UTC milliseconds.

    `since`: by partition, from when on everything was heard; all partitions are there once `caught_up_at` is.
    """

    caught_up_at: int | None = None
    since: Mapping[int, int] = NONE


@runtime_checkable
class Index(Protocol):
    """What a login check asks of a store. May be asked from any thread."""

    def last_case(self, number: str) -> LastCase | None:
        """The last case of an E.164 number, None if no notice was about it."""
        ...

    def evidence(self) -> Evidence:
        """How far the record goes back and how new it is."""
        ...


def opened(before: LastCase | None, case: Source, notice: ReleaseNotice) -> LastCase:
    """What a number's row becomes when a notice opens its next case."""
    ends: list[int | None] = []
    untils: list[int | None] = []
    if before is not None:
        ends, untils = [before.earlier_before], [before.earlier_until]
        if before.in_force:
            ends.append(before.bound_before)
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
    """What a number's row becomes when a notice moves its last case; without a row, one begins here."""
    if before is None:
        before = opened(None, case, notice)
    free_until = notice.occurred_at if notice.stage is Stage.REASSIGNED else before.free_until
    return before._replace(stage=notice.stage, free_until=free_until)


def _latest(times: Iterable[int | None]) -> int | None:
    return max((one for one in times if one is not None), default=None)


class LastCases:
    """The last cases of a batch's numbers, moving as the batch goes, and since when its partitions are heard."""

    def __init__(self, known: Mapping[str, LastCase]) -> None:
        self.changed: dict[str, LastCase] = {}
        self.evidence: dict[int, int] = {}
        self._known = known

    def heard(self, partition: int, published_at: int) -> None:
        """A notice was heard: the first of a partition is where its evidence begins."""
        self.evidence.setdefault(partition, published_at)

    def case_of(
        self, position: Source, notice: ReleaseNotice, last_source: int, stage_of: Callable[[Source], Stage | None]
    ) -> Source | None:
        """The case a notice opens or moves, None if the fold ignores it: `hub.core.cases`, rules 2 and 3.

        Args:
            last_source: offset of the last folded source of its partition, -1 before the first.
            stage_of: the stage of a case, None if none was opened there.
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
        """Whether a notice may open a case, no other one of its number being live, or move it, it being the last.

        Of a number that has no row, because its cases all began before this record did, anything may be.
        """
        last = self._of(notice)
        if last is None:
            return True
        return last.stage not in LIVE if notice.opened_at is None else last.case == case

    def fold(self, case: Source, notice: ReleaseNotice) -> None:
        """A notice opens a case or moves it."""
        follow = opened if notice.opened_at is None else moved
        self.changed[notice.subject.value] = follow(self._of(notice), case, notice)

    def _of(self, notice: ReleaseNotice) -> LastCase | None:
        number = notice.subject.value
        return self.changed.get(number) or self._known.get(number)
