"""This module decides whether a number may be handed out, from its last case, every platform's pair and a policy.

Rules:
1. No case, or a case that is not the asker's (`may_see`): UNKNOWN. The asker is told NO_CASE either way.
2. The hub could not read its logs to the ends they had when the question came: UNKNOWN (BEHIND).
3. A case that is undone, not released yet, released but before `reissue_not_before`, or reassigned already: BLOCKED.
4. A gap that blocks (`blocks`): BLOCKED. In the tiers of the policy DISPUTED, FAILED, NOT_RECEIVED and NO_OUTCOME
   always block, FROZEN and DECLINED if the policy says so. NOT_CONNECTED follows the policy's rule for unconnected
   platforms: NAMED never; MUST_CONNECT where the platform must connect, whatever its tier; BLOCKS in the tiers.
5. Everything else is CLEAR.

For example, a RELEASED case past its `reissue_not_before`, with a tier 1 platform at NO_OUTCOME, is BLOCKED.

What an operator sees (`seen_by`) depends on the case, the answer, and one word: `pending` if any blocking gap is
pending, else `refused` if any is refused. So an operator cannot tell which platforms of the blocking tiers have the
gaps, nor how many. A report opens the same gap whatever its platform said, so an operator also learns nothing by
reporting platforms one by one and asking in between. The answer tells something about one platform only if the blocking
tiers hold no other platform, and that depends on the roster.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from hub.core.cases import Case
from hub.core.model import (
    DAY_MS,
    ClearanceAnswer,
    ClearancePolicy,
    GapClass,
    Operator,
    Platform,
    PlatformState,
    Role,
    Source,
    Stage,
    UnconnectedRule,
)
from hub.core.numbers import in_ranges

SEES_PLATFORMS = frozenset({Role.REGISTRAR, Role.AUDITOR})
"""The roles that see which platform blocks, and every number's case."""


class Reason(StrEnum):
    """The reasons why a number is not clear."""

    NO_CASE = "NO_CASE"
    NOT_YOURS = "NOT_YOURS"
    BEHIND = "BEHIND"
    UNDONE = "UNDONE"
    NOT_RELEASED = "NOT_RELEASED"
    TOO_EARLY = "TOO_EARLY"
    ALREADY_REASSIGNED = "ALREADY_REASSIGNED"
    OPEN_GAPS = "OPEN_GAPS"


class Status(StrEnum):
    """What an operator sees about the open gaps."""

    PENDING = "pending"
    REFUSED = "refused"


STATUS: dict[GapClass, Status] = {
    GapClass.FROZEN: Status.PENDING,
    GapClass.DECLINED: Status.REFUSED,
    GapClass.FAILED: Status.PENDING,
    GapClass.NOT_CONNECTED: Status.PENDING,
    GapClass.NOT_RECEIVED: Status.PENDING,
    GapClass.NO_OUTCOME: Status.PENDING,
    GapClass.DISPUTED: Status.PENDING,
}
"""Maps each gap class to what an operator sees of it."""

REASON_OF_STAGE: dict[Stage, Reason | None] = {
    Stage.COOLING: Reason.NOT_RELEASED,
    Stage.SCHEDULED: Reason.NOT_RELEASED,
    Stage.RELEASED: None,
    Stage.REASSIGNED: Reason.ALREADY_REASSIGNED,
    Stage.RESTORED: Reason.UNDONE,
    Stage.WITHDRAWN: Reason.UNDONE,
}
"""Maps each stage to the reason it gives against handing the number out."""


class OpenPair(NamedTuple):
    """A gap of the case at one platform."""

    platform: Platform
    gap: GapClass


class Decided(NamedTuple):
    """The full answer for one number. `blocks` are the gaps that block, in the order they were given."""

    answer: ClearanceAnswer
    reasons: tuple[Reason, ...]
    blocks: tuple[OpenPair, ...]
    case: Source | None
    days_to_reissue: float | None
    valid_until: int


class SeenBlock(NamedTuple):
    """A gap that blocks, as its reader may see it."""

    status: Status
    platform: str | None = None
    tier: int | None = None
    gap: GapClass | None = None


class Seen(NamedTuple):
    """An answer, as its reader may see it."""

    answer: ClearanceAnswer
    reasons: tuple[Reason, ...]
    blocks: tuple[SeenBlock, ...]
    case: Source | None
    days_to_reissue: float | None
    valid_until: int


