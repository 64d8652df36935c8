"""Platforms without Kafka, through a real hub: told by webhook or file, acknowledging over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from hub.core.model import (
    REFUSAL_TODO,
    EventType,
    GapClass,
    Outcome,
    PlatformState,
    ReceivedThrough,
    Refusal,
    Report,
    ReportKind,
    Source,
)
from hub.errors import PlatformError
from hub.sdk.http_client import HttpPlatform, token
from hub.sdk.reports import send_report
from hub.wire import contracts
from hub.wire.contracts import encode
from tests.broker.delivering import Delivering, delivering
from tests.broker.scene import Scene, event, mobile_numbers, now_ms, wait_until
from tests.receiver import Receiver

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def delivery(scene: Scene) -> Iterator[Delivering]:
    """A delivery program beside the scene's hub."""
    with delivering(scene) as made:
        yield made


def test_a_webhook_is_a_receipt_and_no_more(scene: Scene, delivery: Delivering) -> None:
    """A platform with a web server is told every notice once; its 2xx moves `received`, and its gaps stay open."""
    receiver = Receiver(delivery.where["public_key"])
    scene.put_platforms(delivery.platform("hooky", f"webhook {receiver.url}"))
    cases = scene.open_cases(mobile_numbers(40))
    wait_until("every notice came", lambda: receiver.through() == delivery.full())
    wait_until("the hub has the receipts", lambda: delivery.received("hooky") == delivery.full())
    assert len({one.id for one in receiver.got}) == len(receiver.got), "a message came twice"
    assert receiver.bad == 0
    told = {one["notice"]["subject"]["value"]: one["case"] for got in receiver.got for one in got.notices}
    assert told == {number: str(case) for number, case in cases.items()}
    coverage = scene.final_coverage(["hooky"])["hooky"]
    assert {one.partition: one.through for one in coverage.received} == delivery.full()
    assert (coverage.in_force, coverage.resolved) == (40, 0)
    assert {one.gap: one.pairs for one in coverage.gaps} == {GapClass.NO_OUTCOME: 40}
    receiver.close()


def connect(scene: Scene, delivery: Delivering, platform: str) -> HttpPlatform:
    """A platform's HTTP client with its key `<id>-1`."""
    return HttpPlatform(delivery.url, platform, scene.signer(f"{platform}-1"), delivery.where["public_key"])


def test_an_acknowledgement_over_http_is_an_ordinary_one(scene: Scene, delivery: Delivering) -> None:
    """What a platform signs and posts lies in `acks` byte for byte, under its own key, and closes its gaps."""
    receiver = Receiver(delivery.where["public_key"])
    scene.put_platforms(delivery.platform("postal", f"webhook {receiver.url}"))
    cases = scene.open_cases(mobile_numbers(12, "+861351"))
    wait_until("every notice came", lambda: receiver.through() == delivery.full())
    receiver.close()
    said = scene.ack("postal", *min(cases.values()), {Outcome.UNBOUND: [min(cases.values()).offset]})
    with connect(scene, delivery, "postal") as postal:
        written = postal.acknowledge(encode(said))["written_at"]
        found = {f"{one.partition}-{one.offset}": one for one in scene.read(contracts.ACKS)}[written]
        assert found.value == encode(said)
        assert found.headers == scene.signer("postal-1").headers(contracts.ACKS, encode(said))
        scene.settle(contracts.ACKS)
        first, second = sorted(cases.values())[1:3]
        looked = "".join(f"received,{partition}-{last}\n" for partition, last in delivery.full().items())
        rows = f"case,outcome\n{first},UNBOUND\n{second},FROZEN,LOGIN_OFF RECOVERY_OFF\n{looked}rest,NOT_BOUND\n"
        drafted = postal.draft(rows.encode())
        assert drafted["account"]["cases_named"] == {"UNBOUND": 1, "FROZEN": 1}
        assert len(postal.send(drafted)) == 1
        scene.settle(contracts.ACKS)
        assert postal.draft(f"{looked}rest,NOT_BOUND\n".encode())["account"]["positions"] == {}, "everything was said"
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
    scene: Scene, delivery: Delivering, key_id: str, changes: dict[str, Any], reason: Refusal
) -> None:
    """What the hub would refuse is refused at the door with the same reason, and never reaches `acks`."""
    scene.put_platforms(delivery.platform("polly", "file"), delivery.platform("hooky", "file"))
    case = min(scene.open_cases(mobile_numbers(2, "+861352")).values()) if not scene.notices() else Source(0, 0)
    ack = scene.ack("polly", case.partition, 0)._replace(**changes)
    value, before = encode(ack), scene.ends(contracts.ACKS)
    headers = dict(scene.signer(key_id).headers(contracts.ACKS, value))
    answer = httpx.post(
        f"{delivery.url}/v1/platforms/polly/acknowledgements",
        content=value,
        headers={"signature": base64.b64encode(headers["signature"]).decode(), "key-id": key_id},
        trust_env=False,
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["reason"], answer.json()["todo"]) == (reason, REFUSAL_TODO[reason])
    assert scene.ends(contracts.ACKS) == before


