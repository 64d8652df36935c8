"""This module puts the answers of `hub.clearance` into the shapes of the OpenAPI document. It is pure."""

from __future__ import annotations

from hub.clearance.answering import Answered, Cleared
from hub.core.model import ClearancePolicy, Platform, Positions
from hub.web import shapes
from hub.web.board.platform_pages import guide, name


def clearance_shape(answered: Answered) -> shapes.Clearance:
    """Return the answers to one question."""
    return shapes.Clearance(
        lookup_id=answered.lookup_id.hex(),
        asked_at=answered.positions.now_ms,
        policy=policy_shape(answered.policy),
        positions=_positions(answered.positions),
        answers=[_cleared(one) for one in answered.answers],
        unconnected=[_unconnected(one) for one in answered.unconnected],
    )


def policy_shape(policy: ClearancePolicy) -> shapes.Policy:
    """Return the policy by which clearances are decided."""
    return shapes.Policy(**{**policy._asdict(), "blocking_tiers": list(policy.blocking_tiers)})


def _cleared(cleared: Cleared) -> shapes.Cleared:
    seen = cleared.seen
    return shapes.Cleared(
        answer=seen.answer,
        clearance_id=cleared.clearance_id,
        case=None if seen.case is None else str(seen.case),
        reasons=[str(one) for one in seen.reasons],
        blockers=[
            shapes.Blocker(status=str(one.status), platform=one.platform, tier=one.tier, gap=one.gap)
            for one in seen.blocks
        ],
        days_to_reissue=seen.days_to_reissue,
        valid_until=seen.valid_until,
    )


def _positions(positions: Positions) -> shapes.LogPositions:
    plain = positions._asdict()
    return shapes.LogPositions(**{**plain, "releases": list(positions.releases), "acks": list(positions.acks)})


def _unconnected(platform: Platform) -> shapes.Unconnected:
    return shapes.Unconnected(
        platform=platform.id,
        name=name(platform),
        tier=platform.tier,
        state=platform.state,
        must_connect=platform.must_connect,
        guide=guide(platform),
    )
