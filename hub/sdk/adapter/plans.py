"""This module holds values: what goes into the handling of a batch beside what the store knows, and what comes out.

For example, with `Rules(act, fuse_unbinds_per_day=1_000)` an operator's 1,001st unbinding of 24 hours is a freeze.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

from hub.core.model import SEGMENT, ReleaseNotice, Source, Stage
from hub.sdk.accounts import Batch, Changes, Done, Wanted
from hub.sdk.adapter.fuse import FUSE_HOURS, hour_of
from hub.sdk.deeds import Ask, Deed, RetryPlan
from hub.sdk.fuses import FuseKind

Act = Callable[[Deed, str, ReleaseNotice], Done]
"""This asks the platform about one deed: (the deed, account id, notice) -> whether it is done. It may be asked again
after a crash, so doing it twice must do no harm."""


class Rules(NamedTuple):
    """This says how one platform acts. A fuse that is None is off; `retries` None tries nothing by the clock.

    `freeze_at` holds the stages that freeze where they would unbind.
    """

    act: Act
    fuse_unbinds_per_day: int | None = None
    retries: RetryPlan | None = None
    freeze_at: frozenset[Stage] = frozenset()
    fuse_put_backs_per_day: int | None = None
    authority: bool = True
    """The rules of authority hold; a world of before them turns them off (`AdapterSettings.authority`)."""

    by_record: bool = False
    """Time is that of the notices, as in a world: an account that is bound later than a notice is not there yet."""

    @property
    def limits(self) -> dict[FuseKind, int]:
        """Return the limits of the fuses that are on."""
        both = {FuseKind.UNBIND: self.fuse_unbinds_per_day, FuseKind.PUT_BACK: self.fuse_put_backs_per_day}
        return {kind: limit for kind, limit in both.items() if limit is not None}


@dataclass
class Counts:
    """This counts what was done. `ignored` notices broke the fold's rule.

    `without_number` are those `reinstated` whose number another account holds by now. `held` notices are those that a
    fuse held. `in_use` accounts gave signs of life and were left alone; they are among the
    `declined`. `passed_over` notices are of cases that are undone further on in the log.
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
    held: int = 0
    in_use: int = 0
    passed_over: int = 0

    def add(self, other: Counts) -> None:
        """Add what another one counted."""
        for one in fields(Counts):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Plan(NamedTuple):
    """This is what to write, and what was done.

    `unbound_in_day` is what counts towards the fuse for unbinding by now, of the operator that has most. `asks` are the
    deeds that the store has the platform do before the changes are written, in order.
    """

    changes: Changes
    counts: Counts
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
        operators=frozenset(one.notice.operator for one in batch),
    )