@pytest.mark.parametrize("path", ["replay", "acknowledgements", "acknowledgements/draft", "answers/draft"])
def test_a_body_has_a_bound_whoever_sends_it(delivery: Delivering, path: str) -> None:
    """Two mebibytes are refused before anybody asks who sends them."""
    body = b'{"x":"' + bytes([120]) * 2 * 1024 * 1024 + b'"}'
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{delivery.url}/v1/platforms/polly/{path}", content=body, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (413, "TOO_LARGE")


def test_what_was_missed_is_sent_again_and_moves_nothing(scene: Scene, delivery: Delivering) -> None:
    """By position, by case and by time, a platform gets its notices again; its `received` stays where it was."""
    scene.put_platforms(delivery.platform("ruby", "file"))
    number = mobile_numbers(1, "+861353")[0]
    begun = now_ms()
    case = scene.open_cases([number])[number]
    scene.send([scene.event_message(event(number, EventType.RESTORED))])
    scene.flush()
    scene.settle(contracts.EVENTS)
    with connect(scene, delivery, "ruby") as ruby:
        by_case = list(ruby.replay(by="case", case=str(case)))
        assert [one["notice"]["stage"] for one in by_case] == ["COOLING", "RESTORED"]
        assert {one["case"] for one in by_case} == {str(case)}
        assert list(ruby.replay(by="time", since=begun, until=now_ms() + 1)) == by_case
        by_position = list(ruby.replay(by="position", partition=case.partition, first=case.offset))
        assert by_position == by_case
        assert ruby.notices(case.partition, case.offset)["notices"] == by_case
        everything = {one["position"] for p in range(12) for one in ruby.replay(by="position", partition=p, first=0)}
        assert everything == {str(where) for where, _ in scene.notices()}
    assert delivery.received("ruby") == {}


def test_nothing_is_sent_before_its_receipts_would_count(scene: Scene, delivery: Delivering) -> None:
    """Without delivery's key on its roster record a platform is not told; the status says which key to put there."""
    receiver = Receiver(delivery.where["public_key"])
    whole = delivery.platform("early", f"webhook {receiver.url}")
    scene.put_platforms(whole._replace(keys=whole.keys[:1]))
    scene.open_cases(mobile_numbers(2, "+861354"))
    wait_until("delivery knows it", lambda: "early" in {one["platform"] for one in delivery.rows()})
    status = delivery.status("early")
    assert (status["state"], status["behind"]) == (None, len(scene.notices()))
    assert f"add-delivery-key early --public {delivery.where['public_key']}" in status["todo"]
    assert receiver.requests == 0
    scene.put_platforms(whole)
    wait_until("every notice came", lambda: receiver.through() == delivery.full())
    scene.put_platforms(whole._replace(state=PlatformState.LEFT))
    wait_until("it is left alone", lambda: delivery.status("early")["todo"].startswith("Nothing is sent"))
    before, other = receiver.requests, Receiver(delivery.where["public_key"])
    scene.put_platforms(delivery.platform("witness", f"webhook {other.url}"))
    scene.open_cases(mobile_numbers(2, "+861355"))
    wait_until(
        "others are told", lambda: other.through() == delivery.full() and delivery.status("early")["behind"] >= 2
    )
    assert receiver.requests == before
    for one in (receiver, other):
        one.close()


