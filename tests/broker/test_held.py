"""Limits on a real hub: held, released or dropped by a named person, the range's holder told; under kills as well."""

from __future__ import annotations

import asyncio
import random
import signal
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.core.breaches import OperatorBook
from hub.core.held import HELD_SOURCE_HEADER
from hub.core.memory import MemoryCases
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Breach,
    Decision,
    EventType,
    Header,
    HeldDecided,
    HeldEvent,
    HeldRelease,
    HeldWhy,
    Operator,
    PortedNotice,
    Receipt,
    Refusal,
    Source,
)
from hub.sdk.operators.publisher import OperatorPublisher, PublisherSettings
from hub.sdk.times import iso_time
from hub.staff.registrar import registrar
from hub.wire import contracts
from hub.wire.contracts import decode, encode, receipts_topic
from tests.broker import scene as scenes
from tests.broker import verdicts
from tests.broker.killing import Killer, kill, spoilt
from tests.broker.scene import Message, Scene, event, mobile_numbers, say, wait_until
from tests.broker.test_roster_commands import run
from tests.broker.test_zombie import is_stopped
from tests.broker.traffic import OPERATORS, Traffic

pytestmark = pytest.mark.broker


def send(scene: Scene, *events: Any) -> list[Receipt]:
    """Send events, and the receipts that came of them."""
    wanted = {one.event_id for one in events}
    scene.send(scene.event_message(one) for one in events)
    scene.flush()
    scene.settle(contracts.EVENTS)
    operators = {one.operator for one in events}
    return [one for operator in operators for one in scene.receipts(operator) if one.event_id in wanted]


def uuid_text(event_id: bytes | None) -> str:
    """An event's id as a person writes it."""
    return str(uuid.UUID(bytes=event_id))


def told(scene: Scene, operator: str) -> list[PortedNotice]:
    """What an operator was told of others' cases of its numbers."""
    values = [decode(record.value, Receipt, PortedNotice) for record in scene.read(receipts_topic(operator))]
    return [one for one in values if isinstance(one, PortedNotice)]


def test_events_over_the_limit_wait_for_a_named_person(scene: Scene) -> None:
    """They are held with a receipt, shown without a number, released in order by name, and then as good as any."""
    scene.put_operator("mead", "+86136")
    run(scene, "operator", "limits", "mead", "--limit", "NOTICES", "--most", "2")
    numbers = mobile_numbers(4, "+8613600")
    opened = [event(number, EventType.COOLING, "mead") for number in numbers]
    # One after the other: what is in flight at once may go beyond a limit.
    decisions = [send(scene, one)[0].decision for one in opened]
    assert decisions == [Decision.ACCEPTED] * 2 + [Decision.HELD] * 2
    (behind,) = send(scene, event(numbers[3], EventType.RELEASED, "mead"))
    assert behind.decision is Decision.HELD
    (shown,) = run(scene, "operator", "held", "mead")
    assert (shown["held"], shown["why"]) == (3, {"DAILY_LIMIT": 2, "BEHIND": 1})
    assert not any(number[3:] in str(shown) for number in numbers)
    last = opened[3].event_id
    run(scene, "operator", "release-held", "mead", "--by", " ", "--all", fails="a name")
    run(
        scene,
        "operator",
        "release-held",
        "mead",
        "--by",
        "Li",
        "--event",
        uuid_text(behind.event_id),
        fails="order is kept",
    )
    run(scene, "operator", "drop-held", "mead", "--by", "Li", "--event", uuid_text(opened[2].event_id))
    run(scene, "operator", "release-held", "mead", "--by", "Li Wei", "--reason", "announced", "--all")
    scene.settle(contracts.EVENTS)
    assert run(scene, "operator", "held", "mead") == []
    answers = {one.event_id: one for one in scene.receipts("mead") if one.held_source is not None}
    assert (answers[opened[2].event_id].decision, answers[opened[2].event_id].reason) == (
        Decision.REFUSED,
        Refusal.DROPPED,
    )
    assert answers[last].decision is answers[behind.event_id or b""].decision is Decision.ACCEPTED
    assert answers[last].position in {where for where, _ in scene.notices()}
    words = [decode(record.value, HeldEvent, HeldRelease, HeldDecided) for record in scene.read(contracts.HELD)]
    assert {one.by for one in words if isinstance(one, HeldRelease)} == {"Li", "Li Wei"}
    (next_one,) = send(scene, event(numbers[3], EventType.REASSIGNED, "mead"))
    assert next_one.decision is Decision.HELD, "what a person let through does not use up the limit; two others did"


