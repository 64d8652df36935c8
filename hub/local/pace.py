"""This module says how fast a replayed world passes: fast in its first part, then slowly enough to look around.

For example, with `Pace(turn, 2, 0.5)` a world has 2 days a second up to the time `turn`, and one day in 2 s after it.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.model import DAY_MS


class Pace(NamedTuple):
    """How fast a world passes: `days_per_s` up to `until_ms`, and `then_days_per_s` after it."""

    until_ms: int
    days_per_s: float
    then_days_per_s: float

    def due_s(self, starts_at: int, at_ms: int) -> float:
        """Return the seconds from the start until a time of the world."""
        first, later = min(at_ms, self.until_ms) - starts_at, max(0, at_ms - self.until_ms)
        return first / DAY_MS / self.days_per_s + later / DAY_MS / self.then_days_per_s

    def time_at(self, starts_at: int, passed_s: float) -> int:
        """Return the world's time when this many seconds have passed since the start."""
        turn_s = self.due_s(starts_at, self.until_ms)
        if passed_s < turn_s:
            return starts_at + int(passed_s * self.days_per_s * DAY_MS)
        return self.until_ms + int((passed_s - turn_s) * self.then_days_per_s * DAY_MS)
