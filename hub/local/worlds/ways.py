"""This module holds what usually happens to a number, with breaches of every kind.

Each way is a function of a life, and nearly every way opens at least one case. `ORDINARY` ways are chosen at random, by
weight. For example, `to_restored` sends COOLING, waits up to 50 days, and sends RESTORED.
"""

from __future__ import annotations

from collections.abc import Callable

from hub.core.model import DAY_MS, HOUR_MS
from hub.local.worlds.life import REASONS, SECOND_MS, Life

Way = Callable[[Life], object]


def to_scheduled(life: Life) -> None:
    """Send COOLING, then RELEASE_SCHEDULED in time."""
    life.cool()
    life.schedule()


def to_released(life: Life) -> None:
    """Go as far as RELEASED, without a breach."""
    to_scheduled(life)
    life.release()


def to_reassigned(life: Life) -> None:
    """Go the whole way to a new owner, without a breach."""
    to_released(life)
    life.reassign()


def to_restored(life: Life) -> None:
    """The old owner comes back during cooling."""
    life.cool()
    life.wait(1, 50)
    life.restore()


def to_withdrawn(life: Life) -> None:
    """The operator takes the case back during cooling."""
    life.cool()
    life.wait(0.1, 20)
    life.withdraw()


def restored_when_scheduled(life: Life) -> None:
    """The old owner comes back after the release was scheduled."""
    to_scheduled(life)
    life.wait(0.1, 1)
    life.restore()


def withdrawn_when_scheduled(life: Life) -> None:
    """Withdraw after RELEASE_SCHEDULED, naming that event."""
    life.cool()
    named = life.schedule()
    life.wait(0.1, 1)
    life.withdraw(named)


def withdrawn_when_released(life: Life) -> None:
    """Withdraw after RELEASED, naming the opener."""
    to_released(life)
    life.wait(0.1, 1)
    life.withdraw()


def withdrawn_when_reassigned(life: Life) -> None:
    """Withdraw after REASSIGNED, naming that event."""
    to_released(life)
    named = life.reassign()
    life.wait(0.1, 5)
    life.withdraw(named)


def suspended_first(life: Life) -> None:
    """Calls are stopped for a while, then the number is given up."""
    life.send("SUSPENDED", reason="ARREARS")
    life.wait(5, 30)
    to_released(life)


def handed_over(life: Life) -> None:
    """Hand the number over for TRANSFER: another person has it at once."""
    life.hand_over("TRANSFER")


def backfilled(life: Life) -> None:
    """Hand the number over for BACKFILL: it was recycled long before the hub, and is cleaned up now."""
    held_ms = life.rng.randrange(30, 900) * DAY_MS
    life.hand_over("BACKFILL", occurred_at=life.now_ms - held_ms, bound_before=life.now_ms - held_ms - DAY_MS)


def handover_withdrawn(life: Life) -> None:
    """Withdraw a handover, which was a mistake."""
    life.hand_over(life.rng.choice(("TRANSFER", "BACKFILL")))
    life.wait(0.1, 20)
    life.withdraw()


def handover_with_a_date(life: Life) -> None:
    """Hand over with a `reissue_not_before`: the deadline of gaps depends on that date too."""
    life.hand_over("TRANSFER", reissue_not_before=life.now_ms + life.rng.randrange(-20, 40) * DAY_MS)


def operator_changed(life: Life) -> None:
    """Port the number once its case is over: the next case is another operator's."""
    to_restored(life)
    life.operator, life.ported = life.rng.choice(life.others), True
    life.wait(1, 10)
    to_released(life)


def recycled_twice(life: Life) -> None:
    """Two owners one after the other lose the number."""
    _quick_round(life)
    life.wait(1, 20)
    to_reassigned(life)


def recycled_three_times(life: Life) -> None:
    """Three owners one after the other, the middle one by a handover."""
    _quick_round(life)
    life.wait(1, 10)
    life.hand_over("TRANSFER")
    life.wait(1, 10)
    _quick_round(life)


