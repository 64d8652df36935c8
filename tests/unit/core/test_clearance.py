"""Clearance: what blocks under which policy, who sees what of it, and ids that only the hub can make."""

from __future__ import annotations

import itertools
import random
from typing import Any

import jwt
import pytest

from hub.core.breaches import Clearance, of_clearance
from hub.core.cases import Case
from hub.core.clearance import (
    REASON_OF_STAGE,
    STATUS,
    OpenPair,
    Reason,
    Status,
    blocks,
    decide,
    may_block,
    may_see,
    seen_by,
    unconnected,
    unknown,
)
from hub.core.model import (
    DAY_MS,
    Breach,
    ClearanceAnswer,
    ClearancePolicy,
    EventType,
    GapClass,
    Key,
    Names,
    NumberEvent,
    Operator,
    Outcome,
    Platform,
    PlatformState,
    ReleaseReason,
    Role,
    Source,
    Stage,
    UnconnectedRule,
)
from hub.core.outcomes import SHOWN_FIRST
from hub.wire.clearance_ids import audience, read_clearance, sign_clearance
from hub.wire.signing import Signer

NOW_MS = 1_760_000_000_000
NUMBER = "+8613400000001"
CASE = Case(
    position=Source(7, 120_033),
    operator="north",
    opened_as=Stage.COOLING,
    stage=Stage.RELEASED,
    bound_before=NOW_MS - 90 * DAY_MS,
    published_at=NOW_MS - 90 * DAY_MS,
    cooling_until=NOW_MS - 10 * DAY_MS,
    reissue_not_before=NOW_MS,
    reminders=2,
    scheduled_at=NOW_MS - 20 * DAY_MS,
    last_at=NOW_MS - 10 * DAY_MS,
    event_ids=(),
)
NORTH = Operator("north", Names("北", "North"), ("+86134",), clearance_required=True)
SOUTH = Operator("south", Names("南", "South"), ("+86135",))
ALWAYS = {GapClass.FAILED, GapClass.NOT_RECEIVED, GapClass.NO_OUTCOME, GapClass.DISPUTED}
POLICIES = [
    ClearancePolicy(tiers, frozen, declined, rule)
    for tiers in ((), (1,), (1, 2), (1, 2, 3))
    for frozen, declined in itertools.product((False, True), repeat=2)
    for rule in UnconnectedRule
]


def platform(name: str = "bank", tier: int = 1, **fields: Any) -> Platform:
    return Platform(name, Names(name, name), "bank", tier, **{"state": PlatformState.CONNECTED, **fields})


def _blocks(gap: GapClass, tier: int, must_connect: bool, policy: ClearancePolicy) -> bool:
    """The rule said once more, as a table of cases."""
    if gap is GapClass.NOT_CONNECTED:
        by_rule = {"NAMED": False, "MUST_CONNECT": must_connect, "BLOCKS": tier in policy.blocking_tiers}
        return by_rule[policy.unconnected.value]
    wanted = ALWAYS | ({GapClass.FROZEN} if policy.frozen_blocks else set())
    wanted |= {GapClass.DECLINED} if policy.declined_blocks else set()
    return tier in policy.blocking_tiers and gap in wanted


@pytest.mark.parametrize("gap", GapClass)
def test_which_gap_blocks(gap: GapClass) -> None:
    """Every gap class, tier and policy: what blocks, and that a platform which cannot block is never needed."""
    for policy, tier, must_connect in itertools.product(POLICIES, (1, 2, 3), (False, True)):
        one = platform(tier=tier, must_connect=must_connect)
        expected = _blocks(gap, tier, must_connect, policy)
        assert blocks(one, gap, policy) is expected, (policy, tier, must_connect)
        assert may_block(one, policy) or not expected
        decided = decide(CASE, [OpenPair(one, gap)], policy, NOW_MS)
        assert decided.answer is (ClearanceAnswer.BLOCKED if expected else ClearanceAnswer.CLEAR)
        assert (Reason.OPEN_GAPS in decided.reasons) is expected


