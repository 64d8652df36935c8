"""This module makes the accounts that are bound to the numbers of a world.

They belong to old and new owners; some are of unknown age, and some were bound exactly at `bound_before`, where a
millisecond decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import NamedTuple

from hub.core.model import DAY_MS, HOUR_MS
from hub.local.worlds.life import SECOND_MS, Draft, Life

PER_NUMBER_MAX = 12
YEAR_MS = 365 * DAY_MS
HANDOVERS = ("TRANSFER", "BACKFILL")


class Account(NamedTuple):
    """A row of accounts.csv. `bound_at` is in UTC milliseconds, or None if it is unknown."""

    platform: str
    account_id: str
    number: str
    bound_at: int | None


def bind_accounts(rng: Random, lives: Sequence[Life], platforms: Sequence[str], ends_at: int) -> Iterator[Account]:
    """Yield accounts for every number. Widely used platforms have more of them, and sometimes one platform has several
    for a number."""
    used = [(0.4 + rng.random()) / (1 + rank / 20) for rank, _ in enumerate(platforms)]
    serial = count()
    for life in lives:
        openers = [row for row in life.rows if row.type == "COOLING" or row.reason in HANDOVERS]
        for platform in life.customer_of:
            yield Account(platform, f"{platform}-{next(serial):07d}", life.number, _long_ago(life))
        for platform in rng.choices(platforms, used, k=rng.randrange(PER_NUMBER_MAX)):
            bound_at = _bound_at(rng, openers, life.rows, ends_at)
            yield Account(platform, f"{platform}-{next(serial):07d}", life.number, bound_at)


def _long_ago(life: Life) -> int:
    return life.rows[0].occurred_at - YEAR_MS


def _bound_at(rng: Random, openers: Sequence[Draft], rows: Sequence[Draft], ends_at: int) -> int | None:
    kind = rng.random()
    if kind < 0.05:
        return None
    first, last = (rows[0].occurred_at, rows[-1].occurred_at) if rows else (ends_at, ends_at)
    if kind < 0.15 and openers:
        opener = rng.choice(openers)
        bound_before = opener.occurred_at if opener.bound_before is None else opener.bound_before
        return bound_before + rng.choice((-1, 0, 0, 1))
    if kind < 0.25:
        return max(0, last) + rng.randrange(30 * 86_400) * SECOND_MS
    if kind < 0.30 and last > first:
        return max(0, first + rng.randrange(last - first))
    return max(DAY_MS, first) - rng.randrange(2_500 * 24) * HOUR_MS
