"""This module decides what is shown for a pair (case, platform), and which pairs are gaps.

- Shown: REINSTATED once the case is undone and the platform said REINSTATED; otherwise the first in this order that was
  ever said: UNBOUND, FROZEN, DECLINED, NOT_BOUND, FAILED.
- Dispute: NOT_BOUND was said together with UNBOUND, FROZEN or DECLINED. UNBOUND ends it; until then the pair is a gap.
  A pair of which the platform said anything is also in dispute while a person's report about it is not answered
  (`hub.core.reports`), and is a gap until then.
- In force: the case is opened and not undone. For a platform that LEFT these are only the cases published before
  `left_at`, and for EXEMPT there are none.
- Gap: the pair is in force, and neither UNBOUND nor an undisputed NOT_BOUND is shown. If nothing was said, its class is
  NOT_CONNECTED if the platform's state is not CONNECTED, else NOT_RECEIVED beyond what it received, else NO_OUTCOME.
- Overdue: now is at or after the earlier of `published_at` + the tier's limit and `reissue_not_before` - 7 days;
  a pair shown as FROZEN answers to the second alone if there is one, otherwise to the first.
- Exposed: the case is RELEASED. Incident: it is REASSIGNED.
- Restore pending: the case is undone, FROZEN or UNBOUND was said, and REINSTATED was not.

For example, a tier 1 platform said FROZEN of a RELEASED case: the pair is a gap of class FROZEN, and exposed.
"""

from __future__ import annotations

from typing import NamedTuple

from pyroaring import BitMap

from hub.core.coverage import EMPTY, SegmentTile
from hub.core.model import DAY_MS, SEGMENT, GapClass, Outcome, Platform, PlatformState, Stage
from hub.core.outcomes import AGAINST_NOT_BOUND, GAP_OF, SHOWN_FIRST, TOUCHED
from hub.core.universe import RESOLVE_BEFORE_REISSUE_MS, UniverseSegment

TIER_LIMIT_MS: dict[int, int] = {1: DAY_MS, 2: 3 * DAY_MS, 3: 7 * DAY_MS}


class Terms(NamedTuple):
    """The parts of a platform's roster record that its pairs depend on."""

    state: PlatformState
    limit_ms: int
    left_at: int | None

    @classmethod
    def of(cls, platform: Platform) -> Terms:
        """Return the terms of a platform. An unknown tier has the limit of tier 3."""
        limit_ms = TIER_LIMIT_MS.get(platform.tier, TIER_LIMIT_MS[3])
        return cls(platform.state, limit_ms, platform.left_at if platform.state is PlatformState.LEFT else None)


class Pairs(NamedTuple):
    """The pairs of one platform in one segment, as sets of offsets within it."""

    in_force: BitMap
    resolved: BitMap
    shown: dict[Outcome, BitMap]
    gaps: dict[GapClass, BitMap]
    overdue: BitMap
    exposed: BitMap
    incident: BitMap
    restore_pending: BitMap
    disputes: BitMap


def deadline(terms: Terms, published_at: int, reissue_not_before: int | None, *, frozen: bool) -> int:
    """Return the time at which a gap becomes overdue.

    Args:
        published_at: when the case was published.
        frozen: whether the pair is shown as FROZEN.
    """
    by_limit = published_at + terms.limit_ms
    if reissue_not_before is None:
        return by_limit
    before_reissue = reissue_not_before - RESOLVE_BEFORE_REISSUE_MS
    return before_reissue if frozen else min(by_limit, before_reissue)


def classify(
    segment: UniverseSegment, tile: SegmentTile, terms: Terms, received: int, now_ms: int, reported: BitMap = EMPTY
) -> Pairs:
    """Sort the pairs of one platform in one segment.

    Args:
        received: the last offset within the segment that the platform received; -1 if none, 65,535 if all.
        reported: the offsets within the segment about which a report is not yet answered.
    """
    said = {outcome: tile.of(outcome) & segment.opened for outcome in Outcome}
    undone = segment.undone
    shown = _shown(said, undone)
    in_force = _in_force(segment, undone, terms)
    contradicted = BitMap.union(*(said[one] for one in AGAINST_NOT_BOUND))
    against_report = reported & BitMap.union(*(shown[one] for one in SHOWN_FIRST))
    contradictory = said[Outcome.NOT_BOUND] & contradicted
    unanswered = (contradictory - shown[Outcome.UNBOUND]) | against_report
    gaps = _gaps(in_force, shown, unanswered, terms, received)
    every_gap = BitMap.union(*gaps.values())
    due = segment.due(terms.limit_ms, now_ms)
    frozen = every_gap & shown[Outcome.FROZEN]
    touched = BitMap.union(*(said[one] for one in TOUCHED))
    return Pairs(
        in_force=in_force,
        resolved=in_force - every_gap,
        shown=shown,
        gaps=gaps,
        overdue=((every_gap - frozen) & due.any_gap) | (frozen & due.frozen),
        exposed=every_gap & segment.by_stage[Stage.RELEASED],
        incident=every_gap & segment.by_stage[Stage.REASSIGNED],
        restore_pending=(undone & touched) - said[Outcome.REINSTATED],
        disputes=contradictory | against_report,
    )


def _shown(said: dict[Outcome, BitMap], undone: BitMap) -> dict[Outcome, BitMap]:
    taken = said[Outcome.REINSTATED] & undone
    shown = {Outcome.REINSTATED: taken}
    for outcome in SHOWN_FIRST:
        shown[outcome] = said[outcome] - taken
        taken = taken | said[outcome]
    return shown


def _in_force(segment: UniverseSegment, undone: BitMap, terms: Terms) -> BitMap:
    if terms.state is PlatformState.EXEMPT:
        return BitMap()
    in_force = segment.opened - undone
    return in_force if terms.left_at is None else in_force & segment.opened_before(terms.left_at)


def _gaps(
    in_force: BitMap, shown: dict[Outcome, BitMap], unanswered: BitMap, terms: Terms, received: int
) -> dict[GapClass, BitMap]:
    disputed = unanswered & in_force
    silent = in_force - BitMap.union(*shown.values())
    gaps = {GapClass.DISPUTED: disputed}
    for outcome, gap in GAP_OF.items():
        found = (shown[outcome] & in_force) - disputed
        gaps[gap] = gaps[gap] | found if gap in gaps else found
    if terms.state is not PlatformState.CONNECTED:
        gaps[GapClass.NOT_CONNECTED] = silent
    else:
        reached = BitMap(range(received + 1)) if received < SEGMENT - 1 else silent
        gaps[GapClass.NO_OUTCOME] = silent & reached
        gaps[GapClass.NOT_RECEIVED] = silent - reached
    return gaps