STAGES: dict[Stage, tuple[ClearanceAnswer, tuple[Reason, ...]]] = {
    Stage.COOLING: (ClearanceAnswer.BLOCKED, (Reason.NOT_RELEASED,)),
    Stage.SCHEDULED: (ClearanceAnswer.BLOCKED, (Reason.NOT_RELEASED,)),
    Stage.RELEASED: (ClearanceAnswer.CLEAR, ()),
    Stage.REASSIGNED: (ClearanceAnswer.BLOCKED, (Reason.ALREADY_REASSIGNED,)),
    Stage.RESTORED: (ClearanceAnswer.BLOCKED, (Reason.UNDONE,)),
    Stage.WITHDRAWN: (ClearanceAnswer.BLOCKED, (Reason.UNDONE,)),
}


@pytest.mark.parametrize("stage", Stage)
def test_what_each_stage_says(stage: Stage) -> None:
    """Only a released number can be clear, whatever platforms say."""
    assert STAGES.keys() == REASON_OF_STAGE.keys()
    decided = decide(CASE._replace(stage=stage), [], ClearancePolicy(), NOW_MS)
    assert (decided.answer, decided.reasons) == STAGES[stage]


@pytest.mark.parametrize(
    ("early_ms", "answer", "days"), [(0, "CLEAR", 0), (1, "BLOCKED", 1 / DAY_MS), (DAY_MS, "BLOCKED", 1)]
)
def test_not_before_reissue(early_ms: int, answer: str, days: float) -> None:
    """A number is clear from `reissue_not_before` on, to the millisecond, and the days left are said."""
    decided = decide(CASE, [], ClearancePolicy(), NOW_MS - early_ms)
    assert (decided.answer, decided.reasons) == (answer, (Reason.TOO_EARLY,) if early_ms else ())
    assert decided.days_to_reissue == pytest.approx(days)
    assert decided.valid_until == NOW_MS - early_ms + DAY_MS


def test_nothing_is_known_where_there_is_no_case() -> None:
    """A number without a case and one of somebody else's look alike to an operator, and name no case."""
    policy = ClearancePolicy()
    none, others = (unknown(one, policy, NOW_MS) for one in (Reason.NO_CASE, Reason.NOT_YOURS))
    assert none.answer is ClearanceAnswer.UNKNOWN
    assert seen_by(none, Role.OPERATOR) == seen_by(others, Role.OPERATOR)
    assert seen_by(unknown(Reason.BEHIND, policy, NOW_MS), Role.OPERATOR).reasons == (Reason.BEHIND,)


def test_whose_case_it_is() -> None:
    """A case is its operator's, and that of whoever's range has the number; registrar and auditor see all."""
    assert may_see(NUMBER, CASE, Role.OPERATOR, NORTH)
    assert not may_see(NUMBER, CASE, Role.OPERATOR, SOUTH)
    assert not may_see(NUMBER, CASE, Role.OPERATOR, None)
    assert may_see(NUMBER, CASE._replace(operator="south"), Role.OPERATOR, SOUTH)
    assert may_see(NUMBER, CASE._replace(operator="south"), Role.OPERATOR, NORTH)
    assert [may_see(NUMBER, CASE, one, None) for one in Role] == [False, False, True, False, True]


def test_an_operator_cannot_tell_which_platform_the_old_owner_used() -> None:
    """Worlds in which the same worst status occurs among the blocking gaps look the same, whoever has it, how often."""
    rng = random.Random(7)
    roster = [platform(f"p{n}", rng.choice((1, 1, 2, 3))) for n in range(12)]
    policy = ClearancePolicy(frozen_blocks=True)
    seen: dict[Status | None, set[Any]] = {}
    for _ in range(3_000):
        gaps = [OpenPair(one, rng.choice(list(GapClass))) for one in roster if rng.random() < 0.3]
        decided = decide(CASE, gaps, policy, NOW_MS)
        view = seen_by(decided, Role.OPERATOR)
        assert all((one.platform, one.tier, one.gap) == (None, None, None) for one in view.blocks)
        statuses = {STATUS[one.gap] for one in gaps if _blocks(one.gap, one.platform.tier, False, policy)}
        worst = next((one for one in Status if one in statuses), None)
        seen.setdefault(worst, set()).add(view)
    assert set(seen) == {Status.PENDING, Status.REFUSED, None}
    assert all(len(views) == 1 for views in seen.values())


