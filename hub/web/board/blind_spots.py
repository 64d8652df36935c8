"""Blind spots from the board: platforms nobody hears from, and names nobody knows. Pure.

How many stale bindings are expected behind each, and how sure that is: `hub.core.blindspots`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.core import blindspots
from hub.core.blindspots import Answered, Unanswered, rank
from hub.core.model import Coverage, GapClass, GapCount, Outcome, OutcomeCount, Platform, PlatformState
from hub.core.numbers import without_numbers
from hub.core.reports import reported_numbers, unknown_name
from hub.web.board.platform_pages import guide, name
from hub.web.board.snapshot import Sight
from hub.web.rounding import ten, tens
from hub.web.shapes import BlindSpot, BlindSpots, Name

NOT_UNCONNECTED = {PlatformState.CONNECTED, PlatformState.EXEMPT}
BOUND = {Outcome.UNBOUND, Outcome.FROZEN, Outcome.DECLINED, Outcome.FAILED, Outcome.REINSTATED}


def ranked(
    platforms: Mapping[str, Platform], shown: Mapping[str, Coverage], reported: Mapping[str, int]
) -> list[blindspots.BlindSpot]:
    """Unconnected platforms, and names nobody knows, the most stale bindings first. Leaving erases no gap: one that
    left stays as long as it has gaps, or people report it.

    Args:
        reported: how many distinct numbers people reported, by platform id, or by the name of one nobody knows.
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
    """The cases behind which a stale binding may be: of one that left, those it never resolved, or people report."""
    if platform.state is not PlatformState.LEFT:
        return coverage.in_force
    return max(sum(one.pairs for one in coverage.gaps), reported)


def _answered(platforms: Mapping[str, Platform], shown: Iterable[Coverage]) -> Iterable[Answered]:
    for one in shown:
        platform = platforms.get(one.platform)
        if platform is None or platform.users_estimate is None or one.state is not PlatformState.CONNECTED:
            continue
        outcomes = dict(one.outcomes)
        bound = sum(outcomes.get(outcome, 0) for outcome in BOUND)
        yield Answered(platform.users_estimate, sum(outcomes.values()), bound)


def blind_spots(sight: Sight) -> BlindSpots:
    """The page. In tens, estimates too are made of nothing but the tens: a float shows by how much a count moved."""
    board = sight.board
    reported = {one: len(numbers) for one, numbers in reported_numbers(board.disputes.reports.values()).items()}
    coverage: Mapping[str, Coverage] = board.coverage
    if sight.in_tens:
        reported = tens(reported)
        coverage = {platform: _in_tens(one) for platform, one in coverage.items()}
    found = ranked(board.roster.platforms, coverage, reported)
    as_said = {unknown_name(one.name): without_numbers(one.name) for one in reversed(board.disputes.reports.values())}
    return BlindSpots(
        as_of=sight.as_of,
        spots=[
            _spot(
                one,
                board.roster.platforms.get(one.name),
                coverage.get(one.name),
                reported=reported.get(one.name, 0),
                as_said=as_said.get(one.name, one.name),
            )
            for one in found
        ],
        in_tens=sight.in_tens,
    )


def _in_tens(one: Coverage) -> Coverage:
    """Coverage as outsiders see it. What is in force follows from the roster, and stays."""
    outcomes = tuple(OutcomeCount(*each) for each in tens(dict(one.outcomes)).items())
    gaps = tuple(GapCount(*each) for each in tens(dict(one.gaps)).items())
    return one._replace(outcomes=outcomes, gaps=gaps, exposed=ten(one.exposed), incident=ten(one.incident))


def _spot(
    spot: blindspots.BlindSpot, platform: Platform | None, coverage: Coverage | None, *, reported: int, as_said: str
) -> BlindSpot:
    return BlindSpot(
        id=None if platform is None else platform.id,
        name=Name(zh=as_said, en=as_said) if platform is None else name(platform),
        sector=None if platform is None else platform.sector,
        tier=None if platform is None else platform.tier,
        state=None if platform is None else platform.state,
        must_connect=platform is not None and platform.must_connect,
        users_estimate=None if platform is None else platform.users_estimate,
        reported=reported,
        expected=spot.expected,
        low=spot.low,
        high=spot.high,
        sureness=spot.sureness,
        would_close=0 if coverage is None else dict(coverage.gaps).get(GapClass.NOT_CONNECTED, 0),
        exposed=0 if coverage is None else coverage.exposed,
        incident=0 if coverage is None else coverage.incident,
        guide=guide(platform),
    )
