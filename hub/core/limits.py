"""Every operator has limits: how much it may do in a UTC day and in an hour of it, before a person looks.

Rules:
1. Each limit has a default (`DEFAULTS`). A registrar raises one, or takes it away, by name and with a reason; anybody
   may lower one. What was set last counts.
2. In one hour no more than a quarter of a day's limit is published (`BURST_SHARE`).
3. RESTORED never waits, nor does WITHDRAWN of a case in cooling or scheduled: both only lift what may be lifted.
   WITHDRAWN of a case that was RELEASED or REASSIGNED is an undoing, and has a limit of its own; of a case that was
   REASSIGNED more than `LATE_UNDOING_MS` ago it always waits.
4. An operator whose day goes beyond both `TIMES_USUAL` times the median of its last `USUAL_DAYS` days and `FEW`, or
   beyond a hundredth of its ranges, is quarantined: everything but what rule 3 lets through waits, until a person has
   looked. It is stopped whole, not by its surplus.
5. All this holds in a hub, or a world, whose authority rules hold (`HubLog.authority_from`). Elsewhere a limit counts
   only where it was set, by the day, and no WITHDRAWN waits.

6. What hands over a number of another operator's range, if that operator is on the roster, waits for a person
   (UNCONFIRMED), and so does SCHEDULED or RELEASED of such a number while that operator may object, `OBJECTION_MS` from
   the case's opener: until then platforms freeze at most. What opens a case of a number that its range's operator has
   locked waits too (LOCKED). That operator locks it by an objection: it undoes another's case of the number
   (`hub.core.intake`), which is never held.

For example, an operator with the default of 5,000 notices a day has published 1,250 between 10:00 and 10:20: the next
waits (BURST) until a person releases it; what is sent after 11:00 does not wait.

Counts are of notices by record time, without those that a person released; several workers at once may go a little
beyond a limit. Source of the brake: directory synchronisations stop a whole export, not its surplus, if it deletes more
than a number or a share (Microsoft Entra Connect, "prevent accidental deletes", 500 by default).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from statistics import median
from typing import NamedTuple, Protocol

import phonenumbers

from hub.core.cases import Case
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    EventType,
    HeldWhy,
    Lifted,
    Limit,
    LimitSet,
    NumberEvent,
    Operator,
    ReleaseNotice,
    Stage,
)
from hub.core.numbers import in_ranges
from hub.errors import HubError

DEFAULTS: Mapping[Limit, int] = {
    Limit.NOTICES: 5_000,
    Limit.PORTED: 100,
    Limit.HANDOVERS: 200,
    Limit.UNDOINGS: 50,
}
"""What holds for an operator of whom nothing else was said, a UTC day. A small operator can live with it; a large one
asks to have it raised."""

BURST_SHARE = 4
OBJECTION_MS = 14 * DAY_MS
"""How long after a case opened the operator of the number's range may object to it."""
LATE_UNDOING_MS = 30 * DAY_MS
TIMES_USUAL = 5
FEW = 500
USUAL_DAYS = 28
SHARE_OF_RANGES = 100
"""The brake acts beyond one in so many of an operator's numbers."""
MOST_DIGITS = 15
"""ITU-T E.164: a number has at most fifteen digits."""

WHY: Mapping[Limit, HeldWhy] = {
    Limit.NOTICES: HeldWhy.DAILY_LIMIT,
    Limit.PORTED: HeldWhy.PORTED_LIMIT,
    Limit.HANDOVERS: HeldWhy.HANDOVER_LIMIT,
    Limit.UNDOINGS: HeldWhy.UNDOING_LIMIT,
}
UNDOINGS_OF = frozenset({Stage.RELEASED, Stage.REASSIGNED})


