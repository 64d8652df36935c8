"""This module folds `releases` into each number's last case, from the notices alone.

Rules:
1. Notices are folded in offset order, each partition by itself.
2. A notice whose `source` is not beyond the last folded one of its partition is ignored: the first counts. For example,
   a producer's retry or a replaced worker (a zombie) may publish the notice of source 7-240517 once more; it changes
   nothing.
3. A notice that breaks the lifecycle table, or whose `opened_at` is not its number's last case, is ignored.
4. Intake, coverage and followers fold with this function and cannot disagree. An adapter applies the same rules to
   rows of its own (`hub.sdk.adapter.acting`, `hub.sdk.last_cases`); the recount folds by itself, on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hub.core import lifecycle
from hub.core.model import ReleaseNotice, Source, Stage


class Case(NamedTuple):
    """The last case of a number. `event_ids` are its accepted events; the times are those of its opener.

    `scheduled_at` is when its RELEASE_SCHEDULED occurred, and `last_at` is when its last event occurred. `taken_at` is
    when the number last came to a new owner before this case, over all cases that stand; None if it never did.
    """

    position: Source
    operator: str
    opened_as: Stage
    stage: Stage
    bound_before: int
    published_at: int
    cooling_until: int | None
    reissue_not_before: int | None
    reminders: int
    scheduled_at: int | None
    last_at: int
    event_ids: tuple[bytes, ...]
    taken_at: int | None = None

    @property
    def live(self) -> bool:
        """Return whether the number is between two owners."""
        return self.stage in lifecycle.LIVE

    @property
    def undone(self) -> bool:
        """Return whether the case no longer counts."""
        return self.stage in lifecycle.UNDONE

    @property
    def handed_over_at(self) -> int | None:
        """Return when the number last came to a new owner, this case included; None if it never did."""
        return self.last_at if self.stage is Stage.REASSIGNED else self.taken_at


class Folded(NamedTuple):
    """What a notice changed: the number's case as it is now, and whether the notice opened it."""

    number: str
    case: Case
    opened: bool


def fold(
    notice: ReleaseNotice,
    position: Source,
    last_source: int,
    case_of: Callable[[str], Case | None],
) -> Folded | None:
    """Fold one notice.

    Args:
        position: where the notice lies in `releases`.
        last_source: the offset of the last folded source in this partition, -1 before the first.
        case_of: returns the last case of a number as folded so far.

    Returns:
        What changed, or None if the notice is to be ignored.
    """
    if notice.source.partition != position.partition or notice.source.offset <= last_source:
        return None
    number = notice.subject.value
    before = case_of(number)
    if notice.opened_at is None:
        return _open(notice, position, number, before)
    return _advance(notice, position, number, before)


def _open(notice: ReleaseNotice, position: Source, number: str, before: Case | None) -> Folded | None:
    if notice.stage not in lifecycle.OPENERS or (before is not None and before.live):
        return None
    case = Case(
        position=position,
        operator=notice.operator,
        opened_as=notice.stage,
        stage=notice.stage,
        bound_before=notice.bound_before,
        published_at=notice.published_at,
        cooling_until=notice.cooling_until,
        reissue_not_before=notice.reissue_not_before,
        reminders=notice.reminders,
        scheduled_at=None,
        last_at=notice.occurred_at,
        event_ids=(notice.event_id,),
        taken_at=None if before is None else before.handed_over_at,
    )
    return Folded(number, case, opened=True)


def _advance(notice: ReleaseNotice, position: Source, number: str, before: Case | None) -> Folded | None:
    if before is None or before.position != (position.partition, notice.opened_at):
        return None
    if not lifecycle.follows(before.stage, notice.stage):
        return None
    case = before._replace(
        stage=notice.stage,
        reminders=notice.reminders,
        scheduled_at=notice.occurred_at if notice.stage is Stage.SCHEDULED else before.scheduled_at,
        last_at=notice.occurred_at,
        event_ids=(*before.event_ids, notice.event_id),
    )
    return Folded(number, case, opened=False)
