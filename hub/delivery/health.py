"""This module decides a receiver's state, and when it is tried again. It is pure: time and luck are arguments.

For example, a healthy receiver whose lane 7 failed three times in a row is tried there again after 2 to 6 s.

Rules:
1. A receiver has lanes (partitions of `releases`, or the one row of daily files); each keeps its own order.
2. A lane that failed pauses, each time twice as long, up to a bound that depends on its receiver's state. Receivers do
   not pause in step (`luck`), and none is tried before its `Retry-After`, within bounds.
3. While a receiver has only failed since its last success, it is tried with one lane at a time, at the receiver's pace.
4. It is DEGRADED if one of its lanes has failed for long. It is SUSPENDED if all of it has failed for longer, or it
   answered 410; then it only gets a probe from time to time. Any success ends a suspension at once; the cursor then
   gives it everything it missed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.delivery.settings import Patience

DOUBLINGS_MAX = 20
"""Further doublings change nothing, because every pause has reached its bound long before."""


class ReceiverState(StrEnum):
    """This is the state of a receiver."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    SUSPENDED = "SUSPENDED"


class Verdict(StrEnum):
    """This is the result of an attempt."""

    RECEIVED = "RECEIVED"
    FAILED = "FAILED"
    GONE = "GONE"


class Answer(NamedTuple):
    """This is a receiver's answer. `why` is a word or a status for metrics and people, never a body or a number."""

    verdict: Verdict
    why: str
    retry_after_s: float | None = None


class Pace(NamedTuple):
    """This says how often in a row something failed, since when, and when to try again; times are UTC milliseconds."""

    failures: int = 0
    failing_since: int | None = None
    try_at: int = 0


class Health(NamedTuple):
    """This is a receiver's health: its state, its pace, and that of each lane that fails."""

    state: ReceiverState = ReceiverState.HEALTHY
    since: int = 0
    gone: bool = False
    overall: Pace = Pace()
    lanes: tuple[tuple[int, Pace], ...] = ()
    received_at: int | None = None
    why: str = ""

    def lane(self, lane: int) -> Pace:
        """Return the pace of a lane."""
        return dict(self.lanes).get(lane, Pace())

    def may_try(self, lane: int, now_ms: int) -> bool:
        """Return whether a lane may be tried now, by its own pace and its receiver's."""
        return self.overall.try_at <= now_ms and self.lane(lane).try_at <= now_ms


def judged(health: Health, lane: int, answer: Answer, now_ms: int, patience: Patience, luck: float) -> Health:
    """Return the receiver's health after an answer.

    Args:
        luck: a random number in [0, 1), so that the pauses of many receivers do not end together.
    """
    lanes = dict(health.lanes)
    if answer.verdict is Verdict.RECEIVED:
        lanes.pop(lane, None)
        better = health._replace(gone=False, overall=Pace(), lanes=_sorted(lanes), received_at=now_ms, why="")
        return _in_state(better, now_ms, patience)
    lanes[lane] = _failed(lanes.get(lane, Pace()), now_ms)
    worse = health._replace(
        gone=health.gone or answer.verdict is Verdict.GONE,
        overall=_failed(health.overall, now_ms),
        lanes=_sorted(lanes),
        why=answer.why,
    )
    worse = _in_state(worse, now_ms, patience)
    lanes[lane] = _paused(lanes[lane], worse.state, answer, now_ms, patience, luck)
    overall = _paused(worse.overall, worse.state, answer, now_ms, patience, luck)
    return worse._replace(overall=overall, lanes=_sorted(lanes))


def _sorted(lanes: dict[int, Pace]) -> tuple[tuple[int, Pace], ...]:
    return tuple(sorted(lanes.items()))


def _failed(pace: Pace, now_ms: int) -> Pace:
    since = now_ms if pace.failing_since is None else pace.failing_since
    return Pace(pace.failures + 1, since, pace.try_at)


def _in_state(health: Health, now_ms: int, patience: Patience) -> Health:
    state = ReceiverState.HEALTHY
    if any(_lasts(pace, now_ms, patience.degraded_after_s) for _, pace in health.lanes):
        state = ReceiverState.DEGRADED
    if health.gone or _lasts(health.overall, now_ms, patience.suspended_after_s):
        state = ReceiverState.SUSPENDED
    return health if state is health.state else health._replace(state=state, since=now_ms)


def _lasts(pace: Pace, now_ms: int, seconds: float) -> bool:
    return pace.failing_since is not None and now_ms - pace.failing_since >= seconds * 1_000


def _paused(pace: Pace, state: ReceiverState, answer: Answer, now_ms: int, patience: Patience, luck: float) -> Pace:
    if state is ReceiverState.SUSPENDED:
        pause_s = patience.probe_s
    else:
        degraded = state is ReceiverState.DEGRADED
        longest_s = patience.degraded_backoff_max_s if degraded else patience.backoff_max_s
        pause_s = min(patience.backoff_s * 2 ** min(pace.failures - 1, DOUBLINGS_MAX), longest_s)
    pause_s *= 0.5 + luck
    if answer.retry_after_s is not None:
        pause_s = max(pause_s, min(answer.retry_after_s, patience.retry_after_max_s) * (1 + luck / 4))
    return pace._replace(try_at=now_ms + int(pause_s * 1_000))
