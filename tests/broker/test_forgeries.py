"""Messages of people who are not who they say, or say what they cannot know: refused, kept whole, harmless."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

import pytest

from hub.core.model import (
    DAY_MS,
    Acknowledgement,
    BitmapSegment,
    EventType,
    Header,
    NumberEvent,
    OperatorReport,
    Outcome,
    OutcomeSet,
    ReceivedThrough,
    Refusal,
    ReleaseReason,
    Source,
)
from hub.wire import contracts
from hub.wire.contracts import encode
from hub.wire.signing import Headers
from tests.broker.ledger import Ledger, differences
from tests.broker.scene import NO_DIGEST, Message, Scene, event, mobile_numbers, now_ms

pytestmark = pytest.mark.broker

ROSTER_ROUNDS = 5
SEGMENTS_TOO_MANY = 1_025
EMPTY_BITMAP = bytes.fromhex("3a30000000000000")
ONE_BIT = bytes.fromhex("3a3000000100000000000000100000000000")

Forged = Mapping[str, tuple[Message, Refusal]]


def flipped(data: bytes, index: int) -> bytes:
    """The bytes with one bit of one byte turned."""
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def reheaded(message: Message, *headers: tuple[str, bytes]) -> Message:
    """The message under other headers."""
    return message._replace(headers=headers)


def judged(scene: Scene, forged: Forged) -> dict[str, Refusal | None]:
    """Send forgeries; the reason each is refused for, once its original lies whole in `rejected`."""
    originals = {name: message for name, (message, _) in forged.items()}
    start = {topic: scene.ends(topic) for topic in {one.topic for one in originals.values()}}
    scene.send(originals.values())
    scene.flush()
    for topic in start:
        scene.settle(topic)
    found: dict[str, Refusal | None] = dict.fromkeys(forged)
    for (topic, where), one in scene.rejected().items():
        if topic not in start or where.offset < start[topic][where.partition]:
            continue
        seen = Message(topic, where.partition, one.key, one.value, tuple((h.name, h.value) for h in one.headers))
        names = [name for name, message in originals.items() if message == seen]
        assert names, f"{topic} {where} was refused, or kept otherwise than it was sent: {one.reason}"
        found[names[0]] = one.reason
    return found


def expected(forged: Forged) -> dict[str, Refusal]:
    """What each must be refused for."""
    return {name: reason for name, (_, reason) in forged.items()}


class Acks:
    """Forged acknowledgements of the platform `paybee`, in a log that holds the case `case`."""

    def __init__(self, scene: Scene, case: Source, end: int) -> None:
        self._scene = scene
        self._case = case
        self._end = end
        self.good = scene.ack_message(
            scene.ack("paybee", case.partition, case.offset, {Outcome.UNBOUND: [case.offset]})
        )

    def signed(self, ack: Acknowledgement) -> Message:
        """An acknowledgement with the signature it needs."""
        return self._scene.sealed_ack("paybee", encode(ack))

    def saying(
        self,
        *cases: BitmapSegment,
        through: int | None = None,
        partition: int | None = None,
        digest: bytes | None = None,
    ) -> Message:
        """An acknowledgement with these bitmaps."""
        place = self._case.partition if partition is None else partition
        last = self._case.offset if through is None else through
        given = self._scene.digest(self._case.partition, last) if digest is None else digest
        received = (ReceivedThrough(self._case.partition, last, given),)
        outcomes = (OutcomeSet(Outcome.UNBOUND, place, cases),)
        return self.signed(Acknowledgement("paybee", self._scene.hub_log.log_id, now_ms(), received, outcomes))

    def of_signatures(self) -> Forged:
        """Those whose sender is not proven."""
        good, scene = self.good, self._scene
        value = good.value or b""
        seal: Headers = good.headers
        (name, signature), key_id = seal

        def sealed(key: str, topic: str = contracts.ACKS, hub_id: str | None = None) -> Message:
            return good._replace(headers=scene.signer(key, hub_id).headers(topic, value))

        forged = {
            "a key nobody has": sealed("nobody-1"),
            "revoked key": sealed("paybee-revoked"),
            "expired key": sealed("paybee-expired"),
            "key of tomorrow": sealed("paybee-tomorrow"),
            "an operator's key": sealed("north-1"),
            "delivery's key over an outcome": sealed("delivery/paybee/1"),
            "delivery's key over an outcome of nothing": self._by_delivery(OutcomeSet(Outcome.UNBOUND, 0, ())),
            "another topic's signature": sealed("paybee-1", contracts.EVENTS),
            "another hub's signature": sealed("paybee-1", hub_id="another-hub"),
            "another's key id over its signature": reheaded(good, seal[0], ("key-id", b"gym-1")),
            "flipped byte in the value": good._replace(value=flipped(value, len(value) - 1)),
            "flipped byte in the header of the value": good._replace(value=flipped(value, 5)),
            "flipped byte in the signature": reheaded(good, (name, flipped(signature, 10)), key_id),
            "short signature": reheaded(good, (name, signature[:-1]), key_id),
            "no signature": reheaded(good, key_id),
            "no key id": reheaded(good, seal[0]),
            "no headers": reheaded(good),
            "two signatures": reheaded(good, seal[0], *seal),
            "two key ids": reheaded(good, *seal, key_id),
            "key id that is no text": reheaded(good, seal[0], ("key-id", b"\xff\xfe")),
            "no value": good._replace(value=None, headers=seal),
            "no value, no key": good._replace(value=None, key=None),
        }
        return {name: (message, Refusal.BAD_SIGNATURE) for name, message in forged.items()}

    def _by_delivery(self, *outcomes: OutcomeSet) -> Message:
        ack = self._scene.ack("paybee", self._case.partition, self._case.offset)._replace(outcomes=outcomes)
        return self._scene.sealed_ack("paybee", encode(ack), self._scene.signer("delivery/paybee/1"))

    def told(self) -> Message:
        """What delivery may say: received, and no more."""
        return self._by_delivery()

    def of_content(self) -> Forged:
        """Those of the platform itself, which say what cannot count."""
        scene, good, case = self._scene, self.good, self._case
        value = good.value or b""
        plain = scene.ack("paybee", case.partition, case.offset, {Outcome.UNBOUND: [case.offset]})
        far = scene.hub_log.partitions
        right = scene.digest(case.partition, case.offset)
        bit = BitmapSegment(0, ONE_BIT)
        event_value = encode(event("+8613500000000", EventType.COOLING))
        many = tuple(BitmapSegment(65_536 * index, EMPTY_BITMAP) for index in range(SEGMENTS_TOO_MANY))
        twice = plain._replace(received=plain.received * 2)
        return {
            "another platform's name": (self.signed(plain._replace(platform="gym")), Refusal.WRONG_PLATFORM),
            "another platform's key": (good._replace(headers=self._gym(value)), Refusal.WRONG_PLATFORM),
            "another record key": (good._replace(key=b"gym"), Refusal.WRONG_PLATFORM),
            "no record key": (good._replace(key=None), Refusal.WRONG_PLATFORM),
            "wrong partition": (good._replace(partition=(good.partition + 1) % far), Refusal.WRONG_PARTITION),
            "another log": (self.signed(plain._replace(log_id=uuid.uuid4().bytes)), Refusal.OTHER_LOG),
            "bit beyond through": (
                self.saying(bit, through=0, partition=(case.partition + 1) % far),
                Refusal.BEYOND_LOG,
            ),
            "bit one beyond through": (
                self.signed(scene.ack("paybee", case.partition, case.offset, {Outcome.UNBOUND: [case.offset + 1]})),
                Refusal.BEYOND_LOG,
            ),
            "through at the log's end": (self.saying(through=self._end), Refusal.BEYOND_LOG),
            "through far beyond the log": (self.saying(through=2**40), Refusal.BEYOND_LOG),
            "through before the log": (self.saying(through=-1), Refusal.BEYOND_LOG),
            "no digest": (self.saying(digest=NO_DIGEST), Refusal.WRONG_DIGEST),
            "a digest off by a bit": (self.saying(digest=flipped(right, 31)), Refusal.WRONG_DIGEST),
            "partition beyond the log": (self.signed(scene.ack("paybee", far, 0)), Refusal.BEYOND_LOG),
            "negative partition": (self.signed(scene.ack("paybee", -1, 0)), Refusal.UNDECODABLE),
            "a partition received twice": (self.signed(twice), Refusal.UNDECODABLE),
            "1,025 segments": (self.saying(*many), Refusal.TOO_LARGE),
            "base within a segment": (self.saying(BitmapSegment(1, EMPTY_BITMAP)), Refusal.UNDECODABLE),
            "negative base": (self.saying(BitmapSegment(-65_536, EMPTY_BITMAP)), Refusal.UNDECODABLE),
            "empty bytes for a bitmap": (self.saying(BitmapSegment(0, b"")), Refusal.UNDECODABLE),
            "garbage for a bitmap": (self.saying(BitmapSegment(0, b"\x3a\x30" + bytes(40))), Refusal.UNDECODABLE),
            "bytes after a bitmap": (self.saying(BitmapSegment(0, ONE_BIT + b"\x00")), Refusal.UNDECODABLE),
            "byte left over": (scene.sealed_ack("paybee", value + b"\x00"), Refusal.UNDECODABLE),
            "cut short": (scene.sealed_ack("paybee", value[:-1]), Refusal.UNDECODABLE),
            "empty value": (scene.sealed_ack("paybee", b""), Refusal.UNDECODABLE),
            "an event": (scene.sealed_ack("paybee", event_value), Refusal.UNDECODABLE),
            "too large": (scene.sealed_ack("paybee", value + bytes(256 * 1024)), Refusal.UNDECODABLE),
        }

    def _gym(self, value: bytes) -> Headers:
        return self._scene.signer("gym-1").headers(contracts.ACKS, value)


def cast_platforms(scene: Scene) -> None:
    """`paybee` with good and bad keys, and `gym`."""
    now = now_ms()
    keys = (
        scene.key("paybee-1"),
        scene.key("paybee-revoked", revoked_at=now - 1),
        scene.key("paybee-expired", valid_until=now - 1),
        scene.key("paybee-tomorrow", valid_from=now + DAY_MS),
        scene.key("delivery/paybee/1"),
    )
    scene.put_platforms(scene.platform("paybee", keys=keys), scene.platform("gym"))


def test_forged_acknowledgements_are_refused_for_their_reason_and_change_no_figure(scene: Scene) -> None:
    """Each forgery ends whole in `rejected` with its reason; what is honest and comes after them counts."""
    cast_platforms(scene)
    cases = scene.open_cases(mobile_numbers(30))
    case = min(cases.values())
    acks = Acks(scene, case, scene.ends(contracts.RELEASES)[case.partition])
    forged = {**acks.of_signatures(), **acks.of_content()}
    assert judged(scene, forged) == expected(forged)
    ledger = Ledger(dict.fromkeys(cases.values(), False))
    coverages = scene.final_coverage(["paybee", "gym"])
    assert differences(ledger, coverages.values(), scene.read(contracts.TILES)) == []
    scene.send([acks.told()])
    scene.flush()
    ledger.note("paybee", case.partition, case.offset, {})
    scene.settle(contracts.ACKS)
    coverages = scene.final_coverage(["paybee", "gym"])
    assert differences(ledger, coverages.values(), scene.read(contracts.TILES)) == []
    scene.send([acks.good])
    scene.flush()
    ledger.note("paybee", case.partition, case.offset, {Outcome.UNBOUND: [case.offset]})
    scene.settle(contracts.ACKS)
    coverages = scene.final_coverage(["paybee", "gym"])
    assert differences(ledger, coverages.values(), scene.read(contracts.TILES)) == []


def event_forgeries(scene: Scene, number: str) -> Forged:
    """Forged and misplaced messages of operators about a number without a case."""
    good = scene.event_message(event(number, EventType.COOLING))
    value = good.value or b""
    far = scene.hub_log.partitions

    def sealed(key: str, topic: str = contracts.EVENTS, hub_id: str | None = None) -> Message:
        return good._replace(headers=scene.signer(key, hub_id).headers(topic, value))

    def raw(data: bytes) -> Message:
        return good._replace(value=data, headers=scene.signer("north-1").headers(contracts.EVENTS, data))

    def saying(**fields: object) -> Message:
        return scene.event_message(event(number, EventType.COOLING)._replace(**fields))  # type: ignore[arg-type]

    report = encode(OperatorReport("north", 20_000, (1,) * far))
    return {
        "unknown key id": (sealed("nobody-1"), Refusal.BAD_SIGNATURE),
        "revoked key": (sealed("north-revoked"), Refusal.BAD_SIGNATURE),
        "a platform's key": (sealed("paybee-1"), Refusal.BAD_SIGNATURE),
        "another topic's signature": (sealed("north-1", contracts.ACKS), Refusal.BAD_SIGNATURE),
        "another hub's signature": (sealed("north-1", hub_id="another-hub"), Refusal.BAD_SIGNATURE),
        "another's key id over its signature": (
            reheaded(good, good.headers[0], ("key-id", b"south-1")),
            Refusal.BAD_SIGNATURE,
        ),
        "no headers": (reheaded(good), Refusal.BAD_SIGNATURE),
        "two signatures": (reheaded(good, good.headers[0], *good.headers), Refusal.BAD_SIGNATURE),
        "flipped byte in the event id": (good._replace(value=flipped(value, 12)), Refusal.BAD_SIGNATURE),
        "other operator's key": (sealed("south-1"), Refusal.WRONG_OPERATOR),
        "wrong partition": (good._replace(partition=(good.partition + 1) % far), Refusal.WRONG_PARTITION),
        "a report in a wrong partition": (
            raw(report)._replace(partition=(scene.home("north") + 1) % far),
            Refusal.WRONG_PARTITION,
        ),
        "another operator's report": (raw(encode(OperatorReport("south", 20_000, (1,)))), Refusal.WRONG_OPERATOR),
        "trailing byte": (raw(value + b"\x00"), Refusal.UNDECODABLE),
        "cut short": (raw(value[:-1]), Refusal.UNDECODABLE),
        "no header": (raw(value[10:]), Refusal.UNDECODABLE),
        "empty": (raw(b""), Refusal.UNDECODABLE),
        "no value": (good._replace(value=None), Refusal.UNDECODABLE),
        "too large": (raw(value + bytes(64 * 1024)), Refusal.UNDECODABLE),
        "not signed and not readable": (reheaded(raw(b"\xff" * 40)), Refusal.UNDECODABLE),
        "no number": (saying(number="+86135"), Refusal.INVALID_NUMBER),
        "not your range": (saying(number="+8613700000001"), Refusal.NOT_YOUR_RANGE),
        "no end of cooling": (saying(cooling_until=None), Refusal.MISSING_FIELD),
        "handover without bound_before": (
            saying(type=EventType.REASSIGNED, reason=ReleaseReason.BACKFILL),
            Refusal.MISSING_FIELD,
        ),
        "of tomorrow": (saying(occurred_at=now_ms() + DAY_MS), Refusal.BAD_TIME),
        "withdraws nothing": (saying(type=EventType.WITHDRAWN, supersedes=bytes(16)), Refusal.UNKNOWN_EVENT),
        "released without cooling": (saying(type=EventType.RELEASED), Refusal.OUT_OF_ORDER),
    }


def test_forged_and_misplaced_events_are_refused_for_their_reason_and_open_no_case(scene: Scene) -> None:
    """Each ends whole in `rejected` with its reason; the honest event that comes after them opens the case."""
    cast_platforms(scene)
    keys = (scene.key("north-1"), scene.key("north-revoked", revoked_at=now_ms() - 1))
    scene.put_operator("north", "+86135", keys=keys)
    scene.put_operator("south", "+86136")
    number = mobile_numbers(1, "+861358")[0]
    forged = event_forgeries(scene, number)
    assert judged(scene, forged) == expected(forged)
    assert number not in {notice.subject.value for _, notice in scene.notices()}
    assert set(scene.open_cases([number])) == {number}


def test_what_a_live_case_forbids_is_refused_by_its_reason(scene: Scene) -> None:
    """Another operator's word on a live case, a used event id, a date before the last one: all refused."""
    scene.put_operator("south", "+86136")
    number = mobile_numbers(1, "+861357")[0]
    opener = event(number, EventType.COOLING)
    scene.send([scene.event_message(opener)])
    scene.flush()
    scene.settle(contracts.EVENTS)

    def later(kind: EventType, operator: str = "north", **fields: object) -> NumberEvent:
        return event(number, kind, operator, ported=True)._replace(**fields)  # type: ignore[arg-type]

    cases: dict[str, tuple[NumberEvent, Refusal]] = {
        "not your case": (later(EventType.RELEASED, "south"), Refusal.NOT_YOUR_CASE),
        "event id reused": (later(EventType.RELEASED, event_id=opener.event_id), Refusal.EVENT_ID_REUSED),
        "reissued before it has cooled": (
            later(EventType.COOLING, cooling_until=now_ms() + DAY_MS, reissue_not_before=now_ms()),
            Refusal.BAD_TIME,
        ),
        "second cooling": (event(number, EventType.COOLING), Refusal.OUT_OF_ORDER),
        "before the opener": (
            later(EventType.RELEASED, occurred_at=opener.occurred_at - 1),
            Refusal.TIME_REVERSED,
        ),
    }
    forged = {name: (scene.event_message(one), reason) for name, (one, reason) in cases.items()}
    assert judged(scene, forged) == expected(forged)


