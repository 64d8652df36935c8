"""Sending through a Kafka that loses answers, messages and connections: nothing is lost, disordered or miscounted."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.model import Decision, Receipt, Source
from hub.errors import HubError
from hub.sdk.operators.outbox import Outbox
from hub.sdk.operators.sending import NO_ENTRY, PublisherSettings, Retries, Sender
from hub.wire.signing import Signer

PARTITIONS = 2
HEADERS = Signer.from_seed("lake-1", bytes(32), "test-hub").headers("events", b"value")
IN_MEMORY = Path(":memory:")
QUICK = PublisherSettings(IN_MEMORY, chunk_max=4, backoff_s=0.0, patience_s=5.0)

OK, LOST, UNHEARD, PLACELESS, REFUSING, DOWN = "ok", "lost", "unheard", "placeless", "refusing", "down"
"""What becomes of a sending: acknowledged; error, not there; error, there; there, but where; not taken; no broker."""


class Placed(NamedTuple):
    """What aiokafka says of a message."""

    offset: int


class SimulatedKafka:
    """Partitions as lists, and a script of what becomes of each sending; after its end all goes well."""

    def __init__(self, script: Sequence[str] = ()) -> None:
        self.logs: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self._script: Iterator[str] = iter(script)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        if next(self._script, OK) == DOWN:
            raise KafkaConnectionError("no broker")
        yield self

    async def send(self, topic: str, *, value: bytes, partition: int, **_: Any) -> asyncio.Future[Any]:
        assert topic == "events"
        fate = next(self._script, OK)
        if fate == REFUSING:
            raise KafkaError("buffer full")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if fate in (OK, UNHEARD, PLACELESS):
            self.logs[partition].append(value)
        if fate in (LOST, UNHEARD, DOWN):
            answer.set_exception(KafkaError("no leader"))
        else:
            answer.set_result(Placed(-1 if fate == PLACELESS else len(self.logs[partition]) - 1))
        return answer


class Receipts:
    """The hub's receipts, partition by partition in order, as far as it has got."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka
        self._given = [0] * PARTITIONS

    def give(self, outbox: Outbox, partition: int, count: int) -> None:
        log, first = self._kafka.logs[partition], self._given[partition]
        self._given[partition] = min(len(log), first + count)
        outbox.record(
            [
                Receipt(Source(partition, place), log[place][:16], Decision.ACCEPTED, None, None, (), 0)
                for place in range(first, self._given[partition])
            ],
            next_receipt=0,
        )


def _check_count(outbox: Outbox, kafka: SimulatedKafka) -> None:
    """The invariant a report rests on."""
    if outbox.open_fates() == 0:
        assert outbox.totals() == tuple(map(len, kafka.logs))


async def _live(kafka: SimulatedKafka, outbox: Outbox, values: Sequence[int], turns: int, receipts: Receipts) -> None:
    """One life of a sender: store some messages, work for some turns of the loop, and die."""

    def notify() -> None:
        _check_count(outbox, kafka)

    sender = Sender(kafka.connect, outbox, QUICK, notify)
    working = asyncio.create_task(sender.run())
    await asyncio.sleep(0)
    for nth in values:
        sender.enqueue(outbox.put(nth.to_bytes(16), nth % PARTITIONS, b"", nth.to_bytes(16), HEADERS, None))
        await asyncio.sleep(0)
    for turn in range(turns):
        await asyncio.sleep(0)
        receipts.give(outbox, turn % PARTITIONS, 1)
        _check_count(outbox, kafka)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


def _last_copies(log: Sequence[bytes]) -> list[bytes]:
    return sorted(set(log), key=lambda value: len(log) - log[::-1].index(value))


FATES = st.sampled_from([OK, OK, OK, LOST, UNHEARD, PLACELESS, REFUSING, DOWN])


@pytest.mark.long
@given(
    script=st.lists(FATES, max_size=40),
    lives=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 20)), min_size=1, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_whatever_kafka_does(script: list[str], lives: list[tuple[int, int]]) -> None:
    """Through any failures and restarts everything arrives, the last copies in order, and a report never miscounts."""

    async def run(folder: Path) -> None:
        kafka = SimulatedKafka(script)
        receipts = Receipts(kafka)
        stored = 0
        for count, turns in [*lives, (0, 300)]:
            outbox = Outbox(folder / "outbox", "lake", "test-hub", PARTITIONS, places_kept=1000)
            await _live(kafka, outbox, range(stored, stored + count), turns, receipts)
            stored += count
            if turns == 300:
                for partition in range(PARTITIONS):
                    receipts.give(outbox, partition, 10_000)
                assert outbox.waiting() == 0
                assert outbox.open_fates() == 0
                _check_count(outbox, kafka)
            outbox.close()
        for partition, log in enumerate(kafka.logs):
            assert _last_copies(log) == [nth.to_bytes(16) for nth in range(stored) if nth % PARTITIONS == partition]

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_a_report_is_sent_again_as_it_is() -> None:
    """A report whose fate is open is sent again, after what was stored before it, and counts nowhere as an event."""
    kafka = SimulatedKafka([OK, UNHEARD, UNHEARD])
    outbox = Outbox(IN_MEMORY, "lake", "test-hub", PARTITIONS, places_kept=10)
    sender = Sender(kafka.connect, outbox, QUICK, lambda: None)
    working = asyncio.create_task(sender.run())
    await asyncio.sleep(0)
    entry = outbox.put(bytes(16), 0, b"", b"event", HEADERS, None)
    placed = [sender.enqueue(entry), sender.enqueue(entry._replace(entry=NO_ENTRY, value=b"report"))]
    assert await asyncio.gather(*placed) == [2, 3]
    assert kafka.logs[0] == [b"event", b"report", b"event", b"report"]
    assert outbox.totals() == (1, 0)
    working.cancel()


async def test_what_time_does_not_mend() -> None:
    """A refusal of rights stops the sender at once; everyone who waits is told, and the message stays stored."""

    class Forbidden(SimulatedKafka):
        async def send(self, topic: str, **_: Any) -> asyncio.Future[Any]:
            raise TopicAuthorizationFailedError(topic)

    outbox = Outbox(IN_MEMORY, "lake", "test-hub", PARTITIONS, places_kept=10)
    sender = Sender(Forbidden().connect, outbox, QUICK, lambda: None)
    placed = sender.enqueue(outbox.put(bytes(16), 0, b"", b"event", HEADERS, None))
    with pytest.raises(HubError, match="TopicAuthorizationFailedError") as caught:
        await sender.run()
    sender.fail(caught.value)
    with pytest.raises(HubError, match="Kafka refuses"):
        await placed
    assert len(outbox.unsent()) == 1


def test_pauses_double_and_end() -> None:
    """Pauses double up to the longest, begin anew after a success, and end with the operator's patience."""
    retries = Retries(PublisherSettings(IN_MEMORY, backoff_s=1.0, backoff_max_s=3.0, patience_s=10.0))
    down = KafkaError("down")
    assert [retries.pause_s(down, now_s) for now_s in (100.0, 101.0, 110.0)] == [1.0, 2.0, 3.0]
    with pytest.raises(HubError, match="Kafka has failed for 10 s"):
        retries.pause_s(down, 110.1)
    retries.succeeded()
    assert retries.pause_s(down, 500.0) == 1.0
