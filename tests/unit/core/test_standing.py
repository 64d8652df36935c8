"""How a platform behaves is seen from what it does, with its bounds."""

from __future__ import annotations

import pytest

from hub.core.gaps import Terms, deadline
from hub.core.model import DAY_MS, MINUTE_MS, Names, Platform, PlatformState, StateChange
from hub.core.standing import Behaviour, Standing, standing

NOW = 1_780_000_000_000
CONNECTED = (StateChange(NOW - 30 * DAY_MS, PlatformState.CONNECTED),)
DRIVE = Platform("drive", Names("盘", "Drive"), "drive", 1, PlatformState.CONNECTED, "kafka", history=CONNECTED)
FILE = DRIVE._replace(channel="file")
JOINED = DRIVE._replace(history=(StateChange(NOW - 5 * MINUTE_MS, PlatformState.CONNECTED),))
H, D, R = Standing.HEALTHY, Standing.DEGRADED, Standing.RECOVERING
LONG = NOW - 40 * DAY_MS


@pytest.mark.parametrize(
    ("platform", "waiting_since", "moved_at", "unanswered", "expected"),
    [
        (DRIVE, None, None, 0, H),
        (DRIVE, NOW - 15 * MINUTE_MS, LONG, 0, H),
        (DRIVE, NOW - 15 * MINUTE_MS - 1, LONG, 0, D),
        (DRIVE, LONG, NOW - 15 * MINUTE_MS, 0, R),
        (DRIVE, LONG, NOW - 15 * MINUTE_MS - 1, 0, D),
        (DRIVE, LONG, None, 0, D),
        (DRIVE, None, NOW, 1, D),
        (DRIVE, LONG, NOW, 1, R),
        (JOINED, LONG, None, 0, R),
        (FILE, NOW - DAY_MS, None, 0, H),
        (FILE, NOW - DAY_MS - 1, LONG, 0, D),
        (FILE, LONG, NOW - DAY_MS, 0, R),
        (DRIVE._replace(history=()), LONG, None, 0, D),
    ],
)
def test_a_standing_follows_from_behaviour(
    platform: Platform, waiting_since: int | None, moved_at: int | None, unanswered: int, expected: Standing
) -> None:
    """Degraded when a notice waits too long or cases go unanswered, recovering while the backlog moves."""
    assert standing(platform, Behaviour(waiting_since, moved_at, unanswered), NOW) is expected


@pytest.mark.parametrize("state", [one for one in PlatformState if one is not PlatformState.CONNECTED])
def test_who_is_not_connected_has_no_standing(state: PlatformState) -> None:
    """Degraded is no excuse for one that never connected: it is shown as what it is."""
    assert standing(DRIVE._replace(state=state), Behaviour(LONG, None), NOW) is None


@pytest.mark.parametrize(
    ("tier", "reissue", "frozen", "expected"),
    [
        (1, None, False, NOW + DAY_MS),
        (2, None, False, NOW + 3 * DAY_MS),
        (3, None, True, NOW + 7 * DAY_MS),
        (1, NOW + 70 * DAY_MS, False, NOW + DAY_MS),
        (1, NOW + 70 * DAY_MS, True, NOW + 63 * DAY_MS),
        (3, NOW + 8 * DAY_MS, False, NOW + DAY_MS),
    ],
)
def test_a_deadline_is_the_earlier_of_tier_and_reissue(
    tier: int, reissue: int | None, frozen: bool, expected: int
) -> None:
    """What `case` shows as the deadline is what coverage counts as overdue; a frozen pair answers to reissue alone."""
    assert deadline(Terms.of(DRIVE._replace(tier=tier)), NOW, reissue, frozen=frozen) == expected