def test_a_key_counts_from_the_moment_it_is_on_the_roster(scene: Scene) -> None:
    """Before an unknown sender is refused the roster is read to its end: none of these is too early."""
    numbers = mobile_numbers(ROSTER_ROUNDS, "+861356")
    case = scene.open_cases(numbers[:1])[numbers[0]]
    before = len(scene.rejected())
    fresh = [f"fresh-{index}" for index in range(ROSTER_ROUNDS)]
    keys = [scene.key("north-1")]
    for number, name in zip(numbers[1:], fresh[1:], strict=True):
        keys.append(scene.key(f"north-{name}"))
        scene.put_operator("north", "+86135", keys=keys)
        scene.send([scene.event_message(event(number, EventType.COOLING), scene.signer(f"north-{name}"))])
    for name in fresh:
        scene.put_platforms(scene.platform(name))
        scene.send(acks_of(scene, name, case))
    scene.flush()
    scene.settle(contracts.EVENTS, contracts.ACKS)
    assert len(scene.rejected()) == before
    coverages = scene.final_coverage(fresh)
    assert [sum(one.pairs for one in coverages[name].outcomes) for name in fresh] == [1] * len(fresh)


def acks_of(scene: Scene, platform: str, case: Source) -> Iterable[Message]:
    """One acknowledgement of one case."""
    return [scene.ack_message(scene.ack(platform, case.partition, case.offset, {Outcome.UNBOUND: [case.offset]}))]


def test_a_revoked_key_stops_counting_at_its_time(scene: Scene) -> None:
    """Validity is judged at the message's record time: before the revocation it counted, after it no more."""
    number = mobile_numbers(1, "+861355")[0]
    case = scene.open_cases([number])[number]
    scene.put_platforms(scene.platform("turncoat"))
    scene.send(acks_of(scene, "turncoat", case))
    scene.flush()
    scene.settle(contracts.ACKS)
    scene.put_platforms(scene.platform("turncoat", keys=(scene.key("turncoat-1", revoked_at=now_ms()),)))
    before = len(scene.rejected())
    scene.send(acks_of(scene, "turncoat", case))
    scene.flush()
    scene.settle(contracts.ACKS)
    refused = list(scene.rejected().values())[before:]
    assert [(one.reason, one.sender) for one in refused] == [(Refusal.BAD_SIGNATURE, "turncoat")]
    assert Header("key-id", b"turncoat-1") in refused[0].headers