def test_a_receiver_that_moves_is_told_on_from_where_it_was(scene: Scene, delivery: Delivering) -> None:
    """When the roster names another address, what was received there already is not sent to the new one again."""
    first, second = Receiver(delivery.where["public_key"]), Receiver(delivery.where["public_key"])
    scene.put_platforms(delivery.platform("mover", f"webhook {first.url}"))
    scene.open_cases(mobile_numbers(5, "+861356"))
    wait_until("the first has all", lambda: first.through() == delivery.full())
    scene.put_platforms(delivery.platform("mover", f"webhook {second.url}"))
    scene.open_cases(mobile_numbers(5, "+861357"))
    wait_until("both together have all", lambda: len(first.positions() | second.positions()) == len(scene.notices()))
    assert not first.positions() & second.positions()
    for one in (first, second):
        one.close()


def test_states_are_shown_and_nobodys_number_is(scene: Scene, delivery: Delivering) -> None:
    """Metrics, status, command and the platform's own view tell of a receiver that fails, and no number."""
    receiver = Receiver(delivery.where["public_key"], lambda _: 410)
    scene.put_platforms(delivery.platform("goner", f"webhook {receiver.url}"))
    number = mobile_numbers(1, "+861358")[0]
    scene.open_cases([number])
    wait_until("it is suspended", lambda: delivery.status("goner")["state"] == "SUSPENDED")
    with connect(scene, delivery, "goner") as goner:
        own = goner.status()
    assert (own["state"], own["why"]) == ("SUSPENDED", "410")
    assert 1 <= own["failures"] <= 4, "those that were on their way when it answered first"
    assert 1_800_000 < own["next_try_at"] - own["since"] < 5_400_000
    metrics = httpx.get(f"{delivery.staff_url}/metrics", trust_env=False).text
    assert 'hub_delivery_state{platform="goner",state="SUSPENDED"} 1.0' in metrics
    assert f'hub_delivery_behind{{platform="goner"}} {float(own["behind"])}' in metrics
    command = [sys.executable, "-m", "hub", "delivery", "status", "--url", delivery.staff_url, "--json"]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout
    assert next(one for one in json.loads(told) if one["platform"] == "goner")["state"] == "SUSPENDED"
    command = [sys.executable, "-m", "hub", "delivery", "key", "--data-dir", str(delivery.folder)]
    key = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout.strip()
    assert (
        key == delivery.where["public_key"] == httpx.get(f"{delivery.url}/v1/key", trust_env=False).json()["webhooks"]
    )
    assert (delivery.folder / "delivery.pem").stat().st_mode & 0o777 == 0o600
    for said in (metrics, told, delivery.program.console.read_text(encoding="utf-8")):
        assert "8613" not in said
    receiver.close()


