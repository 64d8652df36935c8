"""This module makes the overview and the pages of platforms from the board. It is pure.

For example, bank with 90 of 100 cases in force resolved and 5 frozen has 95 takeover-safe pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from hub.core.model import DAY_MS, Coverage, GapClass, Outcome, Platform, PlatformState, Stage
from hub.core.outcomes import FOUND_BOUND
from hub.core.outliers import BoundRate, outliers
from hub.core.standing import Standing
from hub.web.board.snapshot import Sight
from hub.web.board.stages import OPENED
from hub.web.shapes import (
    Guide,
    Heatmap,
    HeatmapRow,
    Name,
    Overview,
    Pairs,
    PlatformDetail,
    PlatformRow,
    Platforms,
    StateAt,
    Today,
)

PER = 10_000
DAYS = 60
DAYS_MAX = 92
"""At most a quarter is shown, as each day is counted at every platform."""
NO_PAIRS = Pairs(in_force=0, resolved=0, takeover_safe=0)


def overview(sight: Sight) -> Overview:
    """Return the overview. A platform counts as connected by the state with which its coverage was computed."""
    board = sight.board
    connected = [one for one in board.coverage.values() if one.state is PlatformState.CONNECTED]
    unconnected = [one for one in board.coverage.values() if one.state is not PlatformState.CONNECTED]
    standings = [sight.standing(one) for one in board.roster.platforms]
    return Overview(
        as_of=sight.as_of,
        pairs=pairs([*connected, *unconnected]),
        connected=pairs(connected),
        unconnected=pairs(unconnected),
        platforms=dict(Counter(one.state for one in board.roster.platforms.values())),
        degraded=standings.count(Standing.DEGRADED),
        cases=sight.stages.stages() if sight.stages.whole else sight.effects.stages() or {},
        today=_today(sight),
        hours_to_effect_median=sight.hours_to_effect(None),
    )


def _today(sight: Sight) -> Today:
    notices, day = sight.stages.day(sight.now_ms), sight.board.day(sight.now_ms)
    return Today(
        opened=notices[OPENED],
        scheduled=notices[Stage.SCHEDULED],
        released=notices[Stage.RELEASED],
        reassigned=notices[Stage.REASSIGNED],
        undone=notices[Stage.RESTORED] + notices[Stage.WITHDRAWN],
        acknowledgements=sight.gauges.acks_today,
        reports=day.reports,
        refused=day.refused,
        breaches=day.breaches,
    )


def pairs(found: Iterable[Coverage]) -> Pairs:
    """Return the sum of some platforms' coverage, as published."""
    coverages = list(found)
    outcomes: Counter[Outcome] = Counter()
    gaps: Counter[GapClass] = Counter()
    for one in coverages:
        outcomes.update(dict(one.outcomes))
        gaps.update(dict(one.gaps))
    resolved = sum(one.resolved for one in coverages)
    return Pairs(
        in_force=sum(one.in_force for one in coverages),
        resolved=resolved,
        takeover_safe=resolved + gaps[GapClass.FROZEN],
        outcomes={one: outcomes[one] for one in Outcome if outcomes[one]},
        gaps={one: gaps[one] for one in GapClass if gaps[one]},
        overdue=sum(one.overdue for one in coverages),
        exposed=sum(one.exposed for one in coverages),
        incident=sum(one.incident for one in coverages),
        restore_pending=sum(one.restore_pending for one in coverages),
        disputes=sum(one.disputes for one in coverages),
    )


def platforms(sight: Sight) -> Platforms:
    """Return every platform on the roster, connected or not, sorted by id."""
    far = outliers(rate for one in sight.board.roster.platforms.values() if (rate := _rate(sight, one)) is not None)
    known = sorted(sight.board.roster.platforms.values())
    return Platforms(as_of=sight.as_of, platforms=[_row(sight, one, far) for one in known])


def platform(sight: Sight, platform_id: str, days: int = DAYS) -> PlatformDetail | None:
    """Return one platform; None if it is not on the roster. `days` says how many of its days, up to a quarter."""
    known = sight.board.roster.platforms.get(platform_id)
    if known is None:
        return None
    far = outliers(rate for one in sight.board.roster.platforms.values() if (rate := _rate(sight, one)) is not None)
    shown = days_until(sight.now_ms, min(days, DAYS_MAX))
    return PlatformDetail(
        as_of=sight.as_of,
        platform=_row(sight, known, far),
        history=[StateAt(at=one.at, state=one.state, note=one.note) for one in known.history],
        received_behind=_received_behind(sight, platform_id),
        days=shown,
        cells=sight.effects.cells(platform_id, shown),
        users_estimate=known.users_estimate,
        guide=guide(known),
    )


def heatmap(sight: Sight, days: int = DAYS) -> Heatmap:
    """Return the cells of all platforms, connected or not, by the day on which cases opened; tier 1 comes first."""
    shown = days_until(sight.now_ms, min(days, DAYS_MAX))
    known = sorted(sight.board.roster.platforms.values(), key=lambda one: (one.tier, one.id))
    rows = [
        HeatmapRow(id=one.id, name=name(one), tier=one.tier, state=one.state, cells=sight.effects.cells(one.id, shown))
        for one in known
    ]
    return Heatmap(as_of=sight.as_of, days=shown, rows=rows)


def _row(sight: Sight, known: Platform, far: set[str]) -> PlatformRow:
    coverage, rate = sight.board.coverage.get(known.id), _rate(sight, known)
    return PlatformRow(
        id=known.id,
        name=name(known),
        sector=known.sector,
        tier=known.tier,
        state=known.state,
        standing=sight.standing(known.id),
        channel=known.channel,
        must_connect=known.must_connect,
        pairs=NO_PAIRS if coverage is None else pairs([coverage]),
        waiting_since=sight.gauges.waiting.get(known.id),
        hours_to_effect_median=sight.hours_to_effect(known.id),
        bound_per_10000=None if rate is None or not rate.answered else round(rate.share * PER, 2),
        outlier=known.id in far,
        coverage_at=sight.board.coverage_at.get(known.id),
    )


def _rate(sight: Sight, known: Platform) -> BoundRate | None:
    """Return how much of what a connected platform answered it found bound; None if it is not connected."""
    coverage = sight.board.coverage.get(known.id)
    if coverage is None or known.state is not PlatformState.CONNECTED:
        return None
    said = dict(coverage.outcomes)
    return BoundRate(known.id, known.tier, sum(said.values()), sum(said.get(one, 0) for one in FOUND_BOUND))


def _received_behind(sight: Sight, platform_id: str) -> list[int]:
    """Return the notices that it has not received, by partition, from its newest coverage and the end of the log."""
    coverage = sight.board.coverage.get(platform_id)
    received = {} if coverage is None else dict(coverage.received)
    return [max(0, end - received.get(one, -1) - 1) for one, end in sorted(sight.gauges.releases.items())]


def name(known: Platform) -> Name:
    """Return a platform's name."""
    return Name(zh=known.name.zh, en=known.name.en)


def guide(known: Platform | None) -> Guide:
    """Return how a person unbinds at a platform."""
    if known is None:
        return Guide()
    return Guide(url=known.guide_url, steps=list(known.guide_steps), contact=known.contact)


def days_until(now_ms: int, count: int) -> list[str]:
    """Return the last UTC days up to and including today, oldest first."""
    today = now_ms // DAY_MS
    return [day_name(day) for day in range(today - count + 1, today + 1)]


def day_name(day: int) -> str:
    """Return the ISO date of a day that is counted from 1970-01-01."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()
