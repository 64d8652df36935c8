"""This module finds the connected platforms that find far more, or far fewer, stale bindings than their peers.

Rules:
1. A platform's bound rate is the share of the cases it answered in which something was bound: UNBOUND or FROZEN.
2. Its peers are the connected platforms of its tier, itself among them, that answered `ANSWERED_MIN` cases or more; if
   there are fewer than `PEERS_MIN` of them, none is an outlier.
3. An outlier is further from the peers' median than `FAR` times their spread: the median absolute deviation, scaled to
   a normal's standard deviation; if half of them have the same rate, the mean absolute deviation instead (Iglewicz and
   Hoaglin, How to Detect and Handle Outliers, ASQC 1993, section 3.3; `FAR`, 3.5, is also theirs).
4. The spread is at least what chance alone would give this platform if its true rate were the median: so a platform
   that answered few cases is not called an outlier by bad luck.

For example, if four of five tier 1 platforms find something bound in about 3 % of their cases and one in 30 %, that one
is an outlier.
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
    """A connected platform: the cases it answered, and how many of these had something bound."""

    platform: str
    tier: int
    answered: int
    bound: int

    @property
    def share(self) -> float:
        """Return the share of the answered cases that had something bound."""
        return self.bound / self.answered if self.answered else 0.0


def outliers(rates: Iterable[BoundRate]) -> set[str]:
    """Return the platforms whose bound rate is far from their peers'."""
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
