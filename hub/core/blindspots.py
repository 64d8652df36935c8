"""How many stale bindings lie behind platforms that are not connected, and how sure that is.

Nobody can count what nobody answers for; this estimates it from two things that are known, and says how wide the
estimate is. Per unconnected platform the number of stale bindings is taken as a gamma variable:

1. Prior, from user numbers. Connected platforms show how many of the cases they answered were bound there, for each of
   their users. That rate, pooled, times an unconnected platform's users and its cases in force is the prior's mean.
   How far connected platforms differ from it (the spread of the logarithms) is the prior's width; before many
   connected ones are known it is wide by assumption (`SPREAD_ASSUMED`), and wider without a number of users.
2. Evidence, from reports. Distinct reported numbers are Poisson with the stale bindings times the reporting rate,
   which is that of all unconnected platforms together: where people report more than elsewhere, more is stale. Gamma
   and Poisson are conjugate, so the posterior is a gamma again (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6).

Shown are its mean and the middle 80 % (for large shapes by Wilson and Hilferty's approximation, PNAS 17, 1931), never
below the numbers reported and never above the cases in force.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from statistics import NormalDist, median
from typing import NamedTuple

SPREAD_ASSUMED = math.log(10) / NormalDist().inv_cdf(0.9)
"""Standard deviation of the logarithm: eight in ten platforms within a tenth and ten times of what users suggest."""

SPREAD_WEIGHT = 2.0
"""How many platforms' worth of evidence the assumed spread is."""

APPROXIMATED_FROM = 3.0
"""Shape from which the approximation is within a percent of the middle 80 %."""

SERIES_TERMS = 500
HALVINGS = 100
TAIL = 0.1
FAIR_RATIO = 10.0
GOOD_RATIO = 3.0


class Sureness(StrEnum):
    """How wide the middle 80 % is: its ends differ by up to 3 times, up to 10 times, or more."""

    GOOD = "GOOD"
    FAIR = "FAIR"
    ROUGH = "ROUGH"


class Answered(NamedTuple):
    """A platform that answers: its users, the pairs it answered, and those in which something was bound."""

    users: int
    answered: int
    bound: int


class Unanswered(NamedTuple):
    """A platform that does not answer, or a name. `users`: None if nobody says; `reported`: distinct numbers."""

    name: str
    users: int | None
    in_force: int
    reported: int


class BlindSpot(NamedTuple):
    """The stale bindings behind one platform: expected, and the ends of the middle 80 %. None: nothing to go by."""

    name: str
    expected: float | None
    low: float
    high: float | None
    sureness: Sureness


class _Prior(NamedTuple):
    """Bindings per case and user, and the spread of its logarithm."""

    rate: float
    spread: float


def rank(unanswered: Sequence[Unanswered], answered: Iterable[Answered]) -> list[BlindSpot]:
    """Blind spots, the one with the most expected stale bindings first; then by reports, then by name."""
    prior = _prior([one for one in answered if one.users > 0 and one.answered > 0])
    means = [_prior_mean(one, prior, unanswered) for one in unanswered]
    reporting = _reporting_rate(unanswered, means)
    spots = [_spot(one, mean, prior, reporting) for one, mean in zip(unanswered, means, strict=True)]
    reported = {one.name: one.reported for one in unanswered}
    return sorted(spots, key=lambda one: (-(one.expected or 0.0), -reported[one.name], one.name))


def _prior(answered: Sequence[Answered]) -> _Prior | None:
    if not answered:
        return None
    # Half a binding is added to each, so that a platform where none was bound has a logarithm.
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
    """Of a gamma variable of scale one."""
    if shape >= APPROXIMATED_FROM:
        third = 1.0 - 1.0 / (9.0 * shape) + NormalDist().inv_cdf(share) / (3.0 * math.sqrt(shape))
        return float(shape * third**3)
    return _solved(lambda log_x: _gamma_share(shape, math.exp(log_x)) - share, -200.0, 5.0, exponent=True)


def _gamma_share(shape: float, x: float) -> float:
    """The share of a gamma variable below `x`: its series (DLMF 8.7.1), for small shapes and `x` under 150."""
    term = total = 1.0 / shape
    for n in range(1, SERIES_TERMS):
        term *= x / (shape + n)
        total += term
        if term < total * 1e-12:
            break
    return math.exp(shape * math.log(x) - x - math.lgamma(shape)) * total


def _shape_of(log_spread: float) -> float:
    """The shape of the gamma variable whose logarithm has this standard deviation: its trigamma is the variance."""
    return _solved(lambda shape: log_spread**2 - _trigamma(shape), 1e-3, 1e6)


def _trigamma(x: float) -> float:
    """By recurrence to where its asymptotic series holds (DLMF 5.15.5 and 5.15.8)."""
    total = 0.0
    while x < 10.0:
        total += 1.0 / (x * x)
        x += 1.0
    square = 1.0 / (x * x)
    return total + 1.0 / x + square / 2.0 + square / x * (1.0 / 6.0 - square * (1.0 / 30.0 - square / 42.0))


def _solved(rising: Callable[[float], float], low: float, high: float, *, exponent: bool = False) -> float:
    """Where a rising function is zero, by halving; of an exponent, the power."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return math.exp(low) if exponent else low


def _sureness(low: float, high: float) -> Sureness:
    ratio = math.inf if low <= 0.0 else high / low
    if ratio <= GOOD_RATIO:
        return Sureness.GOOD
    return Sureness.FAIR if ratio <= FAIR_RATIO else Sureness.ROUGH