BAD_REQUESTS = {
    "a partition that is none": ("GET", "/notices?partition=99", None, 422),
    "no partition": ("GET", "/notices", None, 422),
    "too many": ("GET", "/notices?partition=0&limit=1001", None, 422),
    "a replay of nothing": ("POST", "/replay", b"{}", 422),
    "a replay with more": ("POST", "/replay", b'{"by": "case", "case": "0-0", "x": 1}', 422),
    "a case beyond the log": ("POST", "/replay", b'{"by": "case", "case": "0-99999999"}', 422),
    "a number for a case": ("POST", "/replay", b'{"by": "case", "case": "+8613800138000"}', 422),
    "rows of a case beyond the log": ("POST", "/outcomes", b"0-99999999,UNBOUND", 422),
    "rows that are none": ("POST", "/outcomes", b"+8613800138000,UNBOUND", 422),
    "rows without end": ("POST", "/outcomes", b"x" * (1024 * 1024 + 1), 413),
    "a day without a file": ("GET", "/files/2020-01-01", None, 404),
    "today, which is not over": ("GET", f"/files/{datetime.now(UTC).date()}", None, 404),
    "a day that is none": ("GET", "/files/yesterday", None, 422),
}


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD_REQUESTS.values(), ids=list(BAD_REQUESTS))
def test_a_bad_request_is_a_problem_with_what_to_do(
    scene: Scene, delivery: Delivering, method: str, path: str, body: bytes | None, status: int
) -> None:
    """Every refusal is problem+json with a reason and what to do, and quotes nothing of what was sent."""
    scene.put_platforms(delivery.platform("clumsy", "kafka"))
    wait_until("its key is known", lambda: delivery.knows("clumsy"))
    target = f"/v1/platforms/clumsy{path}"
    proof = token(scene.signer("clumsy-1"), "clumsy", method, target, int(time.time()))
    headers = {"authorization": f"Bearer {proof}", "content-type": "application/json" if path == "/replay" else ""}
    answer = httpx.request(method, delivery.url + target, content=body, headers=headers, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["todo"]
    assert "138001" not in answer.text


def test_strangers_read_nothing(scene: Scene, delivery: Delivering) -> None:
    """Without a token no route but the public ones answers; a platform that left is told no numbers."""
    for path in ("/delivery", "/notices?partition=0", "/files", "/files/2020-01-01", "/files/2020-01-01.sig"):
        answer = httpx.get(f"{delivery.url}/v1/platforms/hooky{path}", trust_env=False)
        assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    for path in ("/metrics", "/status"):
        assert httpx.get(delivery.url + path, trust_env=False).status_code == 404
    scene.put_platforms(delivery.platform("leaver", "file", state=PlatformState.LEFT))
    wait_until("its key is known", lambda: delivery.knows("leaver"))
    with connect(scene, delivery, "leaver") as leaver, pytest.raises(PlatformError, match="NOT_CONNECTED"):
        leaver.notices(0)


def test_a_report_reaches_a_platform_without_kafka(scene: Scene, delivery: Delivering) -> None:
    """The request comes by webhook and lies in its inbox, with the hub's own signature; its answer ends the dispute."""
    receiver = Receiver(delivery.where["public_key"])
    scene.put_platforms(delivery.platform("clerk", f"webhook {receiver.url}"))
    (number,) = mobile_numbers(1, "+861359")
    where = scene.open_cases([number])[number]
    wait_until("every notice came", lambda: receiver.through() == delivery.full())

    def disputed() -> int:
        return dict(scene.final_coverage(["clerk"])["clerk"].gaps).get(GapClass.DISPUTED, 0)

    with connect(scene, delivery, "clerk") as clerk:
        clerk.acknowledge(encode(scene.ack("clerk", *where, {Outcome.NOT_BOUND: [where.offset]})))
        told = Report(uuid.uuid4().bytes, "north", number, "clerk", ReportKind.DEBT_CALLS, now_ms())
        asyncio.run(send_report(told, scene.signer("north-1"), scene.hub.address))
        wait_until("it is a dispute", lambda: disputed() == 1)
        (asked,) = clerk.inbox()["messages"]
        wait_until("it came by webhook", lambda: receiver.told == [asked])
        assert [one["report_id"] for one in clerk.requests()] == [told.report_id.hex()]
        assert (asked["kind"], asked["message"]["report_id"]) == ("ReportRequest", told.report_id.hex())
        assert asked["message"]["subject"]["value"] == number
        stranger = HttpPlatform(delivery.url, "clerk", scene.signer("clerk-2"), delivery.where["public_key"])
        with stranger, pytest.raises(PlatformError, match="BAD_SIGNATURE"):
            stranger.answer(told.report_id.hex(), Outcome.NOT_BOUND)
        clerk.answer(told.report_id.hex(), Outcome.NOT_BOUND)
        wait_until("it is over", lambda: disputed() == 0)
        wait_until("it is on record", lambda: clerk.inbox(1)["messages"] != [])
        assert clerk.inbox(1)["messages"][0]["kind"] == "AcceptedAnswer"
        assert clerk.requests() == []
        wait_until("that came too", lambda: receiver.told == clerk.inbox()["messages"])
    assert receiver.through() == delivery.full(), "what came of the inbox is no receipt of notices"
    receiver.close()
