"""Mutated messages on every topic that others write: refused or harmless, and never the end of a worker."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from hub.core.model import (
    Acknowledgement,
    Action,
    EventType,
    NumberEvent,
    Operator,
    OperatorReport,
    Outcome,
    Platform,
    PlatformState,
    Reminder,
    Source,
)
from hub.errors import ContractError
from hub.wire import contracts
from hub.wire.contracts import decode, encode
from hub.wire.signing import Signer
from tests.broker.killing import kill
from tests.broker.scene import Message, Scene, event, mobile_numbers, now_ms

pytestmark = pytest.mark.broker

SIZES = [pytest.param(1_000, id="short"), pytest.param(10_000, id="full", marks=[pytest.mark.soak])]
SPLICE_MOST = 40


def mutated(value: bytes, rng: random.Random) -> bytes:
    """Bytes near a value: bits turned, bytes cut, doubled, swapped for noise."""
    data = bytearray(value)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(data)) if data else 0
        end = min(len(data), place + rng.randint(1, SPLICE_MOST))
        match rng.randrange(6):
            case 0 | 1 if data:
                data[place] ^= 1 << rng.randrange(8)
            case 2:
                del data[place:end]
            case 3:
                data[place:place] = data[place:end]
            case 4:
                data[place:end] = rng.randbytes(end - place)
            case _:
                data[place:place] = rng.choice([b"\x00", b"\xff", b"\x80" * 10, rng.randbytes(4)])
    return bytes(data)


class Mutants:
    """Mutants of good messages of one sender; half of them signed again, so that they reach the decoder."""

    def __init__(self, scene: Scene, topic: str, signer: Signer, rng: random.Random) -> None:
        self._scene = scene
        self._topic = topic
        self._signer = signer
        self._rng = rng

    def of(self, message: Message) -> Message:
        """One mutant."""
        rng = self._rng
        value = mutated(message.value or b"", rng)
        headers = self._signer.headers(self._topic, value) if rng.random() < 0.5 else message.headers
        mutant = message._replace(value=value, headers=headers)
        match rng.randrange(12):
            case 0:
                return mutant._replace(key=rng.choice([None, b"", rng.randbytes(8)]))
            case 1:
                return mutant._replace(partition=rng.randrange(self._scene.hub_log.partitions))
            case 2:
                return mutant._replace(value=rng.choice([None, b""]))
            case 3:
                noise = [
                    ("signature", rng.randbytes(rng.choice([0, 63, 64]))),
                    ("key-id", rng.randbytes(3)),
                    ("x", b""),
                ]
                return mutant._replace(headers=tuple(rng.sample(noise + list(headers), rng.randint(0, 4))))
        return mutant


def good_events(rng: random.Random) -> Iterator[NumberEvent]:
    """Events with every field in use, of numbers nobody else uses."""
    numbers = mobile_numbers(50, "+861354")
    while True:
        reminders = tuple(Reminder(now_ms(), "SMS") for _ in range(rng.randrange(3)))
        kind = rng.choice([EventType.COOLING, EventType.RELEASED, EventType.WITHDRAWN])
        yield event(rng.choice(numbers), kind, reminders=reminders, supersedes=rng.randbytes(16), clearance_id="c")


def decodable(message: Message, *kinds: type) -> bool:
    """Whether a value is a message of these kinds."""
    try:
        decode(message.value, *kinds)
    except ContractError:
        return False
    return True


def refused_sources(scene: Scene, topic: str) -> set[Source]:
    """Sources of a topic that lie in `rejected`."""
    return {where for of, where in scene.rejected() if of == topic}


def unrefused(scene: Scene, topic: str, start: list[int]) -> list[Message]:
    """What a topic holds from `start` on and was not refused."""
    refused = refused_sources(scene, topic)
    return [
        Message(topic, one.partition, one.key, one.value, one.headers)
        for one in scene.read(topic)
        if one.offset >= start[one.partition] and Source(one.partition, one.offset) not in refused
    ]


def still_works(scene: Scene, tag: int, kills: int) -> None:
    """New cases open, new answers count, and no worker has died but by our hand."""
    cases = scene.open_cases(mobile_numbers(5, f"+861359{tag}"))
    name = f"witness-{tag}"
    scene.put_platforms(scene.platform(name))
    for where in cases.values():
        said = {Outcome.UNBOUND: [where.offset]}
        scene.send([scene.ack_message(scene.ack(name, where.partition, where.offset, said))])
    scene.flush()
    scene.settle(contracts.ACKS)
    (coverage,) = scene.final_coverage([name]).values()
    assert sum(one.pairs for one in coverage.outcomes) == len(cases)
    assert scene.restarts() == [kills]


@pytest.mark.parametrize("count", SIZES)
def test_mutated_events_are_refused_and_stop_nothing(scene: Scene, count: int) -> None:
    """Every mutant on `events` is in `rejected` or was a readable event; what comes after is decided."""
    rng = random.Random(count)
    start = scene.ends(contracts.EVENTS)
    mutants = Mutants(scene, contracts.EVENTS, scene.signer("north-1"), rng)
    good = good_events(rng)
    scene.send(mutants.of(scene.event_message(next(good))) for _ in range(count))
    scene.flush()
    scene.settle(contracts.EVENTS)
    taken = unrefused(scene, contracts.EVENTS, start)
    assert [one for one in taken if not decodable(one, NumberEvent, OperatorReport)] == []
    assert len(taken) < count // 2, "mutation does too little"
    still_works(scene, 1, scene.restarts()[0])


@pytest.mark.parametrize("count", SIZES)
def test_mutated_acknowledgements_are_refused_and_stop_nothing(scene: Scene, count: int) -> None:
    """Every mutant on `acks` is in `rejected` or was a readable ack; what comes after counts."""
    rng = random.Random(count + 1)
    scene.put_platforms(scene.platform("mutant"))
    cases = list(scene.open_cases(mobile_numbers(40, "+861355")).values())
    start = scene.ends(contracts.ACKS)
    mutants = Mutants(scene, contracts.ACKS, scene.signer("mutant-1"), rng)

    def good() -> Message:
        case = rng.choice(cases)
        said = {one: rng.sample(range(case.offset + 1), rng.randint(1, 1 + case.offset // 2)) for one in Outcome}
        ack = scene.ack("mutant", case.partition, case.offset, said)
        outcomes = tuple(one._replace(actions=(Action.LOGIN_OFF,)) for one in ack.outcomes)
        return scene.ack_message(ack._replace(outcomes=outcomes[: rng.randint(1, 6)]))

    scene.send(mutants.of(good()) for _ in range(count))
    scene.flush()
    scene.settle(contracts.ACKS)
    taken = unrefused(scene, contracts.ACKS, start)
    assert [one for one in taken if not decodable(one, Acknowledgement)] == []
    assert len(taken) < count // 2, "mutation does too little"
    still_works(scene, 2, scene.restarts()[0])


def roster_mutants(scene: Scene, topic: str, value: bytes, count: int, rng: random.Random) -> Iterator[Message]:
    """Mutants of a roster record that do not name anyone we need."""
    mine = {*scene.operators, *scene.platforms}
    made = 0
    while made < count:
        message = Message(topic, 0, rng.randbytes(4), rng.choice([mutated(value, rng)] * 9 + [None, b""]), ())
        named = decode(message.value, Operator, Platform).id if decodable(message, Operator, Platform) else None
        if named not in mine:
            made += 1
            yield message


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("topic", [contracts.OPERATORS, contracts.PLATFORMS])
def test_mutated_roster_records_change_nobody_and_stop_nothing(
    scene: Scene, topic: str, count: int, make: Callable[[Scene, str], bytes]
) -> None:
    """A roster record that cannot be read changes nothing; one that can stops no worker, nor its next start."""
    rng = random.Random(count + 2)
    died = scene.restarts()[0]
    scene.send(roster_mutants(scene, topic, make(scene, topic), count, rng))
    scene.flush()
    tag = 3 if topic == contracts.OPERATORS else 5
    still_works(scene, tag, died)
    kill(scene, scene.hub.workers[0])
    still_works(scene, tag + 1, died + 1)


@pytest.fixture
def make() -> Callable[[Scene, str], bytes]:
    """A good record of somebody else, by topic."""

    def record(scene: Scene, topic: str) -> bytes:
        if topic == contracts.OPERATORS:
            return encode(scene.operators["north"]._replace(id="elsewhere", keys=(scene.key("elsewhere-1"),)))
        gone = {
            "state": PlatformState.LEFT,
            "left_at": now_ms(),
            "guide_url": "https://example.org",
            "users_estimate": 9,
        }
        return encode(scene.platform("someone", guide_steps=("a", "b"), **gone))

    return record
