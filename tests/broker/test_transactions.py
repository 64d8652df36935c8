"""Transactions of others on a real hub: a message counts as it lies in the log, and no marker keeps anybody waiting.

Each of the four topics that others write to gets a message in a transaction that is committed, aborted or left open.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from hub.core.model import (
    AcceptedAnswer,
    Acknowledgement,
    Decision,
    EventType,
    Outcome,
    ReportAnswer,
    Source,
)
from hub.recount import recount
from hub.wire import contracts
from hub.wire.contracts import encode
from tests.broker.archiving import archiving
from tests.broker.asking import Asking, asking, recounted
from tests.broker.scene import Message, Scene, event, mobile_numbers, now_ms
from tests.broker.test_reports import inbox, report, report_receipts, tell

pytestmark = pytest.mark.broker

OPEN_MS = 600_000
"""An open transaction outlives its test; the broker would abort it after this time."""


class Ending(StrEnum):
    """What becomes of a transaction."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    OPEN = "open"


ENDINGS = pytest.mark.parametrize("ending", Ending)


@contextmanager
def transacted(scene: Scene, message: Message, ending: Ending) -> Iterator[None]:
    """One message in a transaction of its own, ended so. One that is left open is aborted after the block."""
    options = {"transactional_id": str(uuid.uuid4()), "transaction_timeout_ms": OPEN_MS}

    async def write() -> AIOKafkaProducer:
        producer = AIOKafkaProducer(bootstrap_servers=scene.hub.address.bootstrap_servers, **options)
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait(
            message.topic,
            message.value,
            key=message.key,
            partition=message.partition,
            headers=list(message.headers),
        )
        if ending is Ending.COMMITTED:
            await producer.commit_transaction()
        elif ending is Ending.ABORTED:
            await producer.abort_transaction()
        return producer

    async def end(producer: AIOKafkaProducer) -> None:
        if ending is Ending.OPEN:
            await producer.abort_transaction()
        await producer.stop()

    with asyncio.Runner() as runner:
        producer = runner.run(write())
        try:
            yield
        finally:
            runner.run(end(producer))


@pytest.fixture(scope="module")
def hub(scene: Scene) -> Scene:
    """`drive` is connected."""
    scene.put_platforms(scene.platform("drive"))
    return scene


@pytest.fixture(scope="module")
def answering(hub: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with asking(hub, tmp_path_factory.mktemp("web")) as one:
        yield one


def fresh_numbers(count: int, topic: str, ending: Ending) -> list[str]:
    """Numbers that no other test has."""
    topics = [contracts.EVENTS, contracts.ACKS, contracts.REPORTS, contracts.ANSWERS]
    return mobile_numbers(count, f"+86135{topics.index(topic)}{list(Ending).index(ending)}")


def check_nobody_waits(hub: Scene, answering: Asking, *numbers: str) -> None:
    """Workers, clearance and recount are at the ends of the logs, and agree."""
    hub.settle(contracts.EVENTS, contracts.ACKS, contracts.REPORTS, contracts.ANSWERS)
    found = recounted(hub, answering.ask(numbers))
    assert (found.claimed, found.differences) == (True, [])
    assert set(answering.do(answering.answerer.pairs.behind()).values()) == {0}
    hub.final_coverage(["drive"])
    assert asyncio.run(recount(hub.hub.address.bootstrap_servers)) == []


@ENDINGS
def test_an_event_counts_whatever_became_of_its_transaction(hub: Scene, answering: Asking, ending: Ending) -> None:
    """An event that lies in `events` opens its case and has its receipt."""
    (number,) = fresh_numbers(1, contracts.EVENTS, ending)
    opener = event(number, EventType.COOLING)
    with transacted(hub, hub.event_message(opener), ending):
        check_nobody_waits(hub, answering, number)
        decisions = [one.decision for one in hub.receipts("north") if one.event_id == opener.event_id]
        assert decisions == [Decision.ACCEPTED]


@ENDINGS
def test_an_acknowledgement_counts_whatever_became_of_its_transaction(
    hub: Scene, answering: Asking, ending: Ending
) -> None:
    """An acknowledgement that lies in `acks` closes its gap, for the worker and for clearance."""
    (number,) = fresh_numbers(1, contracts.ACKS, ending)
    case = hub.open_cases([number])[number]
    before = hub.final_coverage(["drive"])["drive"].resolved
    with transacted(hub, hub.ack_message(unbound(hub, case)), ending):
        check_nobody_waits(hub, answering, number)
        assert hub.final_coverage(["drive"])["drive"].resolved == before + 1
        assert answering.look(lambda one: [pair.shown for pair in one.pairs.pairs(case)]) == [Outcome.UNBOUND]


def unbound(hub: Scene, case: Source) -> Acknowledgement:
    return hub.ack("drive", case.partition, case.offset, {Outcome.UNBOUND: [case.offset]})


@ENDINGS
def test_a_report_counts_whatever_became_of_its_transaction(hub: Scene, answering: Asking, ending: Ending) -> None:
    """A report that lies in `reports` has its receipt."""
    (number,) = fresh_numbers(1, contracts.REPORTS, ending)
    hub.open_cases([number])
    told = report(number)
    value = encode(told)
    headers = hub.signer("north-1").headers(contracts.REPORTS, value)
    with transacted(hub, Message(contracts.REPORTS, hub.home(number), number.encode(), value, headers), ending):
        check_nobody_waits(hub, answering, number)
        assert [one.decision for one in report_receipts(hub, told.report_id)] == [Decision.ACCEPTED]


@ENDINGS
def test_an_answer_counts_whatever_became_of_its_transaction(hub: Scene, answering: Asking, ending: Ending) -> None:
    """An answer that lies in `answers` answers its report."""
    (number,) = fresh_numbers(1, contracts.ANSWERS, ending)
    hub.open_cases([number])
    told = report(number)
    assert tell(hub, told).decision is Decision.ACCEPTED
    value = encode(ReportAnswer(told.report_id, "drive", Outcome.NOT_BOUND, now_ms()))
    headers = hub.signer("drive-1").headers(contracts.ANSWERS, value)
    with transacted(hub, Message(contracts.ANSWERS, hub.home("drive"), b"drive", value, headers), ending):
        check_nobody_waits(hub, answering, number)
        accepted = [one.report_id for one in inbox(hub, "drive") if isinstance(one, AcceptedAnswer)]
        assert told.report_id in accepted


def test_the_archive_keeps_all_of_it_and_is_at_the_ends(hub: Scene, tmp_path: Path) -> None:
    """Markers count as kept; what was aborted and what hangs is in the archive like everything else."""
    numbers = mobile_numbers(3, "+861359")
    openers = [event(one, EventType.COOLING) for one in numbers]
    with archiving(hub) as archive:
        for opener, ending in zip(openers, Ending, strict=True):
            with transacted(hub, hub.event_message(opener), ending):
                hub.settle(contracts.EVENTS)
                archive.caught_up()
        archive.caught_up()
        assert archive.differences(tmp_path) == []
        history = archive.history()
        assert [len(history.cases_of_number(one)) for one in numbers] == [1, 1, 1]
        history.close()
