"""How much one may ask at the API."""

from __future__ import annotations

from functools import partial

import pytest

from hub.problems import Problem
from hub.web.access.limits import DAY_S, Limits, LimitSettings

SMALL = LimitSettings(
    requests_per_s=2, requests_burst=4, numbers_per_s=10, numbers_burst=50, numbers_a_day=100, subjects_max=3
)


def refused(limits: Limits, count: int | None, now_s: float, subject: str = "north") -> Problem:
    """The refusal of one request, or of so many numbers."""
    ask = partial(limits.request, subject) if count is None else partial(limits.numbers, subject, count)
    with pytest.raises(Problem) as raised:
        ask(now_s)
    assert raised.value.status == 429
    assert raised.value.todo
    return raised.value


def test_requests_flow_at_their_rate_after_a_burst() -> None:
    """A burst is let through, then as many as the rate allows, and whoever waits as told gets in."""
    limits = Limits(SMALL)
    for _ in range(4):
        limits.request("north", 100.0)
    wait_s = refused(limits, None, 100.0).retry_after_s
    assert wait_s == 1
    limits.request("north", 100.0 + wait_s)
    limits.request("south", 100.0)


def test_the_numbers_of_a_day_are_bounded() -> None:
    """However slowly somebody asks, a day's quota ends; the next day begins anew."""
    limits = Limits(SMALL)
    for step in range(10):
        limits.numbers("north", 10, step * 10.0)
    spent = refused(limits, 1, 200.0)
    assert (spent.reason, spent.retry_after_s) == ("QUOTA_SPENT", int(DAY_S - 200) + 1)
    limits.numbers("north", 1, DAY_S + 1)


def test_a_refused_question_costs_nothing_of_the_day() -> None:
    """Numbers refused for being too many at once were not asked."""
    limits = Limits(SMALL)
    limits.numbers("north", 50, 0.0)
    assert refused(limits, 20, 0.0).reason == "TOO_MANY"
    limits.numbers("north", 50, 10.0)


def test_who_asked_longest_ago_is_forgotten_first() -> None:
    """Memory is bounded: the subject that asked longest ago is forgotten first."""
    limits = Limits(SMALL)
    for one in ("a", "b", "c", "a", "d"):
        limits.request(one, 0.0)
    assert list(limits._known) == ["c", "a", "d"]