@pytest.mark.parametrize("frozen_blocks", [False, True])
@pytest.mark.parametrize("declined_blocks", [False, True])
def test_reporting_platforms_one_by_one_tells_nothing(*, frozen_blocks: bool, declined_blocks: bool) -> None:
    """Whatever connected platforms said, an operator's view after a report is the same whichever it reported."""
    policy = ClearancePolicy(frozen_blocks=frozen_blocks, declined_blocks=declined_blocks)
    roster = [platform(f"p{n}", 1) for n in range(3)]
    for said in itertools.product(SHOWN_FIRST, repeat=3):
        gaps = {one.id: _gap_of(outcome) for one, outcome in zip(roster, said, strict=True)}
        views = set()
        for reported in roster:
            now = [(one, gap) for one in roster if (gap := (gaps | {reported.id: GapClass.DISPUTED})[one.id])]
            views.add(seen_by(decide(CASE, [OpenPair(*one) for one in now], policy, NOW_MS), Role.OPERATOR))
        assert len(views) == 1, said


def _gap_of(outcome: Outcome) -> GapClass | None:
    return None if outcome in (Outcome.UNBOUND, Outcome.NOT_BOUND) else GapClass(outcome)


def test_a_registrar_sees_which_platform_blocks() -> None:
    """Registrar and auditor see every blocking gap by platform."""
    decided = decide(CASE, [OpenPair(platform("bank"), GapClass.DECLINED)], ClearancePolicy(), NOW_MS)
    for role in (Role.REGISTRAR, Role.AUDITOR):
        assert seen_by(decided, role).blocks == ((Status.REFUSED, "bank", 1, GapClass.DECLINED),)


def test_the_unconnected_follow_from_the_roster() -> None:
    """Listed apart: whoever is not connected, one that left for cases older than its leaving, none that is exempt."""
    roster = [platform(state.value, state=state) for state in PlatformState if state is not PlatformState.LEFT]
    left = [platform(f"left{days}", state=PlatformState.LEFT, left_at=NOW_MS - days * DAY_MS) for days in (89, 90)]
    named = ["KNOWN_UNCONNECTED", "ONBOARDING", "SUSPENDED"]
    assert [one.id for one in unconnected([*roster, *left], [CASE])] == [*named, "left89"]
    assert [one.id for one in unconnected([*roster, *left], [])] == named


# ---- The signed id ----

SIGNER = Signer.from_seed("hub/web/1", b"k" * 32, "h")
KEYS = {"hub/web/1": Key("hub/web/1", SIGNER.public, NOW_MS - DAY_MS)}
GIVEN = Clearance("north", str(CASE.position), ClearanceAnswer.CLEAR, NOW_MS, NOW_MS + DAY_MS + 1)


@pytest.mark.parametrize("given", [GIVEN, GIVEN._replace(case=None, answer=ClearanceAnswer.UNKNOWN)])
def test_an_id_says_what_was_answered(given: Clearance) -> None:
    """An id read back is what was signed, to the millisecond, and holds no number."""
    token = sign_clearance(SIGNER, given)
    assert read_clearance(token, "h", KEYS) == given
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {"iss", "aud", "sub", "ans", "iat", "exp", "jti"}


def _token(**changes: Any) -> str:
    claims = jwt.decode(sign_clearance(SIGNER, GIVEN), options={"verify_signature": False})
    headers = {"typ": changes.pop("typ", "clearance+jwt"), "kid": changes.pop("kid", SIGNER.key_id)}
    key, algorithm = changes.pop("key", SIGNER.private), changes.pop("algorithm", "EdDSA")
    kept = {name: value for name, value in (claims | changes).items() if value is not ...}
    return jwt.encode(kept, key, algorithm, headers=headers)


