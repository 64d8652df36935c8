"""Platforms without Kafka, through a real hub: told by webhook or file, acknowledging over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hub import contracts
from hub.contracts import encode
from hub.core.model import REFUSAL_TODO, EventType, GapClass, Outcome, ReceivedThrough, Refusal, Source
from hub.sdk.http_client import HttpPlatform
from tests.broker.delivering import Delivering, delivering
from tests.broker.scene import Scene, event, mobile_numbers, now_ms, wait_until
from tests.receiver import Receiver

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def desk(scene: Scene) -> Iterator[Delivering]:
    """A delivery program beside the scene's hub."""
    with delivering(scene) as made:
        yield made


def test_a_webhook_is_a_receipt_and_no_more(scene: Scene, desk: Delivering) -> None:
    """A platform with a web server is told every notice once; its 2xx moves `received`, and its gaps stay open."""
    receiver = Receiver(desk.where["public_key"])
    scene.put_platforms(desk.platform("hooky", f"webhook {receiver.url}"))
    cases = scene.open_cases(mobile_numbers(40))
    wait_until("every notice came", lambda: receiver.through() == desk.full())
    wait_until("the hub has the receipts", lambda: desk.received("hooky") == desk.full())
    assert len({one.id for one in receiver.got}) == len(receiver.got), "a message came twice"
    assert receiver.bad == 0
    told = {one["notice"]["subject"]["value"]: one["case"] for got in receiver.got for one in got.notices}
    assert told == {number: str(case) for number, case in cases.items()}
    coverage = scene.final_coverage(["hooky"])["hooky"]
    assert {one.partition: one.through for one in coverage.received} == desk.full()
    assert (coverage.in_force, coverage.resolved) == (40, 0)
    assert {one.gap: one.pairs for one in coverage.gaps} == {GapClass.NO_OUTCOME: 40}
    receiver.close()


def connect(scene: Scene, desk: Delivering, platform: str) -> HttpPlatform:
    """A platform's HTTP client with its key `<id>-1`."""
    return HttpPlatform(desk.url, platform, scene.signer(f"{platform}-1"), desk.where["public_key"])


def test_an_acknowledgement_over_http_is_an_ordinary_one(scene: Scene, desk: Delivering) -> None:
    """What a platform signs and posts lies in `acks` byte for byte, under its own key, and closes its gaps."""
    receiver = Receiver(desk.where["public_key"])
    scene.put_platforms(desk.platform("postal", f"webhook {receiver.url}"))
    cases = scene.open_cases(mobile_numbers(12, "+861351"))
    wait_until("every notice came", lambda: receiver.through() == desk.full())
    receiver.close()
    said = scene.ack("postal", *min(cases.values()), {Outcome.UNBOUND: [min(cases.values()).offset]})
    with connect(scene, desk, "postal") as postal:
        written = postal.acknowledge(encode(said))["written_at"]
        found = {f"{one.partition}-{one.offset}": one for one in scene.read(contracts.ACKS)}[written]
        assert found.value == encode(said)
        assert found.headers == scene.signer("postal-1").headers(contracts.ACKS, encode(said))
        scene.settle(contracts.ACKS)
        first, second = sorted(cases.values())[1:3]
        rows = f"case,outcome\n{first},UNBOUND\n{second},FROZEN,LOGIN_OFF RECOVERY_OFF\nrest,NOT_BOUND\n"
        drafted = postal.draft(rows.encode())
        assert drafted["account"]["cases_named"] == {"UNBOUND": 1, "FROZEN": 1}
        assert len(postal.send(drafted)) == 1
        scene.settle(contracts.ACKS)
        assert postal.draft(b"rest,NOT_BOUND\n")["account"]["positions"] == {}, "everything was said"
    coverage = scene.final_coverage(["postal"])["postal"]
    shown = {one.outcome: one.pairs for one in coverage.outcomes}
    assert shown == {Outcome.UNBOUND: 2, Outcome.FROZEN: 1, Outcome.NOT_BOUND: coverage.in_force - 3}
    assert (coverage.disputes, coverage.resolved) == (0, coverage.in_force - 1)


REFUSED = {
    "another's key": ("hooky-1", {}, Refusal.WRONG_PLATFORM),
    "a key nobody has": ("nobody-1", {}, Refusal.BAD_SIGNATURE),
    "another log": ("polly-1", {"log_id": bytes(16)}, Refusal.OTHER_LOG),
    "another platform": ("polly-1", {"platform": "hooky"}, Refusal.WRONG_PLATFORM),
    "the future": ("polly-1", {"received": (ReceivedThrough(0, 10**6, bytes(32)),)}, Refusal.BEYOND_LOG),
}


@pytest.mark.parametrize(("key_id", "changes", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_a_refused_acknowledgement_says_so_at_once(
    scene: Scene, desk: Delivering, key_id: str, changes: dict[str, Any], reason: Refusal
) -> None:
    """What the hub would refuse is refused at the door with the same reason, and never reaches `acks`."""
    scene.put_platforms(desk.platform("polly", "file"), desk.platform("hooky", "file"))
    case = min(scene.open_cases(mobile_numbers(2, "+861352")).values()) if not scene.notices() else Source(0, 0)
    ack = scene.ack("polly", case.partition, 0)._replace(**changes)
    value, before = encode(ack), scene.ends(contracts.ACKS)
    headers = dict(scene.signer(key_id).headers(contracts.ACKS, value))
    answer = httpx.post(
        f"{desk.url}/v1/platforms/polly/acknowledgements",
        content=value,
        headers={"signature": base64.b64encode(headers["signature"]).decode(), "key-id": key_id},
        trust_env=False,
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["reason"], answer.json()["todo"]) == (reason, REFUSAL_TODO[reason])
    assert scene.ends(contracts.ACKS) == before


def test_what_was_missed_is_sent_again_and_moves_nothing(scene: Scene, desk: Delivering) -> None:
    """By position, by case and by time, a platform gets its notices again; its `received` stays where it was."""
    scene.put_platforms(desk.platform("ruby", "file"))
    number = mobile_numbers(1, "+861353")[0]
    begun = now_ms()
    case = scene.open_cases([number])[number]
    scene.send([scene.event_message(event(number, EventType.RESTORED))])
    scene.flush()
    scene.settle(contracts.EVENTS)
    with connect(scene, desk, "ruby") as ruby:
        by_case = list(ruby.replay(by="case", case=str(case)))
        assert [one["notice"]["stage"] for one in by_case] == ["COOLING", "RESTORED"]
        assert {one["case"] for one in by_case} == {str(case)}
        assert list(ruby.replay(by="time", since=begun, until=now_ms() + 1)) == by_case
        by_position = list(ruby.replay(by="position", partition=case.partition, first=case.offset))
        assert by_position == by_case
        assert ruby.notices(case.partition, case.offset)["notices"] == by_case
        everything = {one["position"] for p in range(12) for one in ruby.replay(by="position", partition=p, first=0)}
        assert everything == {str(where) for where, _ in scene.notices()}
    assert desk.received("ruby") == {}
