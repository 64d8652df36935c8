"""This module finds the platforms that do not answer, from the roster, the published coverage and people's reports.

A platform is a blind spot if it is neither connected nor exempt, or if people report its name and nobody knows it.
`hub.core.blindspots` estimates how many stale bindings lie behind each. For example, HearSay is KNOWN_UNCONNECTED with
300,000 users and 40 cases in force: it is ranked by what connected platforms of such a size show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.core.blindspots import Answered, BlindSpot, Unanswered, rank
from hub.core.model import Coverage, Platform, PlatformState
from hub.core.outcomes import WAS_BOUND

NOT_UNCONNECTED = {PlatformState.CONNECTED, PlatformState.EXEMPT}


def ranked(
    platforms: Mapping[str, Platform], shown: Mapping[str, Coverage], reported: Mapping[str, int]
) -> list[BlindSpot]:
    """Return the unconnected platforms and the names nobody knows, those with the most stale bindings first.

    Leaving erases no gap: a platform that left stays as long as it has gaps, or people report it.

    Args:
        reported: how many distinct numbers people reported, by platform id, or by the name of an unknown platform.
    """
    everywhere = max((one.in_force for one in shown.values()), default=0)
    unanswered = [
        Unanswered(one.id, one.users_estimate, in_force, reported.get(one.id, 0))
        for one in platforms.values()
        if one.state not in NOT_UNCONNECTED and one.id in shown
        if (in_force := _in_question(one, shown[one.id], reported.get(one.id, 0)))
        or one.state is not PlatformState.LEFT
    ]
    unanswered += [
        Unanswered(other, None, everywhere, count) for other, count in reported.items() if other not in platforms
    ]
    return rank(unanswered, list(_answered(platforms, shown.values())))


def _in_question(platform: Platform, coverage: Coverage, reported: int) -> int:
    """Return how many cases may have a stale binding; if it left, those that it did not resolve or people report."""
    if platform.state is not PlatformState.LEFT:
        return coverage.in_force
    return max(sum(one.pairs for one in coverage.gaps), reported)


def _answered(platforms: Mapping[str, Platform], shown: Iterable[Coverage]) -> Iterable[Answered]:
    for one in shown:
        platform = platforms.get(one.platform)
        if platform is None or platform.users_estimate is None or one.state is not PlatformState.CONNECTED:
            continue
        outcomes = dict(one.outcomes)
        bound = sum(outcomes.get(outcome, 0) for outcome in WAS_BOUND)
        yield Answered(platform.users_estimate, sum(outcomes.values()), bound)
