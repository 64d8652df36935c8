"""An operator's publisher against a real hub on a real broker: killed, restarted, crowded, and still counted right."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.core.breaches import DailyReport, OperatorBook, mismatched_days
from hub.core.model import DAY_MS, Decision, EventType, Key, Names, NumberEvent, Operator, Receipt, Refusal
from hub.errors import HubError, OperatorError
from hub.local.kafka import EmbeddedKafka
from hub.local.up import LocalHub
from hub.sdk.operators.publisher import OperatorPublisher, PublisherSettings
from hub.settings import HubAddress
from hub.staff.registrar import registrar
from hub.wire.contracts import decode, partition_of, receipts_topic
from hub.wire.signing import Signer
from tests.clusters import borrowed

pytestmark = pytest.mark.broker

HUB_ID = "test-hub"
WAIT_S = 180.0
OPERATORS = ("calm", "killed", "shaken", "crowded", "counted", "silent")

# Sends events until it is killed, and says which it was told are sent.
VICTIM = """
import asyncio, sys
from pathlib import Path
from tests.broker import test_publisher as t
from hub.settings import HubAddress
async def main(servers, outbox, first):
    async with t.publisher(HubAddress(servers, t.HUB_ID), "killed", Path(outbox)) as sender:
        async def send(nth):
            await sender.send(t.cooling("killed", nth))
            print(nth, flush=True)
        await asyncio.gather(*(send(nth) for nth in range(int(first), int(first) + 3000)))
asyncio.run(main(*sys.argv[1:]))
"""


class RunningHub(NamedTuple):
    """A hub, and the broker it stands on."""

    kafka: EmbeddedKafka
    address: HubAddress


def signer(operator: str) -> Signer:
    return Signer.from_seed(f"{operator}-1", operator.encode().ljust(32, b"\0"), HUB_ID)


def publisher(address: HubAddress, operator: str, outbox: Path, **settings: float) -> OperatorPublisher:
    return OperatorPublisher(operator, signer(operator), address, PublisherSettings(outbox, **settings))  # type: ignore[arg-type]


def event(operator: str, nth: int, kind: EventType, number: int | None = None) -> NumberEvent:
    """An event of one of a million numbers that no other operator here uses."""
    at = int(time.time() * 1000)
    place = OPERATORS.index(operator) * 1_000_000 + (nth if number is None else number)
    return NumberEvent(nth.to_bytes(16), operator, f"+86155{place:08d}", kind, at)


def cooling(operator: str, nth: int, number: int | None = None) -> NumberEvent:
    opened = event(operator, nth, EventType.COOLING, number)
    until = opened.occurred_at + 60 * DAY_MS
    return opened._replace(cooling_until=until, reissue_not_before=until, ported=False)


async def _found_hub(hub: LocalHub) -> None:
    await hub.start()
    async with registrar(hub.address) as staff:
        keys = {one: (Key(f"{one}-1", signer(one).public, 0),) for one in OPERATORS}
        await staff.put_operators(Operator(one, Names(one, one), ("+86155",), keys=keys[one]) for one in OPERATORS)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("hub")
    with borrowed() as kafka:
        hub = LocalHub(folder / "hub", bootstrap_servers=kafka.bootstrap_servers, hub_id=HUB_ID)
        asyncio.run(_found_hub(hub))
        try:
            yield RunningHub(kafka, hub.address)
        finally:
            asyncio.run(hub.stop())


async def every_receipt(address: HubAddress, operator: str) -> list[Receipt]:
    """All receipts of an operator, read by another client than the publisher's."""
    tp = TopicPartition(receipts_topic(operator), 0)
    found: list[Receipt] = []
    async with AIOKafkaConsumer(bootstrap_servers=address.bootstrap_servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            for batch in (await consumer.getmany(tp, timeout_ms=500)).values():
                found += [decode(record.value, Receipt) for record in batch]
    return found


def book_of(receipts: list[Receipt]) -> OperatorBook:
    book = OperatorBook()
    for receipt in receipts:
        book.add(receipt)
    return book


def mismatches(receipts: list[Receipt]) -> list[int]:
    """The days whose report the hub would call a COUNT_MISMATCH, all of them long past."""
    counted: dict[int, list[int]] = {}
    told = {one.source: one for one in receipts if one.decision is not Decision.REPORTED}
    for source, receipt in told.items():
        counted.setdefault(source.partition, []).append(receipt.recorded_at)
    reports = {
        one.report_day: DailyReport(one.report_sent, one.recorded_at) for one in receipts if one.report_day is not None
    }
    return mismatched_days(reports, counted, now_ms=2**50)


async def test_every_decision_comes_back(running: RunningHub, tmp_path: Path) -> None:
    """Whatever the hub decides on an event, its operator hears it as the receipt of that event."""
    opened = cooling("calm", 1)
    async with publisher(running.address, "calm", tmp_path / "outbox") as sender:
        source = await sender.send(opened)
        assert source.partition == partition_of(opened.number.encode(), 12)
        accepted = await sender.receipt(opened.event_id, WAIT_S)
        assert (accepted.decision, accepted.source) == (Decision.ACCEPTED, source)
        again = await sender.send(opened)
        repeated = await sender.receipt(opened.event_id, WAIT_S)
        assert (repeated.decision, repeated.source, repeated.position) == (
            Decision.DUPLICATE,
            again,
            accepted.position,
        )
        await sender.send(opened._replace(ported=True))
        await sender.send(event("calm", 2, EventType.SUSPENDED))
        await sender.send(event("calm", 3, EventType.RESTORED))
        await sender.wait_all(WAIT_S)
        assert (await sender.receipt((3).to_bytes(16), WAIT_S)).reason is Refusal.OUT_OF_ORDER
        await sender.send_report(20_000)
        await sender._until(lambda: sender.receipts.total() == 6, WAIT_S, "no receipt of the report")
        assert sender.receipts == {
            (Decision.ACCEPTED, None): 1,
            (Decision.DUPLICATE, None): 1,
            (Decision.REFUSED, Refusal.EVENT_ID_REUSED): 1,
            (Decision.NOTED, None): 1,
            (Decision.REFUSED, Refusal.OUT_OF_ORDER): 1,
            (Decision.REPORTED, None): 1,
        }
        assert sum(sender.totals) == 5
    assert mismatches(await every_receipt(running.address, "calm")) == []


def _kill_after(lines: int, address: HubAddress, outbox: Path, first: int) -> list[int]:
    """Run the victim until it has said that many events are sent, kill it, and return them."""
    command = [sys.executable, "-c", VICTIM, address.bootstrap_servers, str(outbox), str(first)]
    root = Path(__file__).parents[2]
    said: list[int] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, encoding="utf-8", cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    ) as victim:
        assert victim.stdout is not None
        while len(said) < lines and (line := victim.stdout.readline()):
            said.append(int(line))
        victim.kill()
        rest, _ = victim.communicate()
    return said + [int(line) for line in rest.split()]


