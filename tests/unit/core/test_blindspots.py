"""The blind spot has a size, as far as it can be known, and says how far that is."""

from __future__ import annotations

import math
import random

import pytest

from hub.core.blindspots import SPREAD_ASSUMED, Answered, Sureness, Unanswered, _gamma_quantile, _shape_of, rank

ALIKE = [Answered(users * 1_000_000, 10_000, users * 20) for users in (5, 10, 20, 40, 80)]
"""Connected platforms with exactly two stale bindings per thousand cases and million users."""


def test_platforms_are_ranked_by_what_their_users_suggest() -> None:
    """Without a single report the bigger platform comes first, and the rate is that of connected ones."""
    spots = rank([Unanswered("small", 1_000_000, 10_000, 0), Unanswered("big", 30_000_000, 10_000, 0)], ALIKE)
    assert [one.name for one in spots] == ["big", "small"]
    assert spots[0].expected == pytest.approx(30 * 20, rel=0.05)


def test_reports_outweigh_user_numbers() -> None:
    """A small platform that many people report stands above a large one that nobody does."""
    spots = rank([Unanswered("small", 1_000_000, 10_000, 90), Unanswered("big", 30_000_000, 10_000, 0)], ALIKE)
    assert [one.name for one in spots] == ["small", "big"]
    assert spots[0].low >= 90


def test_more_evidence_makes_a_platform_surer() -> None:
    """Reports narrow the range, and so does each connected platform that agrees with the others."""

    def width(reported: int, answered: list[Answered]) -> float:
        (one,) = rank([Unanswered("gym", 10_000_000, 10_000, reported)], answered)
        assert one.high is not None
        return one.high / one.low

    assert width(50, ALIKE) < width(5, ALIKE) < width(0, ALIKE) < width(0, ALIKE[:1])
    (sure,) = rank([Unanswered("gym", 10_000_000, 10_000, 100)], ALIKE)
    (rough,) = rank([Unanswered("gym", 10_000_000, 10_000, 0)], ALIKE[:1])
    assert (sure.sureness, rough.sureness) == (Sureness.GOOD, Sureness.ROUGH)


def test_an_unknown_number_of_users_widens_the_range() -> None:
    """A platform whose users nobody counts is taken for a middling one, and that is said to be less sure."""
    spots = rank([Unanswered("known", 10_000_000, 1_000, 0), Unanswered("unknown", None, 1_000, 0)], ALIKE)
    known, unknown = sorted(spots, key=lambda one: one.name)
    assert known.high is not None
    assert unknown.high is not None
    assert unknown.high / unknown.low > known.high / known.low


def test_nothing_to_go_by_is_said_and_not_guessed() -> None:
    """Without connected platforms there is no rate: what people reported is all that is known."""
    spots = rank([Unanswered("gym", 10_000_000, 1_000, 0), Unanswered("小小健身房", None, 1_000, 2)], [])
    assert [(one.name, one.expected, one.low, one.high) for one in spots] == [
        ("小小健身房", 2.0, 2, None),
        ("gym", None, 0, None),
    ]


def test_an_estimate_never_leaves_what_is_possible() -> None:
    """No more stale bindings than cases in force, no fewer than numbers reported, and the ends in order."""
    chance = random.Random(1)
    for _ in range(500):
        in_force = chance.randrange(1, 100_000)
        one = Unanswered(
            "x", chance.choice([None, 10 ** chance.randrange(1, 10)]), in_force, chance.randrange(in_force)
        )
        (spot,) = rank([one], chance.sample(ALIKE, chance.randrange(1, 6)))
        if spot.expected is None or spot.high is None:
            continue
        assert one.reported <= spot.low <= spot.high <= in_force
        assert spot.low <= spot.expected <= in_force


@pytest.mark.parametrize("shape", [0.05, 0.3, 0.99, 1.0, 2.9, 3.0, 12.0, 400.0])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_quantiles_are_those_of_the_gamma_distribution(shape: float, share: float) -> None:
    """A hundred thousand draws of another generator agree on the quantiles, small shapes included."""
    chance = random.Random(f"{shape} {share}")
    found = _gamma_quantile(shape, share)
    draws = 100_000
    below = sum(chance.gammavariate(shape, 1.0) <= found for _ in range(draws)) / draws
    assert below == pytest.approx(share, abs=0.008)


def test_the_prior_is_as_wide_as_it_says() -> None:
    """A gamma of the shape found has a logarithm of the spread asked for, by simulation."""
    chance, shape = random.Random(7), _shape_of(SPREAD_ASSUMED)
    logs = [math.log(chance.gammavariate(shape, 1.0)) for _ in range(100_000)]
    mean = sum(logs) / len(logs)
    spread = math.sqrt(sum((one - mean) ** 2 for one in logs) / len(logs))
    assert spread == pytest.approx(SPREAD_ASSUMED, rel=0.03)
