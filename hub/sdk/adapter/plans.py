"""This module holds values: what goes into the handling of a batch beside what the store knows, and what comes out.

For example, `Rules(act, fuse_unbinds_per_day=1_000)` stops a batch before the 1,001st unbinding of 24 hours, and the
`Plan` then has `blown` with the position that was left undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

from hub.core.model import DAY_MS, HOUR_MS, SEGMENT, ReleaseNotice, Source, Stage
from hub.sdk.accounts import Batch, Changes, Done, Wanted
from hub.sdk.deeds import Ask, Deed, RetryPlan

FUSE_HOURS = DAY_MS // HOUR_MS

Act = Callable[[Deed, str, ReleaseNotice], Done]
"""This asks the platform about one deed: (the deed, account id, notice) -> whether it is done. It may be asked again
after a crash, so doing it twice must do no harm."""


class Rules(NamedTuple):
    """This says how one platform acts. `fuse_unbinds_per_day` None is off; `retries` None tries nothing by the clock.

    `freeze_at` holds the stages that freeze where they would unbind.
    """

    act: Act
    fuse_unbinds_per_day: int | None = None
    retries: RetryPlan | None = None
    freeze_at: frozenset[Stage] = frozenset()


@dataclass
class Counts:
    """This counts what was done. `ignored` notices broke the fold's rule.

    `without_number` are those `reinstated` whose number another account holds by now.
    """

    notices: int = 0
    ignored: int = 0
    frozen: int = 0
    unbound: int = 0
    reinstated: int = 0
    without_number: int = 0
    vanished: int = 0
    failed: int = 0
    declined: int = 0
    not_bound: int = 0

    def add(self, other: Counts) -> None:
        """Add what another one counted."""
        for one in fields(Counts):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Blown(NamedTuple):
    """This is where the fuse stopped: the position left undone, what it would unbind, and the day's earlier unbinds."""

    position: Source
    wanted: int
    unbound: int


class Plan(NamedTuple):
    """This is what to write, what was done, and where the fuse stopped, if it did.

    `unbound_in_day` is what counts towards the fuse by now. `asks` are the deeds that the store has the platform do
    before the changes are written, in order.
    """

    changes: Changes
    counts: Counts
    blown: Blown | None
    asks: tuple[Ask, ...] = ()
    unbound_in_day: int = 0


def wanted(batch: Batch) -> Wanted:
    """Return what a batch needs to know of the store."""
    cases = frozenset(
        Source(one.position.partition, one.notice.opened_at) for one in batch if one.notice.opened_at is not None
    )
    openers = {one.position for one in batch if one.notice.opened_at is None}
    cases |= {one.position for one in batch if one.again and one.notice.opened_at is None}
    return Wanted(
        partitions=frozenset(one.position.partition for one in batch),
        segments=frozenset((place.partition, place.offset // SEGMENT) for place in cases | openers),
        numbers=frozenset(one.notice.subject.value for one in batch if one.acting),
        cases=cases,
        since_hour=min((hour_of(one.notice) for one in batch), default=0) - FUSE_HOURS,
        subjects=frozenset(one.notice.subject.value for one in batch),
    )


def hour_of(notice: ReleaseNotice) -> int:
    """Return the hour in which a notice was published, in hours since 1970; the fuse counts by it."""
    return notice.published_at // HOUR_MS
