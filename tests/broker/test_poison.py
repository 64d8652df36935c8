"""What cannot be survived is survived by the next one: poison is set aside, a failing world ends the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hub.core.model import Decision, EventType, Outcome, Refusal
from hub.kafka.running import EXIT_FAILED
from hub.wire import contracts
from tests.broker import scene as scenes
from tests.broker.killing import spoilt
from tests.broker.ledger import Ledger, differences
from tests.broker.scene import Scene, event, mobile_numbers, wait_until

pytestmark = pytest.mark.broker

NAME = "spoilt"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A hub without workers, the operator `north` and two platforms."""
    with scenes.running(tmp_path_factory.mktemp("hub"), workers=0) as one:
        one.put_operator("north", "+86135")
        one.put_platforms(one.platform("paybee"), one.platform("gym"))
        yield one


@contextmanager
def sound(scene: Scene) -> Iterator[None]:
    """A worker without a fault, under the same name."""
    worker = scene.hub.add_worker(NAME)
    try:
        yield
    finally:
        worker.stop()
        scene.hub.workers.remove(worker)


def refusals(scene: Scene, topic: str) -> list[tuple[bytes | None, Refusal]]:
    """Keys and reasons of what was refused of a topic."""
    return [(one.key, one.reason) for (of, _), one in scene.rejected().items() if of == topic]


def test_an_event_that_breaks_a_rule_is_set_aside_alone(scene: Scene) -> None:
    """A message on which a rule raises ends in `rejected` as HUB_FAULT; its neighbours open their cases."""
    numbers = mobile_numbers(60)
    poison = numbers[31]
    with spoilt(scene, NAME, f"rule:{poison}"):
        scene.send(scene.event_message(event(one, EventType.COOLING)) for one in numbers)
        scene.flush()
        scene.settle(contracts.EVENTS)
    assert refusals(scene, contracts.EVENTS) == [(poison.encode(), Refusal.HUB_FAULT)]
    assert {notice.subject.value for _, notice in scene.notices()} == set(numbers) - {poison}
    decisions = {one.source: (one.decision, one.reason) for one in scene.receipts("north")}
    assert list(decisions.values()).count((Decision.ACCEPTED, None)) == len(numbers) - 1
    assert (Decision.REFUSED, Refusal.HUB_FAULT) in decisions.values()


def test_an_acknowledgement_that_breaks_the_merge_is_set_aside_alone(scene: Scene) -> None:
    """An ack on which merging raises ends in `rejected` as HUB_FAULT; another platform's in the same batch counts."""
    with spoilt(scene, NAME, "merge:gym"):
        case = scene.open_cases(mobile_numbers(1, "+861352"))
        (where,) = case.values()
        said = {Outcome.UNBOUND: [where.offset]}
        for platform in ("gym", "paybee", "gym"):
            scene.send([scene.ack_message(scene.ack(platform, where.partition, where.offset, said))])
        scene.flush()
        scene.settle(contracts.ACKS)
        coverages = scene.final_coverage(["gym", "paybee"])
    assert refusals(scene, contracts.ACKS) == [(b"gym", Refusal.HUB_FAULT)] * 2
    assert [sum(one.pairs for one in coverages[name].outcomes) for name in ("gym", "paybee")] == [0, 1]


@pytest.mark.parametrize("topic", [contracts.RELEASES, contracts.receipts_topic("north")])
def test_intake_ends_without_committing_when_it_cannot_write(scene: Scene, topic: str) -> None:
    """A worker that cannot write ends with 70 and commits nothing; the next one decides on everything."""
    numbers = mobile_numbers(40, f"+86135{8 if topic == contracts.RELEASES else 9}")
    before = scene.committed(contracts.EVENTS)
    with spoilt(scene, NAME, f"send:{topic}") as child:
        scene.send(scene.event_message(event(one, EventType.COOLING)) for one in numbers)
        scene.flush()
        wait_until("the worker ends", child.ended.is_set)
        assert child.process.returncode == EXIT_FAILED
        assert scene.committed(contracts.EVENTS) == before
    with sound(scene):
        scene.settle(contracts.EVENTS)
    opened = [notice.subject.value for _, notice in scene.notices() if notice.subject.value in set(numbers)]
    assert sorted(set(opened)) == numbers
    decided = {one.source for one in scene.receipts("north")}
    assert len(decided) == sum(scene.ends(contracts.EVENTS))


def test_coverage_ends_without_committing_when_it_cannot_write_its_tiles(scene: Scene) -> None:
    """A worker that cannot write tiles ends with 70 and commits nothing; the next one counts every answer."""
    with sound(scene):
        cases = scene.open_cases(mobile_numbers(20, "+861353"))
    ledger = Ledger({})
    before = scene.committed(contracts.ACKS)
    scene.put_platforms(scene.platform("drive"))
    with spoilt(scene, NAME, f"send:{contracts.TILES}") as child:
        for where in cases.values():
            said = {Outcome.NOT_BOUND: [where.offset]}
            ledger.note("drive", where.partition, where.offset, said)
            scene.send([scene.ack_message(scene.ack("drive", where.partition, where.offset, said))])
        scene.flush()
        wait_until("the worker ends", child.ended.is_set)
        assert child.process.returncode == EXIT_FAILED
        assert scene.committed(contracts.ACKS) == before
    with sound(scene):
        scene.settle(contracts.ACKS)
        (coverage,) = scene.final_coverage(["drive"]).values()
    assert coverage.resolved == len(cases)
    own = [record for record in scene.read(contracts.TILES) if (record.key or b"").startswith(b"drive/")]
    assert differences(ledger, [], own) == []