def test_a_burst_does_not_go_over_the_limit_of_one_worker(scene: Scene) -> None:
    """All partitions at once take of the same limit: exactly as many pass as may, and the others wait."""
    scene.put_operator("heath", "+86151")
    run(scene, "operator", "limits", "heath", "--limit", "NOTICES", "--most", "50")
    heard = send(scene, *(event(number, EventType.COOLING, "heath") for number in mobile_numbers(400, "+8615100")))
    assert Counter(one.decision for one in heard) == Counter({Decision.ACCEPTED: 50, Decision.HELD: 350})


def test_a_key_revoked_since_from_an_earlier_time_releases_nothing(scene: Scene) -> None:
    """A held event is judged by its first record time, against the roster as it is when it is released."""
    scene.put_operator("moor", "+86137")
    run(scene, "operator", "limits", "moor", "--limit", "NOTICES", "--most", "0")
    before, after = mobile_numbers(2, "+8613700")
    (good,) = send(scene, event(before, EventType.COOLING, "moor"))
    stolen_from = good.recorded_at + 1
    (bad,) = send(scene, event(after, EventType.COOLING, "moor"))
    assert good.decision is bad.decision is Decision.HELD
    assert bad.recorded_at >= stolen_from
    new = scene.signer("moor-2").public.hex()
    rotation = ("operator", "rotate-key", "moor", "--key-id", "moor-2", "--public", new)
    run(scene, *rotation, "--compromised", "--unsafe-since", iso_time(stolen_from))
    run(scene, "operator", "release-held", "moor", "--by", "Li", "--all")
    scene.settle(contracts.EVENTS)
    answers = {one.held_source: one for one in scene.receipts("moor") if one.held_source is not None}
    assert answers[good.source].decision is Decision.ACCEPTED
    assert (answers[bad.source].decision, answers[bad.source].reason) == (Decision.REFUSED, Refusal.BAD_SIGNATURE)


def test_the_holder_of_the_range_is_told_of_a_ported_number(scene: Scene) -> None:
    """Accepted, held, and accepted after all: each time the operator it was ported from hears of it."""
    scene.put_operator("glen", "+86138")
    run(scene, "operator", "limits", "glen", "--limit", "PORTED", "--most", "1")
    first, second = mobile_numbers(2, "+86135009")
    one, two = (event(number, EventType.COOLING, "glen", ported=True) for number in (first, second))
    (accepted,) = send(scene, one)
    (held,) = send(scene, two)
    (own,) = send(scene, event(mobile_numbers(1, "+8613800")[0], EventType.COOLING, "glen"))
    assert [accepted.decision, held.decision, own.decision] == [Decision.ACCEPTED, Decision.HELD, Decision.ACCEPTED]
    heard = [(one.number, one.decision, one.operator) for one in told(scene, "north")]
    assert heard == [(first, Decision.ACCEPTED, "glen"), (second, Decision.HELD, "glen")]
    assert told(scene, "north")[0].position == accepted.position
    run(scene, "operator", "release-held", "glen", "--by", "Li", "--all")
    scene.settle(contracts.EVENTS)
    last = told(scene, "north")[-1]
    assert (last.number, last.decision, last.source) == (second, Decision.ACCEPTED, held.source)
    assert told(scene, "glen") == []


def test_what_a_dead_worker_held_stays_held(scene: Scene) -> None:
    """A worker died between the held event and its receipt; the next one says HELD, whatever the limit is by then."""
    scene.put_operator("dale", "+86147")
    content = event(mobile_numbers(1, "+8614700")[0], EventType.COOLING, "dale")
    message = scene.event_message(content)
    assert message.value is not None
    source = Source(message.partition, scene.ends(contracts.EVENTS)[message.partition])
    left = HeldEvent(
        source,
        "dale",
        content.event_id,
        HeldWhy.DAILY_LIMIT,
        content.occurred_at,
        message.value,
        tuple(Header(*one) for one in message.headers),
    )
    scene.send([Message(contracts.HELD, message.partition, b"dale", encode(left), ())])
    scene.flush()
    # The header, which nobody has a verdict for, makes the hub read `held` to its end first, as a restart does.
    claim = (HELD_SOURCE_HEADER, str(source).encode())
    scene.send([message._replace(headers=(*message.headers, claim))])
    scene.flush()
    scene.settle(contracts.EVENTS)
    (receipt,) = scene.receipts("dale")
    assert (receipt.source, receipt.decision) == (source, Decision.HELD)
    assert content.number not in {notice.subject.value for _, notice in scene.notices()}
    run(scene, "operator", "release-held", "dale", "--by", "Li", "--all")
    scene.settle(contracts.EVENTS)
    assert [one.decision for one in scene.receipts("dale")] == [Decision.HELD, Decision.ACCEPTED]