STRANGER = Signer.from_seed("hub/web/1", b"x" * 32, "h")
FORGED: dict[str, str | None] = {
    "none": None,
    "empty": "",
    "no token": "yes",
    "another's key": _token(key=STRANGER.private),
    "a key nobody has": _token(kid="hub/web/2"),
    "another hub": _token(iss="other"),
    "another type": _token(typ="JWT"),
    "no signature": _token(key=None, algorithm="none"),
    "a shared secret": _token(key=SIGNER.public.hex(), algorithm="HS256"),
    "an answer nobody gives": _token(ans="maybe"),
    "no answer": _token(ans=...),
    "no end": _token(exp=...),
    "an end that is no number": _token(exp="soon"),
    "a list of operators": _token(aud=["north", "south"]),
    "before its key": _token(iat=(NOW_MS - 2 * DAY_MS) / 1000),
    "too long": _token(pad="x" * 2_000),
    "cut": sign_clearance(SIGNER, GIVEN)[:-2],
}


@pytest.mark.parametrize("token", FORGED.values(), ids=list(FORGED))
def test_ids_that_are_not_the_hubs(token: str | None) -> None:
    """Anything but an id that this hub signed is none."""
    assert _token() is not None
    assert read_clearance(_token(), "h", KEYS) == GIVEN
    assert read_clearance(token, "h", KEYS) is None


REASSIGNED = NumberEvent(b"e" * 16, "north", NUMBER, EventType.REASSIGNED, NOW_MS)
NOT_CLEARED, BLOCKED = (Breach.NOT_CLEARED,), (Breach.REISSUED_WHILE_BLOCKED,)
JUDGED: dict[str, tuple[tuple[Breach, ...], dict[str, Any]]] = {
    "cleared": ((), {}),
    "at its last moment": ((), {"occurred_at": GIVEN.until_ms}),
    "a moment too late": (NOT_CLEARED, {"occurred_at": GIVEN.until_ms + 1}),
    "before it was asked": (NOT_CLEARED, {"occurred_at": NOW_MS - 1}),
    "no clearance": (NOT_CLEARED, {"clearance": None}),
    "of another operator": (NOT_CLEARED, {"clearance": GIVEN._replace(operator="south")}),
    "of another case": (NOT_CLEARED, {"clearance": GIVEN._replace(case="7-120034")}),
    "of no case": (NOT_CLEARED, {"clearance": GIVEN._replace(case=None)}),
    "unknown": (NOT_CLEARED, {"clearance": GIVEN._replace(answer=ClearanceAnswer.UNKNOWN)}),
    "blocked": (BLOCKED, {"clearance": GIVEN._replace(answer=ClearanceAnswer.BLOCKED)}),
    "blocked, of another": (NOT_CLEARED, {"clearance": GIVEN._replace(case="7-1", answer=ClearanceAnswer.BLOCKED)}),
    "not required": ((), {"clearance": None, "operator": NORTH._replace(clearance_required=False)}),
    "a transfer": ((), {"clearance": None, "case": None, "reason": ReleaseReason.TRANSFER}),
    "another event": ((), {"clearance": None, "type": EventType.RELEASED}),
}


@pytest.mark.parametrize(("expected", "changes"), JUDGED.values(), ids=list(JUDGED))
def test_what_is_a_breach(expected: tuple[Breach, ...], changes: dict[str, Any]) -> None:
    """Handing a number out without a clearance, or against one, is a breach of an operator that has to ask."""
    left = dict(changes)
    operator, case = left.pop("operator", NORTH), left.pop("case", CASE.position)
    clearance = left.pop("clearance", GIVEN)
    assert of_clearance(REASSIGNED._replace(**left), operator, case, clearance) == expected


def test_nobody_elses_clearance_is_an_operators() -> None:
    """What a registrar was answered cannot be used by an operator, whatever the registrar is called."""
    assert audience("north", Role.OPERATOR) == "north"
    assert audience("north", Role.REGISTRAR) == "registrar:north"
