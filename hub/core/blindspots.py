"""This module estimates how many stale bindings lie behind platforms that are not connected, and how sure that is.

Nobody can count them, because these platforms do not answer. So the number is estimated from two things that are known,
with its uncertainty. For each unconnected platform it is modelled as a gamma variable:

1. The prior comes from user numbers. Connected platforms show how many of the cases they answered were bound there, for
   each of their users. That pooled rate, times an unconnected platform's users and its cases in force, is the prior's
   mean. How far connected platforms differ from it (the spread of the logarithms) is the prior's width; before many
   connected ones are known it is wide by assumption (`SPREAD_ASSUMED`), and wider without a number of users.
2. The evidence comes from reports. The count of distinct reported numbers is a Poisson variable; its mean is the stale
   bindings times the reporting rate of all unconnected platforms together. Where people report more than elsewhere,
   more bindings are stale. Gamma and Poisson are conjugate, so the posterior is a gamma again (Gelman et al., Bayesian
   Data Analysis, 3rd ed., 2.6).

For example, a connected platform with 1,000,000 users had something bound in 1 % of its many cases. Then an unconnected
platform with 300,000 users and 1,000 cases in force has a prior mean of 3.

The mean and the middle 80 % of the posterior are shown (for large shapes by Wilson and Hilferty's approximation, PNAS
17, 1931). They are never below the numbers reported and never above the cases in force.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from statistics import NormalDist, median
from typing import NamedTuple

SPREAD_ASSUMED = math.log(10) / NormalDist().inv_cdf(0.9)
"""The standard deviation of the logarithm: eight in ten platforms have a tenth to ten times what users suggest."""

SPREAD_WEIGHT = 2.0
"""The assumed spread counts as much as the evidence of so many platforms."""

APPROXIMATED_FROM = 3.0
"""From this shape on the approximation differs by at most a percent from the middle 80 %."""

SERIES_TERMS = 500
HALVINGS = 100
TAIL = 0.1
FAIR_RATIO = 10.0
GOOD_RATIO = 3.0


class Sureness(StrEnum):
    """Says how wide the middle 80 % is: its ends differ by up to 3 times, up to 10 times, or more."""

    GOOD = "GOOD"
    FAIR = "FAIR"
    ROUGH = "ROUGH"


class Answered(NamedTuple):
    """A platform that answers: its users, the pairs it answered, and how many of these were bound."""

    users: int
    answered: int
    bound: int


class Unanswered(NamedTuple):
    """A platform that does not answer, or a name. `users` is None if unknown; `reported` counts distinct numbers."""

    name: str
    users: int | None
    in_force: int
    reported: int


class BlindSpot(NamedTuple):
    """The stale bindings expected behind one platform, with the ends of the middle 80 %; None if nothing is known."""

    name: str
    expected: float | None
    low: float
    high: float | None
    sureness: Sureness


class _Prior(NamedTuple):
    """The bindings per case and user, and the spread of the logarithm of that rate."""

    rate: float
    spread: float


def rank(unanswered: Sequence[Unanswered], answered: Iterable[Answered]) -> list[BlindSpot]:
    """Return the blind spots, sorted by expected stale bindings (most first), then by reports, then by name."""
    prior = _prior([one for one in answered if one.users > 0 and one.answered > 0])
    means = [_prior_mean(one, prior, unanswered) for one in unanswered]
    reporting = _reporting_rate(unanswered, means)
    spots = [_spot(one, mean, prior, reporting) for one, mean in zip(unanswered, means, strict=True)]
    reported = {one.name: one.reported for one in unanswered}
    return sorted(spots, key=lambda one: (-(one.expected or 0.0), -reported[one.name], one.name))


def _prior(answered: Sequence[Answered]) -> _Prior | None:
    if not answered:
        return None
    # Half a binding is added to each, so that the logarithm also exists for a platform where none was bound.
    rate = sum(one.bound + 0.5 for one in answered) / sum(one.answered * one.users for one in answered)
    away = [math.log((one.bound + 0.5) / (one.answered * one.users) / rate) ** 2 for one in answered]
    variance = (SPREAD_WEIGHT * SPREAD_ASSUMED**2 + sum(away)) / (SPREAD_WEIGHT + len(answered))
    return _Prior(rate, math.sqrt(variance))


def _prior_mean(one: Unanswered, prior: _Prior | None, everyone: Sequence[Unanswered]) -> float | None:
    if prior is None or one.in_force == 0:
        return None
    users = one.users
    if users is None:
        known = [other.users for other in everyone if other.users is not None]
        if not known:
            return None
        users = int(median(known))
    return one.in_force * min(1.0, prior.rate * users)


def _reporting_rate(unanswered: Sequence[Unanswered], means: Sequence[float | None]) -> float:
    pairs = [(one.reported, mean) for one, mean in zip(unanswered, means, strict=True) if mean is not None]
    reported, expected = sum(one for one, _ in pairs), sum(mean for _, mean in pairs)
    return min(1.0, reported / expected) if expected else 0.0


def _spot(one: Unanswered, mean: float | None, prior: _Prior | None, reporting: float) -> BlindSpot:
    if mean is None or mean <= 0.0 or prior is None:
        return BlindSpot(one.name, float(one.reported) if one.reported else None, one.reported, None, Sureness.ROUGH)
    spread = prior.spread if one.users is not None else math.hypot(prior.spread, SPREAD_ASSUMED)
    shape = _shape_of(spread)
    posterior = shape + one.reported
    per_unit = shape / mean + reporting
    expected = _within(posterior / per_unit, one)
    low = _within(_gamma_quantile(posterior, TAIL) / per_unit, one)
    high = _within(_gamma_quantile(posterior, 1.0 - TAIL) / per_unit, one)
    return BlindSpot(one.name, expected, low, high, _sureness(low, high))


def _within(value: float, one: Unanswered) -> float:
    return max(float(one.reported), min(value, float(one.in_force)))


def _gamma_quantile(shape: float, share: float) -> float:
    """Return the quantile of a gamma variable of scale one."""
    if shape >= APPROXIMATED_FROM:
        third = 1.0 - 1.0 / (9.0 * shape) + NormalDist().inv_cdf(share) / (3.0 * math.sqrt(shape))
        return float(shape * third**3)
    return _solved(lambda log_x: _gamma_share(shape, math.exp(log_x)) - share, -200.0, 5.0, exponent=True)


def _gamma_share(shape: float, x: float) -> float:
    """Return the share of a gamma variable below `x`, by its series (DLMF 8.7.1); for small shapes, `x` under 150."""
    term = total = 1.0 / shape
    for n in range(1, SERIES_TERMS):
        term *= x / (shape + n)
        total += term
        if term < total * 1e-12:
            break
    return math.exp(shape * math.log(x) - x - math.lgamma(shape)) * total


def _shape_of(log_spread: float) -> float:
    """Return the shape of a gamma variable by the standard deviation of its logarithm: its trigamma is the variance."""
    return _solved(lambda shape: log_spread**2 - _trigamma(shape), 1e-3, 1e6)


def _trigamma(x: float) -> float:
    """Return the trigamma function, by recurrence up to where its asymptotic series holds (DLMF 5.15.5 and 5.15.8)."""
    total = 0.0
    while x < 10.0:
        total += 1.0 / (x * x)
        x += 1.0
    square = 1.0 / (x * x)
    return total + 1.0 / x + square / 2.0 + square / x * (1.0 / 6.0 - square * (1.0 / 30.0 - square / 42.0))


def _solved(rising: Callable[[float], float], low: float, high: float, *, exponent: bool = False) -> float:
    """Return where a rising function is zero, by bisection; with `exponent`, return e to the power of that."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return math.exp(low) if exponent else low


def _sureness(low: float, high: float) -> Sureness:
    ratio = math.inf if low <= 0.0 else high / low
    if ratio <= GOOD_RATIO:
        return Sureness.GOOD
    return Sureness.FAIR if ratio <= FAIR_RATIO else Sureness.ROUGH
