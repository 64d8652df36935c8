"""This module makes lives that meet each bound of intake's rules to the millisecond: one before, on, and one after it.

For example, one life is released one millisecond before its `cooling_until`, which is the breach EARLY_RELEASE.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from hub.core.model import DAY_MS, HOUR_MS
from hub.local.worlds.life import Life
from hub.local.worlds.ways import Way, to_reassigned, to_restored, to_scheduled


def _cooling_length(life: Life, off_ms: int, *, days: int) -> None:
    life.cool(cooling_ms=days * DAY_MS + off_ms)
    life.schedule()


def _released_at_the_end(life: Life, off_ms: int) -> None:
    to_scheduled(life)
    life.release(occurred_at=(life.opener.cooling_until or 0) + off_ms)


def _scheduled_in_time(life: Life, off_ms: int) -> None:
    life.cool(reissue_ms=10 * DAY_MS)
    life.schedule(occurred_at=life.reissue_at - 7 * DAY_MS + off_ms)
    life.release()


def _reissued_on_time(life: Life, off_ms: int) -> None:
    life.cool(reissue_ms=3 * DAY_MS)
    life.schedule()
    life.release()
    life.reassign(occurred_at=life.reissue_at + off_ms)


def _late(life: Life, off_ms: int) -> None:
    life.send("SUSPENDED", reason="ARREARS", delay_ms=DAY_MS + off_ms)
    life.wait(2, 4)
    life.cool(delay_ms=DAY_MS + off_ms)
    life.wait(2, 4)
    life.schedule(delay_ms=DAY_MS + off_ms)


def _ahead_of_the_clock(life: Life, off_ms: int) -> None:
    life.cool(delay_ms=-HOUR_MS - off_ms)
    life.wait(1, 2)
    life.schedule()


def _bound_before(life: Life, off_ms: int) -> None:
    life.cool(bound_before=life.now_ms + off_ms)
    life.wait(1, 5)
    life.restore(bound_before=life.now_ms + off_ms)
    life.wait(1, 5)
    life.hand_over("TRANSFER", bound_before=life.now_ms + off_ms)


def _cooling_until(life: Life, off_ms: int) -> None:
    life.cool(cooling_ms=off_ms, reissue_ms=70 * DAY_MS)
    life.wait(1, 2)
    life.schedule()


def _reissue_after_cooling(life: Life, off_ms: int) -> None:
    life.cool(cooling_ms=65 * DAY_MS, reissue_ms=off_ms)
    life.schedule()
    life.release()


def _turned_back(life: Life, off_ms: int) -> None:
    life.cool()
    life.schedule(occurred_at=life.opener.occurred_at + off_ms)
    life.release()


def _suspended_before_the_last(life: Life, off_ms: int) -> None:
    to_restored(life)
    life.send("SUSPENDED", reason="FRAUD", occurred_at=life.now_ms + off_ms)


def _opened_before_the_last(life: Life, off_ms: int) -> None:
    to_reassigned(life)
    life.cool(occurred_at=life.now_ms + off_ms)
    life.wait(0.1, 1)
    life.withdraw()


def _handed_over_before_the_last(life: Life, off_ms: int) -> None:
    to_restored(life)
    life.hand_over("BACKFILL", occurred_at=life.now_ms + off_ms)


def _owned_long_ago(life: Life, off_ms: int) -> None:
    life.cool(bound_before=life.now_ms - 400 * DAY_MS + off_ms)
    life.wait(1, 5)
    life.schedule()


def _bound_before_the_handover(life: Life, off_ms: int) -> None:
    taken_at = life.hand_over("TRANSFER").occurred_at
    life.wait(1, 5)
    life.hand_over("BACKFILL", bound_before=taken_at + off_ms)


def _reminders(life: Life, *, scheduled: int, released: int) -> None:
    life.cool(reminders=0)
    life.schedule(reminders=scheduled)
    life.release(reminders=released)


def _same_millisecond(life: Life) -> None:
    """Send two events of a number with the same record time; their event ids decide the order."""
    opener = life.cool()
    scheduled = life.send("RELEASE_SCHEDULED", occurred_at=opener.occurred_at, reminders=2)
    first, second = sorted((opener.event_id, scheduled.event_id))
    life.rows[-2:] = [
        replace(opener, event_id=first),
        replace(scheduled, event_id=second, published_at=opener.published_at),
    ]
    life.release()


def _before_1970(life: Life) -> None:
    life.send("SUSPENDED", reason="OTHER", occurred_at=-1)


_TO_THE_MILLISECOND = (
    partial(_cooling_length, days=60),
    partial(_cooling_length, days=90),
    partial(_cooling_length, days=70),
    partial(_cooling_length, days=80),
    _released_at_the_end,
    _scheduled_in_time,
    _reissued_on_time,
    _late,
    _ahead_of_the_clock,
    _bound_before,
    _cooling_until,
    _reissue_after_cooling,
    _turned_back,
    _suspended_before_the_last,
    _opened_before_the_last,
    _handed_over_before_the_last,
    _owned_long_ago,
    _bound_before_the_handover,
)

BOUNDS: tuple[Way, ...] = (
    *(partial(way, off_ms=off_ms) for way in _TO_THE_MILLISECOND for off_ms in (-1, 0, 1)),
    partial(_reminders, scheduled=0, released=1),
    partial(_reminders, scheduled=1, released=1),
    partial(_reminders, scheduled=0, released=2),
    _same_millisecond,
    _before_1970,
)
