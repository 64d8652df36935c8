"""How fast a replayed world passes: its first stretch in a minute or so, then slowly enough to look around."""

from __future__ import annotations

from typing import NamedTuple

from hub.core.model import DAY_MS


class Pace(NamedTuple):
    """How fast a world passes: so many days a second up to a time, and so many after it."""

    until_ms: int
    days_per_s: float
    then_days_per_s: float

    def due_s(self, starts_at: int, at_ms: int) -> float:
        """Seconds from the start until a time of the world."""
        first, later = min(at_ms, self.until_ms) - starts_at, max(0, at_ms - self.until_ms)
        return first / DAY_MS / self.days_per_s + later / DAY_MS / self.then_days_per_s

    def time_at(self, starts_at: int, passed_s: float) -> int:
        """The world's time so many seconds from the start."""
        turn_s = self.due_s(starts_at, self.until_ms)
        if passed_s < turn_s:
            return starts_at + int(passed_s * self.days_per_s * DAY_MS)
        return self.until_ms + int((passed_s - turn_s) * self.then_days_per_s * DAY_MS)
