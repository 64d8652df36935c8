"""Clearance on a real hub: asked, recorded, carried by REASSIGNED and judged; right while everything moves."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.core.model import (
    DAY_MS,
    Breach,
    ClearancePolicy,
    EventType,
    GapClass,
    Lookup,
    LookupKind,
    NumberEvent,
    Outcome,
    Platform,
    PlatformState,
    ReportAnswer,
    ReportKind,
    Role,
    Source,
)
from hub.wire import contracts
from hub.wire.contracts import decode
from tests.broker.asking import Asking, asking, recounted
from tests.broker.scene import Feeder, Scene, event, mobile_numbers, now_ms, wait_until
from tests.broker.test_reports import answer, report, tell
from tests.broker.test_roster_commands import run

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def hub(scene: Scene) -> Scene:
    """`north` has to ask; bank and shop are connected, gym is not."""
    gym = scene.platform("gym", state=PlatformState.KNOWN_UNCONNECTED)
    assert run(scene, "operator", "clearance", "north")["clearance_required"] is True
    scene.put_platforms(scene.platform("bank"), scene.platform("shop", tier=2), gym)
    return scene


@pytest.fixture(scope="module")
def answering(hub: Scene, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with asking(hub, tmp_path_factory.mktemp("web")) as one:
        yield one


def exposition(answering: Asking) -> str:
    """The answerer's metrics as Prometheus reads them."""
    return generate_latest(answering.registry).decode()


def released(scene: Scene, numbers: list[str]) -> dict[str, Source]:
    """Cases that were opened long ago, and are released."""
    at, days = now_ms(), DAY_MS
    cooling: dict[str, Any] = {
        "occurred_at": at - 70 * days,
        "cooling_until": at - 9 * days,
        "reissue_not_before": at - days,
    }
    send(scene, [event(one, EventType.COOLING, **cooling) for one in numbers])
    send(scene, [event(one, EventType.RELEASED, occurred_at=at - 2 * days) for one in numbers])
    openers = {notice.subject.value: where for where, notice in scene.notices() if notice.opened_at is None}
    return {one: openers[one] for one in numbers}


def send(scene: Scene, events: list[NumberEvent]) -> None:
    scene.send(scene.event_message(one) for one in events)
    scene.flush()
    scene.settle(contracts.EVENTS)


def acks(scene: Scene, platform: str, said: dict[Source, Outcome]) -> list[Any]:
    """An acknowledgement for each case."""
    ends = scene.ends(contracts.RELEASES)
    return [
        scene.ack_message(scene.ack(platform, one.partition, ends[one.partition] - 1, {outcome: [one.offset]}))
        for one, outcome in said.items()
    ]


def test_asked_answered_recorded_and_counted_again(hub: Scene, answering: Asking) -> None:
    """Each number has its answer at named positions; the record holds it, and the recount agrees."""
    numbers = mobile_numbers(6, "+8613510")
    cases = released(hub, numbers)
    words = [Outcome.NOT_BOUND, Outcome.FROZEN, Outcome.DECLINED, Outcome.FAILED]
    hub.send(acks(hub, "bank", dict(zip(cases.values(), words, strict=False))))
    hub.flush()
    answered = answering.ask([*numbers[:5], "+8613610000009"])
    assert [one.answer.value for one in answered.answers] == [
        "CLEAR",
        "CLEAR",
        "BLOCKED",
        "BLOCKED",
        "BLOCKED",
        "UNKNOWN",
    ]
    assert [[one.status for one in item.blockers] for item in answered.answers[1:5]] == [
        [],
        ["refused"],
        ["pending"],
        ["pending"],
    ]
    assert all(block.platform is block.gap is None for item in answered.answers for block in item.blockers)
    assert answered.answers[5].reasons == ["NO_CASE"]
    assert [(one.platform, one.state) for one in answered.unconnected] == [("gym", PlatformState.KNOWN_UNCONNECTED)]
    recorded = [decode(one.value, Lookup) for one in hub.read(contracts.LOOKUPS)]
    (record,) = [one for one in recorded if one.lookup_id.hex() == answered.lookup_id]
    assert (record.kind, record.asked_by, record.role) == (LookupKind.CLEARANCE, "north", Role.OPERATOR)
    assert [one.answer for one in record.numbers] == [one.answer for one in answered.answers]
    found = recounted(hub, answered)
    assert (found.differences, found.answers, found.claimed) == ([], {"CLEAR": 2, "BLOCKED": 3, "UNKNOWN": 1}, True)
    told = answering.ask(numbers[2:4], "li", Role.AUDITOR)
    assert [(one.platform, one.gap) for item in told.answers for one in item.blockers] == [
        ("bank", GapClass.DECLINED),
        ("bank", GapClass.FAILED),
    ]