async def test_killed_while_sending(running: RunningHub, tmp_path: Path) -> None:
    """Killed at any moment, an operator's next process loses no event, reuses no id, and reports the true totals."""
    sent: list[int] = []
    for life, lines in enumerate((1, 700, 1900)):
        sent += await asyncio.to_thread(_kill_after, lines, running.address, tmp_path / "outbox", 3000 * life)
        assert len(sent) >= lines
        async with publisher(running.address, "killed", tmp_path / "outbox") as sender:
            await sender.send_report(20_000 + life)
            await sender.wait_all(WAIT_S)
            await sender.send_report(20_100 + life)
    receipts: list[Receipt] = []
    async with asyncio.timeout(WAIT_S):
        while book_of(receipts).decisions.get(Decision.REPORTED, 0) < 6:
            receipts = await every_receipt(running.address, "killed")
    assert {nth.to_bytes(16) for nth in sent} <= {one.event_id for one in receipts}
    decisions = book_of(receipts).decisions
    assert set(decisions) <= {Decision.ACCEPTED, Decision.DUPLICATE, Decision.REPORTED}
    assert decisions[Decision.ACCEPTED] == len({one.event_id for one in receipts if one.event_id})
    assert decisions[Decision.REPORTED] == 6
    assert mismatches(receipts) == []


async def test_the_broker_goes_away(running: RunningHub, tmp_path: Path) -> None:
    """A broker killed under an operator that goes on sending costs time, and neither an event nor the count."""
    async with publisher(running.address, "shaken", tmp_path / "outbox", chunk_max=20) as sender:
        sending = asyncio.gather(*(sender.send(cooling("shaken", nth)) for nth in range(2_000)))
        await sender._until(lambda: sum(sender.totals) > 200, WAIT_S, "nothing is sent")
        await asyncio.to_thread(running.kafka.kill)
        await asyncio.to_thread(running.kafka.start)  # takes seconds, in which the operator goes on sending
        await sending
        await sender.wait_all(WAIT_S)
        await sender.send_report(20_000)
        await sender._until(lambda: sender.receipts[Decision.REPORTED, None] == 1, WAIT_S, "no receipt of the report")
    receipts = await every_receipt(running.address, "shaken")
    assert book_of(receipts).decisions[Decision.ACCEPTED] == 2_000
    assert mismatches(receipts) == []


