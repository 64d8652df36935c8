"""How much one may ask at the API."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hub.errors import HubError
from hub.problems import Problem
from hub.web.access.limits import DAY_S, Limits, LimitSettings, Strangers, read_limits

SMALL = LimitSettings(
    requests_per_s=2,
    requests_burst=4,
    numbers_per_s=10,
    numbers_burst=50,
    numbers_a_day=100,
    unproven_per_s=0.5,
    unproven_burst=2,
    subjects_max=3,
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


def turned_away(strangers: Strangers, address: str, proof: str, now_s: float) -> Problem:
    with pytest.raises(Problem) as raised:
        strangers.let_in(address, proof, now_s)
    assert (raised.value.status, raised.value.reason) == (429, "TOO_MANY")
    return raised.value


def test_who_proves_nobody_is_counted_by_address() -> None:
    """After a burst of spoilt proofs an address waits as told, and no other address does."""
    strangers = Strangers(SMALL)
    for _ in range(2):
        strangers.let_in("192.0.2.1", "spoilt", 10.0)
        strangers.failed("192.0.2.1", 10.0)
    assert turned_away(strangers, "192.0.2.1", "another", 10.0).retry_after_s == 3
    strangers.let_in("192.0.2.2", "spoilt", 10.0)
    strangers.let_in("192.0.2.1", "another", 13.0)


def test_a_proof_that_held_is_looked_at_beside_a_flood() -> None:
    """Whoever was let in lately is not locked out by others behind the same address, as long as it is remembered."""
    strangers = Strangers(SMALL)
    strangers.held("good")
    for _ in range(9):
        strangers.failed("192.0.2.1", 10.0)
    strangers.let_in("192.0.2.1", "good", 10.0)
    turned_away(strangers, "192.0.2.1", "new", 10.0)
    for one in ("a", "b", "c"):
        strangers.held(one)
    turned_away(strangers, "192.0.2.1", "good", 10.0)


def test_an_addresss_debt_does_not_grow_without_end() -> None:
    """However long a flood was, the next proof is looked at once the rate allows one."""
    strangers = Strangers(SMALL)
    for _ in range(1_000):
        strangers.failed("192.0.2.1", 10.0)
    strangers.let_in("192.0.2.1", "new", 12.0)


def test_limits_are_a_file(tmp_path: Path) -> None:
    """What it leaves out is as it was; what it does not know, or cannot be, is refused by the field's name."""
    path = tmp_path / "limits.yaml"
    path.write_text("numbers_a_day: 2000000", encoding="utf-8")
    assert read_limits(path) == LimitSettings(numbers_a_day=2_000_000)
    for wrong, named in (("numbers_a_year: 1", "numbers_a_year"), ("requests_per_s: 0", "requests_per_s")):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(HubError, match=named):
            read_limits(path)
