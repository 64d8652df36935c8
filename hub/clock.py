"""This module reads the real time for every program of the hub, and measures silence."""

from __future__ import annotations

import time


def system_clock() -> int:
    """Return the time now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Silence:
    """Measures how long a finite job has waited for data, to bound its loop. A follower for ever has no such bound."""

    def __init__(self, s_max: float) -> None:
        self.s_max = s_max
        self._since_s = time.monotonic()

    def end(self) -> None:
        """Note that something came."""
        self._since_s = time.monotonic()

    @property
    def is_too_long(self) -> bool:
        """Return whether nothing came for longer than the bound."""
        return time.monotonic() - self._since_s > self.s_max