def test_somebody_elses_number_looks_like_none(hub: Scene, answering: Asking) -> None:
    """An operator learns nothing of a number that is neither its own nor in its ranges."""
    hub.put_operator("south", "+86136")
    (number,) = mobile_numbers(1, "+8613511")
    released(hub, [number])
    (others,), (nobodys,) = (answering.ask([one], "south").answers for one in (number, "+8613512345678"))
    dropped = {"clearance_id", "valid_until"}
    assert others.model_dump(exclude=dropped) == nobodys.model_dump(exclude=dropped)
    assert others.reasons == ["NO_CASE"]
    assert recounted(hub, answering.ask([number], "south")).differences == []


def test_a_reassignment_is_judged_by_its_clearance(hub: Scene, answering: Asking) -> None:
    """Cleared: no breach. None, another's or a stale one: NOT_CLEARED. Against the answer: REISSUED_WHILE_BLOCKED."""
    numbers = mobile_numbers(5, "+8613513")
    cases = released(hub, numbers)
    hub.send(acks(hub, "bank", dict.fromkeys([cases[one] for one in numbers[:4]], Outcome.NOT_BOUND)))
    hub.flush()
    ids = [one.clearance_id for one in answering.ask(numbers).answers]
    given = [ids[0], None, ids[0], ids[3], ids[4]]
    at = [now_ms(), now_ms(), now_ms(), now_ms() - DAY_MS, now_ms()]
    events = [
        event(number, EventType.REASSIGNED, clearance_id=token, occurred_at=when)
        for number, token, when in zip(numbers, given, at, strict=True)
    ]
    send(hub, events)
    told = {one.event_id: set(one.breaches) for one in hub.receipts("north")}
    both = {Breach.NOT_CLEARED, Breach.REISSUED_WHILE_BLOCKED}
    found = [told[one.event_id] & both for one in events]
    assert found == [set(), *[{Breach.NOT_CLEARED}] * 3, {Breach.REISSUED_WHILE_BLOCKED}]
    again = answering.ask(numbers[:1]).answers[0]
    assert (again.answer.value, again.reasons) == ("BLOCKED", ["ALREADY_REASSIGNED"])


def test_a_dispute_blocks_until_it_is_answered(hub: Scene, answering: Asking) -> None:
    """A number that was clear is blocked by a person's report about a platform that blocks."""
    (number,) = mobile_numbers(1, "+8613514")
    cases = released(hub, [number])
    hub.send(acks(hub, "bank", {cases[number]: Outcome.NOT_BOUND}))
    hub.flush()
    assert answering.ask([number]).answers[0].answer == "CLEAR"
    tell(hub, report(number, "bank", kind=ReportKind.STILL_BOUND))
    blocked = answering.ask([number])
    assert blocked.answers[0].answer == "BLOCKED"
    assert recounted(hub, blocked).differences == []


def test_answers_that_are_behind_say_so(hub: Scene, answering: Asking) -> None:
    """What cannot be read to its end in time is UNKNOWN, never the answer of an older log; and it claims nothing."""
    (number,) = mobile_numbers(1, "+8613515")
    released(hub, [number])
    wait_s, answering.answerer.wait_s = answering.answerer.wait_s, 0.0
    try:
        late = answering.ask([number])
    finally:
        answering.answerer.wait_s = wait_s
    assert [(one.answer.value, one.reasons, one.case) for one in late.answers] == [("UNKNOWN", ["BEHIND"], None)]
    assert not recounted(hub, late).claimed


def test_lag_and_answers_are_metrics(answering: Asking) -> None:
    """How far the followers are behind shows by topic, and answers are counted; no number is a label."""
    (number,) = mobile_numbers(1, "+8613517")
    assert answering.ask([number]).answers[0].answer == "UNKNOWN"
    wait_until("the lag is shown", lambda: 'hub_web_behind{topic="acks"} 0.0' in exposition(answering))
    assert 'hub_clearances_total{answer="UNKNOWN"}' in exposition(answering)
    assert number not in exposition(answering)