def test_a_zombie_that_holds_what_was_accepted_meanwhile_blocks_nobody(tmp_path: Path) -> None:
    """Stopped while it wrote to `held`, woken after another worker accepted the same events: their numbers go on."""
    with scenes.running(tmp_path) as scene:
        scene.put_operator("fen", "+86152")
        run(scene, "operator", "limits", "fen", "--limit", "NOTICES", "--most", "0")
        numbers = mobile_numbers(600, "+8615200")
        with spoilt(scene, "zombie", f"stop:{contracts.HELD}") as zombie:
            wait_until("both workers are in the group", lambda: scene.members() == 2)
            scene.send(scene.event_message(event(number, EventType.COOLING, "fen")) for number in numbers)
            scene.flush()
            wait_until("it has stopped", lambda: is_stopped(zombie))
            run(scene, "operator", "limits", "fen", "--limit", "NOTICES", "--none", "--by", "Li", "--reason", "a test")
            scene.settle(contracts.EVENTS)
            zombie.process.send_signal(signal.SIGCONT)
            wait_until("it is back in the group", lambda: scene.members() == 2)
            accepted = {notice.source: notice.subject.value for _, notice in scene.notices()}
            phantoms = accepted.keys() & held_sources(scene)
            say(f"{len(phantoms)} of {len(accepted)} accepted events were held by the zombie as well")
            assert phantoms, "the zombie did not do what it is for"
            back = send(scene, *(event(number, EventType.RESTORED, "fen") for number in accepted.values()))
            assert Counter(one.decision for one in back) == Counter({Decision.ACCEPTED: len(accepted)})
            run(scene, "operator", "release-held", "fen", "--by", "Li", "--all")
            scene.settle(contracts.EVENTS)
            assert run(scene, "operator", "held") == []
            assert {notice.subject.value for _, notice in scene.notices()} == set(numbers)


def held_sources(scene: Scene) -> set[Source]:
    """Every source that was ever written to `held`."""
    words = [decode(record.value, HeldEvent, HeldRelease, HeldDecided) for record in scene.read(contracts.HELD)]
    return {one.source for one in words if isinstance(one, HeldEvent)}


async def publish_and_be_held(scene: Scene, folder: Path) -> tuple[OperatorPublisher, int]:
    """A publisher over its limit: held, released, and its day reported; the report's day."""
    signer = scene.signer("fell-1")
    settings = PublisherSettings(folder / "fell.outbox")
    async with OperatorPublisher("fell", signer, scene.hub.address, settings) as publisher:
        for number in mobile_numbers(6, "+8613900"):
            sent = event(number, EventType.COOLING, "fell")
            await publisher.send(sent)
            await publisher.receipt(sent.event_id, 30)
        assert publisher.receipts == Counter({(Decision.ACCEPTED, None): 4, (Decision.HELD, None): 2})
        await asyncio.to_thread(run, scene, "operator", "release-held", "fell", "--by", "Li", "--all")
        await publisher._until(lambda: publisher.receipts[Decision.ACCEPTED, None] == 6, 30, "no answers to copies")
        day = scenes.now_ms() // DAY_MS
        await publisher.send_report(day)
        await publisher._until(lambda: publisher.receipts[Decision.REPORTED, None] == 1, 30, "no receipt of a report")
        assert sum(publisher.totals) == 6
        return publisher, day


