"""This module makes things happen when a platform changes or a deadline ends: a millisecond before, on, and after it.

For example, a case opens one millisecond before a platform's `left_at`, and so is still in force there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from hub.core.model import DAY_MS, HOUR_MS, MINUTE_MS
from hub.local.worlds.life import Life
from hub.local.worlds.ways import Way
from hub.sdk.times import time_ms

LEAD_DAYS = 50
"""The days from an opener to what is scheduled at a moment; moments that come earlier in a world are left out."""

MOMENTS_MAX = 12
"""The most moments of platforms in a world, each in seven lives; more of a big roster would crowd out the rest."""

TIER_LIMITS_MS = (24 * HOUR_MS, 3 * DAY_MS, 7 * DAY_MS)


def _opened_at(life: Life, at_ms: int) -> None:
    life.now_ms = at_ms - 5 * MINUTE_MS
    life.cool(delay_ms=5 * MINUTE_MS)


def _scheduled_at(life: Life, at_ms: int) -> None:
    life.now_ms = at_ms - LEAD_DAYS * DAY_MS
    life.cool()
    life.schedule(occurred_at=at_ms - 5 * MINUTE_MS, delay_ms=5 * MINUTE_MS)


def _restored_at(life: Life, at_ms: int) -> None:
    """Restore a number at a moment: from then on the platform must give back what it froze before."""
    life.now_ms = at_ms - LEAD_DAYS * DAY_MS
    life.cool()
    life.restore(occurred_at=at_ms - 5 * MINUTE_MS, delay_ms=5 * MINUTE_MS)


def _with_a_customer(life: Life, way: Callable[..., None], at_ms: int, platform: str) -> None:
    life.customer_of.append(platform)
    way(life, at_ms)


def _due_at(life: Life, at_ms: int) -> None:
    """Open a case whose gaps are overdue from this moment on, because of its reissue date."""
    reissue_at = at_ms + 7 * DAY_MS
    life.now_ms = reissue_at - 70 * DAY_MS
    life.cool(cooling_ms=60 * DAY_MS, reissue_ms=reissue_at - life.now_ms - 60 * DAY_MS)


def moments(platforms: Sequence[dict[str, Any]], starts_at: int, ends_at: int) -> tuple[Way, ...]:
    """Return the ways that touch the moments of the roster and the deadlines of the report."""
    early = starts_at + (LEAD_DAYS + 1) * DAY_MS
    changes = sorted((at_ms, one["id"]) for one in platforms for at_ms in _changes(one) if at_ms > early)
    ends = [(_opened_at, ends_at - limit) for limit in TIER_LIMITS_MS] + [(_due_at, ends_at)]
    return (
        *(
            partial(_with_a_customer, way=way, at_ms=at_ms + off_ms, platform=platform)
            for at_ms, platform in changes[:MOMENTS_MAX]
            for way, offs_ms in ((_opened_at, (-1, 0, 1)), (_scheduled_at, (-1, 0)), (_restored_at, (-1, 0)))
            for off_ms in offs_ms
        ),
        *(partial(way, at_ms=at_ms + off_ms) for way, at_ms in ends for off_ms in (-1, 0, 1)),
    )


def _changes(platform: dict[str, Any]) -> Iterator[int]:
    behaviour = platform.get("behaviour", {})
    for text in (platform.get("left_at"), behaviour.get("mute_from"), behaviour.get("deaf_from")):
        if text:
            yield time_ms(text)
