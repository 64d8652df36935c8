"""Which connected platforms find far more, or far fewer, stale bindings than their peers."""

from __future__ import annotations

from hub.core.outliers import ANSWERED_MIN, BoundRate, outliers


def peers(*bound: int, answered: int = 10_000, tier: int = 1) -> list[BoundRate]:
    return [BoundRate(f"p{tier}-{place}", tier, answered, count) for place, count in enumerate(bound)]


def test_one_far_from_its_peers_is_an_outlier() -> None:
    """A platform that finds ten times what its peers do, or nothing where they find much, is pointed out."""
    assert outliers(peers(500, 510, 495, 505, 490, 5_000)) == {"p1-5"}
    assert outliers(peers(500, 510, 495, 505, 490, 0)) == {"p1-5"}


def test_several_outliers_do_not_hide_each_other() -> None:
    """The middle is the median, so two far off of seven are both seen."""
    assert outliers(peers(500, 510, 495, 505, 490, 4_000, 6_000)) == {"p1-5", "p1-6"}


def test_peers_are_of_one_tier() -> None:
    """Banks are compared with banks: what is ordinary in another tier does not make one an outlier."""
    assert outliers([*peers(500, 510, 495, 505, 490), *peers(5_000, 5_010, 4_990, 5_005, 4_995, tier=2)]) == set()


def test_too_few_peers_and_too_few_answers_say_nothing() -> None:
    """With four peers, or from one that answered hardly anything, nobody is accused."""
    assert outliers(peers(500, 510, 495, 5_000)) == set()
    few = BoundRate("few", 1, ANSWERED_MIN - 1, 90)
    assert outliers([*peers(500, 510, 495, 505, 490), few]) == set()


def test_peers_that_agree_to_the_digit_still_have_an_outlier() -> None:
    """If half of them are equal the mean deviation takes over; equal ones alone have none."""
    assert outliers(peers(500, 500, 500, 500, 500, 500, 500, 500, 500, 5_000)) == {"p1-9"}
    assert outliers(peers(500, 500, 500, 500, 500)) == set()


def test_chance_alone_makes_no_outlier() -> None:
    """Of a platform that answered 100 cases, 9 bound where 5 were expected is luck; of 10,000 it is not."""
    lucky = BoundRate("lucky", 1, 100, 9)
    assert outliers([*peers(500, 501, 499, 500, 500), lucky]) == set()
    assert outliers([*peers(500, 501, 499, 500, 500), lucky._replace(answered=10_000, bound=900)]) == {"lucky"}