class Published(NamedTuple):
    """How many notices an operator had in a span of time: all, and of them those that a limit counts apart.

    `ported` counts those of numbers outside its ranges, `handovers` the cases that opened at REASSIGNED, `undoings` the
    cases that were withdrawn after they were RELEASED or REASSIGNED.
    """

    every: int = 0
    ported: int = 0
    handovers: int = 0
    undoings: int = 0

    def plus(self, other: Published) -> Published:
        """Return the sum."""
        return Published(*(one + more for one, more in zip(self, other, strict=True)))

    def minus(self, other: Published) -> Published:
        """Return what is left."""
        return Published(*(one - less for one, less in zip(self, other, strict=True)))

    def of(self, limit: Limit) -> int:
        """Return the count that a limit is about."""
        return self[tuple(Limit).index(limit)]


class Counted(Protocol):
    """The counts of notices by operator, without those that a person released; times are record times, UTC."""

    def published(self, operator: str, day: int) -> Published:
        """Return how many notices an operator had on a day since 1970."""

    def published_in_hour(self, operator: str, hour: int) -> Published:
        """Return how many notices an operator had in an hour since 1970."""

    def tripped_at(self, operator: str) -> int | None:
        """Return when an operator last went beyond what is usual for it (rule 4); None if it never did."""


class Situation(NamedTuple):
    """What a decision about limits rests on.

    `today` and `this_hour` are what the operator had published; `quarantined` says whether a person has to look first.
    `stage` and `stage_at` are of the number's last case, whose opener was recorded at `opened_at`; `at` is when the
    event was recorded. `opens` says whether the
    event opens a case, `objects` whether it undoes another operator's case of a number of the sender's range. `holder`
    is the operator of the number's range, `locked_by` the one that locked the number.
    """

    today: Published
    this_hour: Published
    quarantined: bool
    stage: Stage | None
    stage_at: int
    at: int
    opened_at: int = 0
    opens: bool = False
    objects: bool = False
    holder: str | None = None
    locked_by: str | None = None


def adds(notice: ReleaseNotice, operator: Operator, before: Case | None) -> Published:
    """Return what a notice adds to its operator's counts. `before` is the number's last case before it."""
    undoes_own = before is not None and notice.stage is Stage.WITHDRAWN and before.operator == notice.operator
    return Published(
        every=1,
        ported=int(not in_ranges(notice.subject.value, operator.ranges)),
        handovers=int(notice.opened_at is None and notice.stage is Stage.REASSIGNED),
        undoings=int(undoes_own and before is not None and before.stage in UNDOINGS_OF),
    )


def in_force(operator: Operator, *, authority: bool) -> dict[Limit, int | None]:
    """Return each limit of an operator; None where there is none (rules 1 and 5)."""
    older = {Limit.NOTICES: operator.limit_daily, Limit.PORTED: operator.limit_ported_daily}
    found: dict[Limit, int | None] = {}
    for limit, default in DEFAULTS.items():
        unnamed = older.get(limit)
        found[limit] = unnamed
        if authority:
            found[limit] = default if unnamed is None else min(default, unnamed)
    return found | {one.limit: one.most for one in operator.limits}


def counts_for(operator: Operator, *, authority: bool) -> bool:
    """Return whether an operator has any limit. Without one nothing of it is held, and nothing need be looked up."""
    return any(most is not None for most in in_force(operator, authority=authority).values())


def is_free(event: NumberEvent, stage: Stage | None, *, authority: bool) -> bool:
    """Return whether an event never waits for a limit (rules 3 and 5)."""
    if event.type is EventType.WITHDRAWN:
        return not authority or stage not in UNDOINGS_OF
    return event.type is EventType.RESTORED


def why_held(
    event: NumberEvent, sender: Operator, one: Published, so_far: Situation, *, authority: bool
) -> HeldWhy | None:
    """Return why an event that would become a notice has to wait for a person, or None.

    Args:
        one: what its notice adds to the counts (`adds`).
    """
    if so_far.objects or is_free(event, so_far.stage, authority=authority):
        return None
    if authority and so_far.quarantined:
        return HeldWhy.QUARANTINE
    if authority and so_far.opens and so_far.locked_by not in (None, sender.id):
        return HeldWhy.LOCKED
    if authority and so_far.holder not in (None, sender.id) and _is_final(event, one, so_far):
        return HeldWhy.UNCONFIRMED
    if one.undoings and so_far.stage is Stage.REASSIGNED and so_far.at - so_far.stage_at > LATE_UNDOING_MS:
        return HeldWhy.LATE_UNDOING
    for limit, most in in_force(sender, authority=authority).items():
        if most is None or not one.of(limit):
            continue
        if so_far.today.of(limit) >= most:
            return WHY[limit]
        if authority and so_far.this_hour.of(limit) >= burst(most):
            return HeldWhy.BURST
    return None