def may_see(number: str, case: Case, role: Role, operator: Operator | None) -> bool:
    """Return whether a number's case is the asker's: it is the case's operator, or its ranges have the number."""
    if role in SEES_PLATFORMS:
        return True
    if role is not Role.OPERATOR or operator is None:
        return False
    return case.operator == operator.id or in_ranges(number, operator.ranges)


def may_block(platform: Platform, policy: ClearancePolicy) -> bool:
    """Return whether any gap of this platform could block; other platforms need not be looked at."""
    return platform.tier in policy.blocking_tiers or (
        policy.unconnected is UnconnectedRule.MUST_CONNECT and platform.must_connect
    )


def blocks(platform: Platform, gap: GapClass, policy: ClearancePolicy) -> bool:
    """Return whether a gap blocks (rule 4)."""
    in_tiers = platform.tier in policy.blocking_tiers
    match gap:
        case GapClass.NOT_CONNECTED:
            if policy.unconnected is UnconnectedRule.MUST_CONNECT:
                return platform.must_connect
            return in_tiers and policy.unconnected is UnconnectedRule.BLOCKS
        case GapClass.FROZEN:
            return in_tiers and policy.frozen_blocks
        case GapClass.DECLINED:
            return in_tiers and policy.declined_blocks
        case GapClass.FAILED | GapClass.NOT_RECEIVED | GapClass.NO_OUTCOME | GapClass.DISPUTED:
            return in_tiers


def decide(case: Case, gaps: Iterable[OpenPair], policy: ClearancePolicy, now_ms: int) -> Decided:
    """Return the answer for a number whose last case is the asker's.

    Args:
        case: the number's last case.
        gaps: its gaps, of all platforms or at least of those that `may_block`.
        policy: the policy by which it is decided.
        now_ms: the time at which it is decided, UTC.
    """
    found = tuple(one for one in gaps if blocks(one.platform, one.gap, policy))
    reasons = tuple(_reasons(case, now_ms)) + ((Reason.OPEN_GAPS,) if found else ())
    return Decided(
        answer=ClearanceAnswer.BLOCKED if reasons else ClearanceAnswer.CLEAR,
        reasons=reasons,
        blocks=found,
        case=case.position,
        days_to_reissue=_days_to_reissue(case, now_ms),
        valid_until=now_ms + policy.valid_ms,
    )


def unknown(reason: Reason, policy: ClearancePolicy, now_ms: int) -> Decided:
    """Return the answer where nothing can be said; it names no case."""
    return Decided(ClearanceAnswer.UNKNOWN, (reason,), (), None, None, now_ms + policy.valid_ms)


def seen_by(decided: Decided, role: Role) -> Seen:
    """Return an answer as a role may see it. A case that is not the asker's looks like no case."""
    answer, reasons, found, case, days_to_reissue, valid_until = decided
    if role in SEES_PLATFORMS:
        shown = tuple(SeenBlock(STATUS[gap], one.id, one.tier, gap) for one, gap in found)
        return Seen(answer, reasons, shown, case, days_to_reissue, valid_until)
    statuses = {STATUS[one.gap] for one in found}
    worst = next((one for one in Status if one in statuses), None)
    told = tuple(Reason.NO_CASE if one is Reason.NOT_YOURS else one for one in reasons)
    coarse = () if worst is None else (SeenBlock(worst),)
    return Seen(answer, told, coarse, case, days_to_reissue, valid_until)


def unconnected(platforms: Iterable[Platform], cases: Iterable[Case]) -> list[Platform]:
    """Return the platforms that do not answer for the cases an asker may see. It uses the roster and the openers.

    A platform that LEFT is among them for cases published before it left.
    """
    oldest = min((one.published_at for one in cases), default=None)
    return [one for one in platforms if _is_unconnected(one, oldest)]


def _is_unconnected(platform: Platform, oldest: int | None) -> bool:
    if platform.state in (PlatformState.CONNECTED, PlatformState.EXEMPT):
        return False
    if platform.state is not PlatformState.LEFT or platform.left_at is None:
        return True
    return oldest is not None and oldest < platform.left_at


def _reasons(case: Case, now_ms: int) -> Iterable[Reason]:
    by_stage = REASON_OF_STAGE[case.stage]
    if by_stage is not None:
        yield by_stage
    early = case.reissue_not_before is not None and now_ms < case.reissue_not_before
    if early and by_stage in (None, Reason.NOT_RELEASED):
        yield Reason.TOO_EARLY


def _days_to_reissue(case: Case, now_ms: int) -> float | None:
    if case.reissue_not_before is None or not case.live:
        return None
    return max(0.0, (case.reissue_not_before - now_ms) / DAY_MS)