def test_recount_as_a_command(hub: Scene, answering: Asking) -> None:
    """`recount --clearance` says what the logs say, and ends with 0 if that was the answer; no id, no answer."""
    (number,) = mobile_numbers(1, "+8613516")
    released(hub, [number])
    servers = ("--bootstrap-servers", hub.hub.address.bootstrap_servers)
    said = CliRunner().invoke(app, ["recount", *servers, "--clearance", answering.ask([number]).lookup_id, "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output) == {"answers": {"BLOCKED": 1}, "differences": [], "claimed": True}
    assert number not in said.output
    assert CliRunner().invoke(app, ["recount", *servers, "--clearance", "00" * 16]).exit_code != 0


SCHEDULES = [
    pytest.param(3, id="short"),
    pytest.param(50, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(3_600)]),
]


@pytest.mark.parametrize("schedules", SCHEDULES)
def test_never_clear_where_the_recount_says_otherwise(hub: Scene, tmp_path: Path, schedules: int) -> None:
    """Acks, reports, roster and undoings pour in while it is asked; each answer is the recount's at its positions."""
    with asking(hub, tmp_path / "web", ClearancePolicy(blocking_tiers=(1, 2))) as answering:
        given = [clearance for seed in range(schedules) for clearance in _schedule(hub, answering, seed)]
        clear = sum(one.answer == "CLEAR" for clearance in given for one in clearance.answers)
        found = [(one.lookup_id, difference) for one in given for difference in recounted(hub, one).differences]
    assert found == []
    assert clear > 2 * schedules


def _schedule(scene: Scene, answering: Asking, seed: int) -> list[Any]:
    """Clearances of twelve numbers, asked while everything moves; platforms join and leave."""
    rng = random.Random(seed)
    joins, joined = f"joins-{seed}", False
    scene.put_platforms(scene.platform("bank"), scene.platform("shop", tier=2))
    numbers = mobile_numbers(12, f"+861352{rng.randrange(10**4):04}")
    cases = released(scene, numbers)
    said = [(one, rng.choice([Outcome.NOT_BOUND] * 8 + [*Outcome])) for one in cases.values() for _ in range(2)]
    messages = [one for platform in ("bank", "shop") for pair in said for one in acks(scene, platform, dict([pair]))]
    withdrawn = [one for one in numbers if rng.random() < 0.15]
    messages += rng.sample(messages, 10)
    rng.shuffle(messages)
    feeder = Feeder(scene, messages, per_second=60)
    given: list[Any] = []
    while feeder.is_alive() or len(given) < 4:
        given.append(answering.ask(numbers))
        if withdrawn:
            opener = next(n.event_id for where, n in scene.notices() if where == cases[withdrawn[-1]])
            send(scene, [event(withdrawn.pop(), EventType.WITHDRAWN, supersedes=opener)])
        if rng.random() < 0.3:
            told = report(rng.choice(numbers), rng.choice(("bank", "shop")))
            tell(scene, told)
            if rng.random() < 0.7:
                answer(scene, ReportAnswer(told.report_id, told.platform, Outcome.NOT_BOUND, now_ms()))
        if rng.random() < 0.3:
            scene.put_platforms(_in_some_state(scene.platform("shop", tier=2), rng))
        if not joined and rng.random() < 0.5:
            joined = True
            scene.put_platforms(scene.platform(joins, tier=2))
            given.append(answering.ask(numbers))
            scene.send(acks(scene, joins, dict.fromkeys(cases.values(), Outcome.NOT_BOUND)))
    feeder.done()
    given.append(answering.ask(numbers))
    scene.put_platforms(_left(scene.platform(joins, tier=2)))
    return [*given, answering.ask(numbers)]


def _in_some_state(platform: Platform, rng: random.Random) -> Platform:
    state = rng.choice((PlatformState.SUSPENDED, PlatformState.CONNECTED, PlatformState.LEFT))
    return _left(platform) if state is PlatformState.LEFT else platform._replace(state=state)


def _left(platform: Platform) -> Platform:
    """One that left: the cases before stay its own, those that come do not become so."""
    return platform._replace(state=PlatformState.LEFT, left_at=now_ms())
