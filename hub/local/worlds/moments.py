"""What happens just when a platform changes, or just at a deadline: a millisecond before, on, and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from hub.core.model import DAY_MS, HOUR_MS, MINUTE_MS
from hub.local.worlds.life import Life
from hub.local.worlds.ways import Way
from hub.sdk.times import time_ms

LEAD_DAYS = 50
"""From an opener to what is scheduled at a moment; moments earlier in a world cannot be played."""

MOMENTS_MAX = 12
"""Moments of platforms that a world plays, each in seven lives: a big roster must not crowd out the rest."""

TIER_LIMITS_MS = (24 * HOUR_MS, 3 * DAY_MS, 7 * DAY_MS)


def _opened_at(life: Life, at_ms: int) -> None:
    life.now_ms = at_ms - 5 * MINUTE_MS
    life.cool(delay_ms=5 * MINUTE_MS)


def _scheduled_at(life: Life, at_ms: int) -> None:
    life.now_ms = at_ms - LEAD_DAYS * DAY_MS
    life.cool()
    life.schedule(occurred_at=at_ms - 5 * MINUTE_MS, delay_ms=5 * MINUTE_MS)


def _restored_at(life: Life, at_ms: int) -> None:
    """What the platform froze before its moment is to be given back from then on."""
    life.now_ms = at_ms - LEAD_DAYS * DAY_MS
    life.cool()
    life.restore(occurred_at=at_ms - 5 * MINUTE_MS, delay_ms=5 * MINUTE_MS)


def _with_a_customer(life: Life, way: Callable[..., None], at_ms: int, platform: str) -> None:
    life.customer_of.append(platform)
    way(life, at_ms)


def _due_at(life: Life, at_ms: int) -> None:
    """A case whose gaps are overdue by its reissue date from then on."""
    reissue_at = at_ms + 7 * DAY_MS
    life.now_ms = reissue_at - 70 * DAY_MS
    life.cool(cooling_ms=60 * DAY_MS, reissue_ms=reissue_at - life.now_ms - 60 * DAY_MS)


def moments(platforms: Sequence[dict[str, Any]], starts_at: int, ends_at: int) -> tuple[Way, ...]:
    """The lives that touch the roster's moments and the report's deadlines."""
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
