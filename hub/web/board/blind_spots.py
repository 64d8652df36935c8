"""This module makes the page of blind spots: platforms that nobody hears from, and names that nobody knows. It is pure.

`hub.core.blindspots` estimates how many stale bindings are behind each, and how sure that is. For example, a lender on
the roster that is not connected is a blind spot, and so is an app that people report and no roster knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core import blindspots
from hub.core.model import Coverage, GapClass, GapCount, OutcomeCount, Platform
from hub.core.numbers import without_numbers
from hub.core.reports import reported_numbers, unknown_name
from hub.core.unconnected import ranked
from hub.web.board.platform_pages import guide, name
from hub.web.board.snapshot import Sight
from hub.web.rounding import ten, tens
from hub.web.shapes import BlindSpot, BlindSpots, Name


def blind_spots(sight: Sight) -> BlindSpots:
    """Return the page. If counts are shown in tens, estimates are made from the tens too: an exact estimate would show
    by how much a count moved."""
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
    """Return coverage as outsiders see it. `in_force` stays, as it follows from the roster."""
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
