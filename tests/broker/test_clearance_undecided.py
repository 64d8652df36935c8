"""What an operator has sent speaks against a clearance from the moment it is durable, also while no worker decides."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import DAY_MS, EventType, NumberEvent, Outcome
from hub.wire import contracts
from hub.wire.contracts import encode
from tests.broker import scene as scenes
from tests.broker.asking import asking
from tests.broker.scene import Message, Scene, event, mobile_numbers, now_ms, wait_until
from tests.broker.test_reports import report

pytestmark = pytest.mark.broker


def reassigned(scene: Scene, number: str) -> Message:
    """Its new owner has it."""
    return scene.event_message(event(number, EventType.REASSIGNED))


def reported(scene: Scene, number: str) -> Message:
    """Somebody says that the bank still has an account bound to it."""
    value, key = encode(report(number, "bank")), number.encode()
    headers = scene.signer("north-1").headers(contracts.REPORTS, value)
    return Message(contracts.REPORTS, scene.home(number), key, value, headers)


def test_nothing_is_clear_while_something_of_it_is_undecided(tmp_path: Path) -> None:
    """A worker that stands still leaves a number UNKNOWN (BEHIND); once it goes on, what was sent blocks."""
    given_out, complained_of, *others = mobile_numbers(8)
    with (
        scenes.running(tmp_path / "hub", session_timeout_s=60.0) as scene,
        asking(scene, tmp_path / "web") as answering,
    ):
        scene.put_operator("north", "+86135")
        scene.put_platforms(scene.platform("bank"))
        waiting = {scene.home(given_out), scene.home(complained_of)}
        other = next(one for one in others if scene.home(one) not in waiting)
        _released(scene, given_out, complained_of, other)
        answered = answering.ask([given_out, complained_of, other])
        assert [one.answer for one in answered.answers] == ["CLEAR", "CLEAR", "CLEAR"]
        (worker,) = scene.hub.workers
        worker.send(signal.SIGSTOP)
        try:
            scene.send([reassigned(scene, given_out), reported(scene, complained_of)])
            scene.flush()
            answering.answerer.wait_s = 1.0
            for number in (given_out, complained_of):
                assert answering.ask([number]).answers[0].reasons == ["BEHIND"]
            assert answering.ask([other]).answers[0].answer == "CLEAR", "of this one nothing is waiting"
        finally:
            worker.send(signal.SIGCONT)
        both = [given_out, complained_of]
        wait_until("they are decided", lambda: {one.answer for one in answering.ask(both).answers} == {"BLOCKED"})


def _released(scene: Scene, *numbers: str) -> None:
    """Cases that may be handed out, and of which the bank knows nothing."""
    at = now_ms()
    cooling: dict[str, Any] = {"cooling_until": at - 9 * DAY_MS, "reissue_not_before": at - DAY_MS}
    steps: list[list[NumberEvent]] = [
        [event(one, EventType.COOLING, occurred_at=at - 70 * DAY_MS, **cooling) for one in numbers],
        [event(one, EventType.RELEASED, occurred_at=at - 2 * DAY_MS) for one in numbers],
    ]
    for step in steps:
        scene.send(scene.event_message(one) for one in step)
        scene.flush()
        scene.settle(contracts.EVENTS)
    ends = scene.ends(contracts.RELEASES)
    for where, notice in scene.notices():
        if notice.opened_at is None:
            ack = scene.ack("bank", where.partition, ends[where.partition] - 1, {Outcome.NOT_BOUND: [where.offset]})
            scene.send([scene.ack_message(ack)])
    scene.flush()
    scene.settle(contracts.ACKS)
