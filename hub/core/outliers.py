"""Which connected platforms find far more, or far fewer, stale bindings than their peers. Robust, and modest.

Rules:
1. A platform's bound rate is the share of the cases it answered in which something was bound: UNBOUND or FROZEN.
2. Its peers are the connected platforms of its tier, itself among them, that answered `ANSWERED_MIN` cases or more;
   with fewer than `PEERS_MIN` of them nobody is an outlier.
3. An outlier is further from the peers' median than `FAR` times their spread: the median absolute deviation, scaled
   to a normal's standard deviation; if half of them agree to the digit, the mean absolute deviation instead (Iglewicz
   and Hoaglin, How to Detect and Handle Outliers, ASQC 1993, section 3.3, whose 3.5 it is).
4. The spread is never less than chance alone would give this platform, were its true rate the median: a platform
   that answered few cases is not called an outlier for bad luck.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean, median
from typing import NamedTuple

PEERS_MIN = 5
ANSWERED_MIN = 100
FAR = 3.5
MAD_TO_SIGMA = 1.4826
MEAN_AD_TO_SIGMA = 1.2533


class BoundRate(NamedTuple):
    """A connected platform: the cases it answered, and those in which something was bound."""

    platform: str
    tier: int
    answered: int
    bound: int

    @property
    def share(self) -> float:
        """Of the answered, those with something bound."""
        return self.bound / self.answered if self.answered else 0.0


def outliers(rates: Iterable[BoundRate]) -> set[str]:
    """The platforms whose bound rate is far from their peers'."""
    peers: dict[int, list[BoundRate]] = defaultdict(list)
    for one in rates:
        if one.answered >= ANSWERED_MIN:
            peers[one.tier].append(one)
    return {one.platform for group in peers.values() if len(group) >= PEERS_MIN for one in _far_from(group)}


def _far_from(group: list[BoundRate]) -> Iterable[BoundRate]:
    middle = median(one.share for one in group)
    away = [abs(one.share - middle) for one in group]
    spread = MAD_TO_SIGMA * median(away) or MEAN_AD_TO_SIGMA * fmean(away)
    for one in group:
        by_chance = math.sqrt(max(middle, 1 / one.answered) * (1 - middle) / one.answered)
        if abs(one.share - middle) > FAR * max(spread, by_chance):
            yield one
