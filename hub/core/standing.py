"""This module judges whether a connected platform is healthy, degraded or recovering. The result is never stored.

Rules:
1. Only a CONNECTED platform has a standing; the others have only their state.
2. Behind: the oldest notice it has not received is older than its channel's limit.
3. Unanswered: it has received notices and said nothing of their cases beyond its tier's deadline.
4. Degraded: it is behind or unanswered. Recovering: it is behind, but what it has received moved lately, or it was
   connected lately and has not had the time. For example, a platform that joins late is recovering while it works off
   its backlog, and degraded if it stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hub.core.channel import kind_of
from hub.core.model import DAY_MS, MINUTE_MS, Platform, PlatformState
from hub.core.roster_life import state_since


class Standing(StrEnum):
    """The ways in which a connected platform can behave."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    RECOVERING = "RECOVERING"


@dataclass(frozen=True)
class StandingSettings:
    """The limits from which a platform counts as behind."""

    stream_ms: int = 15 * MINUTE_MS
    """How long a notice may wait where notices are read or pushed as they come: NPAC allows 15 minutes for a broadcast
    before the recipient is put on the failed list."""

    file_ms: int = DAY_MS
    """How long a notice may wait for a platform that fetches one file a day."""

    lately_ms: int = 15 * MINUTE_MS
    """How lately `received` must have moved if the platform is to count as recovering: as long as it may be silent."""

    def limit_ms(self, platform: Platform) -> int:
        """Return how long a notice may wait for a platform by its channel."""
        return self.file_ms if kind_of(platform).is_daily else self.stream_ms


class Behaviour(NamedTuple):
    """What a platform was seen to do.

    `waiting_since` is the record time of the oldest notice it has not received, None if there is none. `moved_at` is
    when what it has received last moved, None if it never did. `unanswered` counts overdue cases received and never
    answered.
    """

    waiting_since: int | None
    moved_at: int | None
    unanswered: int = 0


DEFAULTS = StandingSettings()


def standing(
    platform: Platform, seen: Behaviour, now_ms: int, settings: StandingSettings = DEFAULTS
) -> Standing | None:
    """Return how a platform behaves; None if it is not connected."""
    if platform.state is not PlatformState.CONNECTED:
        return None
    limit_ms = settings.limit_ms(platform)
    if seen.waiting_since is not None and now_ms - seen.waiting_since > limit_ms:
        connected_at = state_since(platform)
        moved = [at for at in (seen.moved_at, connected_at) if at is not None]
        # A platform with one file a day moves once a day, so it may rest as long as it may be silent.
        lately_ms = max(settings.lately_ms, limit_ms)
        return Standing.RECOVERING if moved and now_ms - max(moved) <= lately_ms else Standing.DEGRADED
    return Standing.DEGRADED if seen.unanswered else Standing.HEALTHY
