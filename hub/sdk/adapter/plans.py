"""What goes into the handling of a batch beside what the store knows, and what comes out. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

from hub.core.model import DAY_MS, HOUR_MS, SEGMENT, ReleaseNotice, Source, Stage
from hub.sdk.accounts import Batch, Changes, Done, Wanted
from hub.sdk.deeds import Ask, Deed, RetryPlan

FUSE_HOURS = DAY_MS // HOUR_MS

Act = Callable[[Deed, str, ReleaseNotice], Done]
"""The platform's word: (what is about to be done, account id, why) -> whether it is. May be asked again after a
crash, so doing it twice must do no harm."""


class Rules(NamedTuple):
    """How one platform acts. `fuse_unbinds_per_day`: None is off. `retries`: None tries nothing by the clock.

    `freeze_at`: stages that freeze where they would unbind.
    """

    act: Act
    fuse_unbinds_per_day: int | None = None
    retries: RetryPlan | None = None
    freeze_at: frozenset[Stage] = frozenset()


@dataclass
class Counts:
    """What was done. `ignored` notices broke the fold's rule."""

    notices: int = 0
    ignored: int = 0
    frozen: int = 0
    unbound: int = 0
    reinstated: int = 0
    vanished: int = 0
    failed: int = 0
    declined: int = 0
    not_bound: int = 0

    def add(self, other: Counts) -> None:
        """Count what another counted, too."""
        for one in fields(Counts):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Blown(NamedTuple):
    """Where the fuse stopped: the position left undone, what it would unbind, what its day had unbound before."""

    position: Source
    wanted: int
    unbound: int


class Plan(NamedTuple):
    """What to write, what was done, and where the fuse stopped if it did.

    `unbound_in_day`: what counts towards the fuse by now.
    `asks`: what the store is to have done by the platform before the changes are written, in order.
    """

    changes: Changes
    counts: Counts
    blown: Blown | None
    asks: tuple[Ask, ...] = ()
    unbound_in_day: int = 0


def wanted(batch: Batch) -> Wanted:
    """What a batch needs to know of the store."""
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
    """The hour a notice was published in, hours since 1970: what the fuse counts by."""
    return notice.published_at // HOUR_MS