def opened_again_and_again(life: Life) -> None:
    """Hand over several times, then go back to the second to last owner."""
    for reason in ("BACKFILL", "TRANSFER", "TRANSFER"):
        life.hand_over(reason)
        life.wait(1, 15)
    life.withdraw()
    life.wait(1, 5)
    to_restored(life)
    life.wait(1, 5)
    to_scheduled(life)


def _quick_round(life: Life) -> None:
    life.cool(cooling_ms=60 * DAY_MS, reissue_ms=DAY_MS)
    life.schedule()
    life.release()
    life.reassign(occurred_at=life.reissue_at + life.rng.randrange(24) * HOUR_MS)


def wrong_cooling_length(life: Life) -> None:
    """Cool some days too short or too long: COOLING_LENGTH."""
    life.cool(cooling_ms=life.rng.choice((7, 30, 59, 91, 120)) * DAY_MS)
    life.wait(0.1, 1)
    life.schedule()
    life.release()


def released_early(life: Life) -> None:
    """Release during cooling, without RELEASE_SCHEDULED: EARLY_RELEASE and SHORT_NOTICE."""
    life.cool()
    life.wait(5, 40)
    life.send("RELEASED", reminders=2)


def few_reminders(life: Life) -> None:
    """Send at most one reminder by RELEASED: FEW_REMINDERS."""
    life.cool(reminders=life.rng.randrange(2))
    life.schedule(reminders=0)
    life.release()
    life.reassign(reminders=3)


def never_scheduled(life: Life) -> None:
    """Release without RELEASE_SCHEDULED: SHORT_NOTICE."""
    life.cool(reminders=2)
    life.release()
    life.reassign()


def scheduled_late(life: Life) -> None:
    """Schedule the release too few days before reissue: SHORT_NOTICE."""
    life.cool()
    life.schedule(occurred_at=life.reissue_at - life.rng.randrange(1, 7 * 86_400) * SECOND_MS)
    life.release()


def reissued_early(life: Life) -> None:
    """Reassign before `reissue_not_before`: EARLY_REISSUE."""
    life.cool(reissue_ms=10 * DAY_MS)
    life.schedule()
    life.release()
    life.reassign(occurred_at=max(life.now_ms, life.reissue_at - life.rng.randrange(1, 9) * DAY_MS))


def new_owner_not_told(life: Life) -> None:
    """Reassign without a reminder to the new owner: NEW_OWNER_NOT_TOLD."""
    to_released(life)
    life.reassign(reminders=0)


def all_late(life: Life) -> None:
    """Send all events late by more than a day: LATE_EVENT, also for the note."""
    delay_ms = life.rng.randrange(25, 96) * HOUR_MS
    life.send("SUSPENDED", reason="ARREARS", delay_ms=delay_ms)
    life.wait(4, 9)
    life.cool(delay_ms=delay_ms)
    life.schedule(delay_ms=delay_ms)


def only_suspended(life: Life) -> None:
    """Only suspend the number: no case opens."""
    life.send("SUSPENDED", reason=life.rng.choice(REASONS))


ORDINARY: tuple[tuple[int, Way], ...] = (
    (30, to_reassigned),
    (16, to_released),
    (8, to_scheduled),
    (8, to_restored),
    (4, to_withdrawn),
    (4, suspended_first),
    (4, recycled_twice),
    (3, backfilled),
    (2, handed_over),
    (2, wrong_cooling_length),
    (2, released_early),
    (2, few_reminders),
    (2, never_scheduled),
    (2, scheduled_late),
    (2, reissued_early),
    (2, new_owner_not_told),
    (2, all_late),
)
SELDOM: tuple[Way, ...] = (
    restored_when_scheduled,
    withdrawn_when_scheduled,
    withdrawn_when_released,
    withdrawn_when_reassigned,
    handover_withdrawn,
    handover_with_a_date,
    operator_changed,
    recycled_three_times,
    opened_again_and_again,
    only_suspended,
)
"""Ways that happen once each, and then as seldom as the troubles."""