async def test_a_crowd_keeps_its_order(running: RunningHub, tmp_path: Path) -> None:
    """Many callers at once wait for room, and a number's events arrive in the order in which they were sent."""
    kinds = [EventType.COOLING, EventType.RESTORED]
    events = [
        cooling("crowded", nth, nth // 20) if nth % 2 == 0 else event("crowded", nth, EventType.RESTORED, nth // 20)
        for nth in range(200)
    ]
    assert [one.type for one in events[:2]] == kinds
    async with publisher(running.address, "crowded", tmp_path / "outbox", in_flight_max=3, chunk_max=7) as sender:
        await asyncio.gather(*(sender.send(one) for one in events))
        await sender.wait_all(WAIT_S)
        assert sender.receipts == Counter({(Decision.ACCEPTED, None): 200})


def has_sent(sender: OperatorPublisher, events: int) -> bool:
    """Whether a publisher sent so many events."""
    return sum(sender.totals) >= events


async def test_reports_while_sending(running: RunningHub, tmp_path: Path) -> None:
    """Reports made while events are being sent agree with what the hub has at their time, every one."""
    async with publisher(running.address, "counted", tmp_path / "outbox", in_flight_max=20) as sender:
        sending = asyncio.gather(*(sender.send(cooling("counted", nth)) for nth in range(500)))
        for nth in range(10):
            await sender._until(partial(has_sent, sender, 20 * nth), WAIT_S, "nothing is sent")
            await sender.send_report(20_000 + nth)
        await sending
        await sender.wait_all(WAIT_S)
        assert await sender.resend_unreceipted() == 0
        await sender._until(lambda: sender.receipts[Decision.REPORTED, None] == 10, WAIT_S, "no receipts of reports")
    receipts = await every_receipt(running.address, "counted")
    totals = sorted(sum(one.report_sent) for one in receipts if one.decision is Decision.REPORTED)
    assert len(set(totals)) > 2
    assert totals[0] < 500
    assert mismatches(receipts) == []


async def test_whose_fault_it_is(running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An operator's mistakes and the hub's failures are told apart, with what to do, and without a phone number."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "hub")
    mine = cooling("silent", 1, 777_777)
    said: list[str] = []

    async def refused(kind: type[Exception], sender: OperatorPublisher, one: NumberEvent, match: str) -> None:
        with pytest.raises(kind, match=match) as caught:
            await sender.send(one)
        said.append(str(caught.value))

    outbox = tmp_path / "outbox"
    async with publisher(running.address, "silent", outbox) as sender:
        await refused(OperatorError, sender, mine._replace(operator="calm"), "another operator")
        await refused(OperatorError, sender, mine._replace(clearance_id="x" * 70_000), "more than 65536")
        with pytest.raises(OperatorError, match="no such event"):
            await sender.receipt(mine.event_id, 1)
    await refused(HubError, sender, mine, "stopped")
    with pytest.raises(OperatorError, match=r"outbox .* is of silent"):
        await publisher(running.address, "calm", outbox).start()
    wrong_key = OperatorPublisher("silent", signer("stranger"), running.address, PublisherSettings(outbox))
    async with wrong_key:
        await wrong_key.send(mine)
        with pytest.raises(HubError, match="on the roster"):
            await wrong_key.receipt(mine.event_id, 1)
    async with publisher(running.address, "nobody", tmp_path / "other") as sender:
        with pytest.raises(HubError, match="put this operator on the roster"):
            await sender._until(lambda: False, WAIT_S, "nothing fails")
    assert "777777" not in caplog.text + "".join(said)


async def test_no_broker_at_all(tmp_path: Path) -> None:
    """Without a broker an event waits in the outbox, and after the operator's patience it is told why."""
    nowhere = HubAddress("127.0.0.1:9", HUB_ID)
    async with publisher(nowhere, "calm", tmp_path / "outbox", patience_s=1.0, stop_s=1.0) as sender:
        with pytest.raises(HubError, match="Kafka has failed"):
            await sender.send(cooling("calm", 1))
    async with publisher(nowhere, "calm", tmp_path / "outbox", stop_s=0.1, report_timeout_s=0.1) as sender:
        with pytest.raises(HubError, match="the fate of 1 events is not known"):
            await sender.send_report(20_000)
