"""When a receiver is tried again: pauses, states and crowds, on a clock in the test's hand."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hub.delivery.health import Answer, Health, ReceiverState, Verdict, judged
from hub.delivery.settings import Patience

PATIENCE = Patience()
FAILED = Answer(Verdict.FAILED, "500")
RECEIVED = Answer(Verdict.RECEIVED, "204")
GONE = Answer(Verdict.GONE, "410")
T0 = 1_790_000_000_000
MIDDLE = 0.5
HOUR_MS = 3_600_000


def failing(until_ms: int, lane: int = 0, luck: float = MIDDLE) -> tuple[Health, list[int]]:
    """A receiver that fails whenever it is tried; its health at a time, and the pauses on the way."""
    health, now_ms, pauses = Health(), T0, list[int]()
    while now_ms < until_ms:
        health = judged(health, lane, FAILED, now_ms, PATIENCE, luck)
        pauses.append(health.overall.try_at - now_ms)
        now_ms = health.overall.try_at
    return health, pauses


def test_pauses_double_up_to_the_bound_of_the_state() -> None:
    """One second, two, four, up to a minute; a quarter of an hour once degraded, an hour once suspended."""
    _, pauses = failing(T0 + 12 * HOUR_MS)
    assert pauses[:8] == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert 900_000 in pauses
    assert pauses[-3:] == [HOUR_MS] * 3
    assert len(pauses) < 60, "twelve hours away cost few requests"


@pytest.mark.parametrize(
    ("after_ms", "state"),
    [
        (0, ReceiverState.HEALTHY),
        (600_000 - 1, ReceiverState.HEALTHY),
        (600_000, ReceiverState.DEGRADED),
        (6 * HOUR_MS - 1, ReceiverState.DEGRADED),
        (6 * HOUR_MS, ReceiverState.SUSPENDED),
    ],
)
def test_states_follow_from_how_long_it_fails(after_ms: int, state: ReceiverState) -> None:
    """Degraded after ten minutes, suspended after six hours, to the millisecond."""
    health = judged(Health(), 0, FAILED, T0, PATIENCE, MIDDLE)
    health = judged(health, 0, FAILED, T0 + after_ms, PATIENCE, MIDDLE)
    assert health.state is state
    assert health.since == (0 if state is ReceiverState.HEALTHY else T0 + after_ms)


def test_a_success_ends_everything_at_once() -> None:
    """A suspended receiver that answers is healthy, and tried again without a pause."""
    health, _ = failing(T0 + 7 * HOUR_MS)
    assert health.state is ReceiverState.SUSPENDED
    health = judged(health, 0, RECEIVED, T0 + 8 * HOUR_MS, PATIENCE, MIDDLE)
    assert health == Health(since=T0 + 8 * HOUR_MS, received_at=T0 + 8 * HOUR_MS)
    assert health.may_try(0, T0 + 8 * HOUR_MS)


def test_gone_suspends_at_once() -> None:
    """Who answers 410 is asked once an hour from then on, until it answers otherwise."""
    health = judged(Health(), 0, GONE, T0, PATIENCE, MIDDLE)
    assert (health.state, health.overall.try_at) == (ReceiverState.SUSPENDED, T0 + HOUR_MS)
    health = judged(health, 0, FAILED, T0 + HOUR_MS, PATIENCE, MIDDLE)
    assert health.state is ReceiverState.SUSPENDED
    assert judged(health, 0, RECEIVED, T0 + 2 * HOUR_MS, PATIENCE, MIDDLE).state is ReceiverState.HEALTHY


def test_one_lane_that_fails_holds_up_itself_alone() -> None:
    """A message its receiver cannot take degrades the receiver and is tried less; the other partitions go on."""
    health, now_ms = Health(), T0
    for _ in range(100):
        health = judged(health, 7, FAILED, now_ms, PATIENCE, MIDDLE)
        health = judged(health, 1, RECEIVED, now_ms + 10, PATIENCE, MIDDLE)
        assert health.may_try(1, now_ms + 10)
        assert not health.may_try(7, now_ms + 10)
        now_ms = health.lane(7).try_at
    assert health.state is ReceiverState.DEGRADED, "not suspended: it answers"
    assert health.lane(7).failures == 100
    health = judged(health, 7, RECEIVED, now_ms, PATIENCE, MIDDLE)
    assert (health.state, health.lanes) == (ReceiverState.HEALTHY, ())


@pytest.mark.parametrize(
    ("asked_s", "least_ms", "most_ms"),
    [(30, 30_000, 37_500), (0, 500, 1_500), (10**9, HOUR_MS, HOUR_MS * 5 // 4), (-5, 500, 1_500)],
)
def test_a_retry_after_is_never_undercut_and_has_a_bound(asked_s: float, least_ms: int, most_ms: int) -> None:
    """A receiver that asks for time gets it, at most an hour, and no two the same."""
    for luck in (0.0, 0.3, 0.999):
        health = judged(Health(), 0, Answer(Verdict.FAILED, "429", asked_s), T0, PATIENCE, luck)
        assert least_ms <= health.overall.try_at - T0 <= most_ms


def test_a_crowd_that_comes_back_together_causes_no_storm() -> None:
    """A thousand receivers fail at the same moment for an hour: no second of their retries has more than a share."""
    rng = random.Random(1)
    count, tries = 1_000, Counter[int]()
    for _ in range(count):
        health, now_ms = Health(), T0
        while now_ms < T0 + HOUR_MS:
            tries[(now_ms - T0) // 1_000] += 1
            health = judged(health, 0, FAILED, now_ms, PATIENCE, rng.random())
            now_ms = health.overall.try_at
    assert max(tries[second] for second in range(30, 3_600)) < count / 10
    late = [tries[second] for second in range(1_800, 3_600)]
    assert sum(late) / len(late) < 3, "degraded receivers are tried about every fifteen minutes"
    assert max(late) < 20