def test_a_publishers_report_agrees_with_the_hub_though_copies_were_sent(scene: Scene, tmp_path: Path) -> None:
    """The hub's copies are in the operator's partitions and in nobody's count: no COUNT_MISMATCH on either side."""
    operator = scene.put_operator("fell", "+86139")
    run(scene, "operator", "limits", "fell", "--limit", "NOTICES", "--most", "4")
    _, day = asyncio.run(publish_and_be_held(scene, tmp_path))
    book = OperatorBook()
    for receipt in scene.receipts("fell"):
        book.add(receipt)
    found = book.breaches_at(operator, (day + 1) * DAY_MS + 2 * HOUR_MS)
    assert Breach.COUNT_MISMATCH not in found
    assert (book.decisions[Decision.ACCEPTED], book.decisions[Decision.HELD]) == (6, 0)


@dataclass(frozen=True)
class Size:
    """How long a run is."""

    events: int
    numbers: int
    kills: int
    lose_state: bool = False


SHORT = Size(events=3_000, numbers=600, kills=3)
FULL = Size(events=30_000, numbers=6_000, kills=20, lose_state=True)
SIZES = [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=[pytest.mark.soak])]
LIMIT = 300


def limited(scene: Scene) -> None:
    """Both operators of the traffic, with a limit that they soon reach."""
    records = [Operator(*scene.operators[one])._replace(limit_daily=LIMIT) for one in OPERATORS]

    async def put() -> None:
        async with registrar(scene.hub.address) as made:
            await made.put_operators(records)

    asyncio.run(put())


def decided_once(scene: Scene) -> list[str]:
    """Contradictions in what was decided: a source with two answers, held and published, or lost."""
    wrong = []
    answers: dict[Source, set[Receipt]] = defaultdict(set)
    for operator in scene.operators:
        for receipt in scene.receipts(operator):
            answers[receipt.source].add(receipt)
    wrong += [f"{one}: {said}" for one, said in answers.items() if len(said) > 1]
    held, sources = held_sources(scene), {Source(one.partition, one.offset) for one in scene.read(contracts.EVENTS)}
    said_held = {one for one, said in answers.items() for each in said if each.decision is Decision.HELD}
    copies = {one for one, said in answers.items() for each in said if each.held_source is not None}
    wrong += [f"held without saying so: {one}" for one in held - said_held]
    wrong += [f"says held and is not: {one}" for one in said_held - held - copies]
    known = MemoryCases()
    for where, notice in sorted(scene.notices(), key=lambda one: one[0]):
        if known.fold(notice, where) is not None and notice.source in held:
            wrong.append(f"held and published: {notice.source}")
    refused = {source for (topic, source) in scene.rejected() if topic == contracts.EVENTS}
    wrong += [f"lost: {one}" for one in sources - set(answers) - refused]
    return wrong


@pytest.mark.parametrize("size", SIZES)
def test_what_is_held_is_decided_once_when_workers_are_killed(tmp_path: Path, size: Size) -> None:
    """With limits in play and kills before and after the release: nothing twice, nothing lost, and order kept."""
    rng = random.Random(7)
    with scenes.running(tmp_path) as scene:
        traffic = Traffic(scene, size.numbers, rng)
        limited(scene)
        killer = Killer(scene, contracts.EVENTS, rng, 1.0)
        killer.run(traffic.messages(size.events), size.kills, lose_state=size.lose_state)
        waiting = {one["operator"]: one["held"] for one in run(scene, "operator", "held")}
        assert set(waiting) == set(OPERATORS)
        wrong = decided_once(scene)
        for operator in OPERATORS:
            run(scene, "operator", "release-held", operator, "--by", "Li Wei", "--all")
            victim = scene.hub.workers[0]
            kill(scene, victim)
            killer.kills[victim.name] = killer.kills.get(victim.name, 0) + 1
        scene.settle(contracts.EVENTS)
        wrong += decided_once(scene) + killer.unasked_deaths()
        assert run(scene, "operator", "held") == []
        counts = Counter(one.decision for operator in OPERATORS for one in scene.receipts(operator))
        say(f"waited {waiting}, receipts {dict(counts)}, kills {killer.kills}, wrong {len(wrong)} {str(wrong)[:200]}")
        assert wrong == []
        assert stands(scene) == verdicts.pure_run(scene).stages
        book = OperatorBook()
        for receipt in scene.receipts("north"):
            book.add(receipt)
        assert book.decisions[Decision.HELD] == 0


def stands(scene: Scene) -> dict[str, tuple[str, ...]]:
    """How every case stands by the hub's notices."""
    known = MemoryCases()
    for where, notice in sorted(scene.notices(), key=lambda one: one[0]):
        known.fold(notice, where)
    return verdicts._stages(known)