def _is_final(event: NumberEvent, one: Published, so_far: Situation) -> bool:
    """Return whether platforms would unbind although the operator of the range may still object (rule 6)."""
    if event.type in (EventType.RELEASE_SCHEDULED, EventType.RELEASED):
        return so_far.at < so_far.opened_at + OBJECTION_MS
    return bool(one.handovers)


def burst(most: int) -> int:
    """Return how many of a day's limit may be published in one hour, rounded up."""
    return -(-most // BURST_SHARE)


def trips(count: int, operator: Operator, usual: Callable[[], Iterable[int]]) -> bool:
    """Return whether this many notices of a day stop an operator whole (rule 4). It is asked as each is counted.

    Args:
        count: the notices of the day, this one included.
        usual: returns the counts of each of the `USUAL_DAYS` days before.
    """
    if count == capacity(operator.ranges) // SHARE_OF_RANGES + 1:
        return True
    if count <= FEW:
        return False
    return count == max(FEW, int(TIMES_USUAL * median(usual()))) + 1


def with_limit(operator: Operator, limit: Limit, most: int | None, *, by: str, reason: str, at: int) -> Operator:
    """Return an operator's record with one limit set (rule 1). `most` counts a UTC day; None is no limit.

    Raises:
        HubError: it would be raised and nobody says who does so, or why.
    """
    now = in_force(operator, authority=True)[limit]
    raises = now is not None and (most is None or most > now)
    if raises and not (by.strip() and reason.strip()):
        raise HubError(
            f"{limit} would be raised and nobody answers for it",
            todo="Say with --by who decides, and with --reason why; both are kept and shown.",
        )
    others = tuple(one for one in operator.limits if one.limit is not limit)
    return operator._replace(limits=(*others, LimitSet(limit, most, by, reason, at)))


def lifted(operator: Operator, *, by: str, reason: str, at: int) -> Operator:
    """Return an operator's record with its quarantine ended.

    Raises:
        HubError: nobody says who ends it, or why.
    """
    if not (by.strip() and reason.strip()):
        raise HubError(
            "a quarantine ends by a person's word", todo="Say with --by who has looked, and with --reason why."
        )
    return operator._replace(lifted=(*operator.lifted, Lifted(at, by, reason)))


def is_quarantined(tripped_at: int | None, operator: Operator) -> bool:
    """Return whether an operator is stopped: it went beyond after a person last let it go on."""
    lifted_at = max((one.at for one in operator.lifted), default=-1)
    return tripped_at is not None and tripped_at > lifted_at


@cache
def capacity(ranges: tuple[str, ...]) -> int:
    """Return how many numbers have these prefixes, by the longest mobile number of the country."""
    apart = [one for one in set(ranges) if not any(one != other and one.startswith(other) for other in ranges)]
    return sum(10 ** max(0, _digits(prefix) - (len(prefix) - 1)) for prefix in apart)


def _digits(prefix: str) -> int:
    """Return how many digits the E.164 form of a mobile number with this prefix has, the country's code included."""
    for length in (1, 2, 3):
        code = int(prefix[1 : 1 + length] or 0)
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code)
        if regions:
            known = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0])
            if known is not None and known.mobile is not None and known.mobile.possible_length:
                return length + int(max(known.mobile.possible_length))
    return MOST_DIGITS


def hour_of(at_ms: int) -> int:
    """Return the number of an hour since 1970."""
    return at_ms // HOUR_MS
