"""How fast a world passes that is watched."""

from __future__ import annotations

import pytest

from hub.core.model import DAY_MS
from hub.local.pace import Pace

START = 20_000 * DAY_MS
PACE = Pace(until_ms=START + 100 * DAY_MS, days_per_s=10.0, then_days_per_s=0.5)


@pytest.mark.parametrize(("days", "seconds"), [(0, 0), (50, 5), (100, 10), (101, 12), (105, 20)])
def test_a_world_passes_quickly_and_then_slowly(days: int, seconds: float) -> None:
    """A hundred days take ten seconds, each one after them two; and the clock says so both ways."""
    at_ms = START + days * DAY_MS
    assert PACE.due_s(START, at_ms) == pytest.approx(seconds)
    assert PACE.time_at(START, seconds) == at_ms
