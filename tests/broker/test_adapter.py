"""The platforms' adapter on a real broker: what it reads, what it sends, and how it stops and goes on."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import Engine, create_engine, text

from hub.clock import system_clock
from hub.core.model import Acknowledgement, Outcome, Source, Stage
from hub.errors import HubError, PlatformError, StoreUnreadable
from hub.local.kafka import EmbeddedKafka
from hub.sdk import (
    AdapterSettings,
    Deed,
    Done,
    International,
    Listening,
    MemoryStore,
    PlatformAdapter,
    SqlStore,
    SqlTable,
)
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.adapter.wire import connected
from hub.sdk.deeds import RetryPlan
from hub.sdk.fuses import Decision, HeldState
from hub.settings import HubAddress
from hub.wire.contracts import ACKS, MARKER, RELEASES, decode, encode, partition_of
from hub.wire.signing import Signer, read_seal, signature_holds
from tests.clusters import borrowed
from tests.unit.adapter_driver import NOW, NUMBER, OLD, OTHER, Log, openers, said_in

pytestmark = pytest.mark.broker

PARTITIONS = 3
HUB_ID = "hub-of-the-test"
SIGNER = Signer.from_seed("shop-1", bytes(32), HUB_ID)
QUICK = AdapterSettings(linger_ms=20, clock="world", backoff_ms=20)
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with borrowed() as running:
        yield running


class Wires(NamedTuple):
    """The two topics, fresh for one test, and what is put into and taken from them."""

    address: HubAddress
    producer: AIOKafkaProducer

    async def put(self, log: Log) -> dict[int, int]:
        """Send the notices of a log to their places; the ends."""
        ends = dict.fromkeys(range(PARTITIONS), 0)
        for position, notice, *_ in log.notices:
            await self.raw(position.partition, encode(notice))
            ends[position.partition] = position.offset + 1
        return ends

    async def raw(self, partition: int, value: bytes | None) -> None:
        await self.producer.send_and_wait(RELEASES, value, b"key", partition)

    async def acks(self) -> list[Any]:
        """Every record of `acks`."""
        partitions = [TopicPartition(ACKS, one) for one in range(PARTITIONS)]
        found: list[Any] = []
        async with AIOKafkaConsumer(
            bootstrap_servers=self.address.bootstrap_servers, auto_offset_reset="earliest"
        ) as consumer:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while len(found) < sum(ends.values()):
                for batch in (await consumer.getmany(timeout_ms=1_000)).values():
                    found += batch
        return found

    async def acknowledged(self) -> list[Acknowledgement]:
        return [decode(record.value, Acknowledgement) for record in await self.acks()]


@pytest.fixture
async def wires(kafka: EmbeddedKafka) -> AsyncIterator[Wires]:
    address = HubAddress(kafka.bootstrap_servers, HUB_ID, PARTITIONS)
    admin = AIOKafkaAdminClient(bootstrap_servers=address.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(one, PARTITIONS, 1) for one in (RELEASES, ACKS)])
        async with AIOKafkaProducer(bootstrap_servers=address.bootstrap_servers) as producer:
            yield Wires(address, producer)
        await admin.delete_topics([RELEASES, ACKS])
        while {RELEASES, ACKS} & set(await admin.list_topics()):
            await asyncio.sleep(0.02)
    finally:
        await admin.close()


def shop() -> MemoryStore:
    return MemoryStore([("a", NUMBER, OLD), ("b", OTHER, OLD)])


def shop_database(folder: Path) -> Engine:
    """A table of SQLite with one account."""
    engine = create_engine(f"sqlite:///{folder / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (account_id TEXT, number TEXT, bound_at INTEGER)"))
        connection.execute(text("INSERT INTO users VALUES ('a', :number, :at)"), {"number": NUMBER, "at": OLD // 1_000})
    return engine


def adapter(wires: Wires, store: AccountStore, settings: AdapterSettings = QUICK, **hooks: Any) -> PlatformAdapter:
    return PlatformAdapter("shop", store, SIGNER, wires.address, settings, **hooks)


def two_cases() -> Log:
    log = Log()
    log.add(Stage.COOLING)
    log.add(Stage.REASSIGNED, number=OTHER, partition=2, published_at=NOW + 5)
    log.add(Stage.SCHEDULED, 0)
    return log


async def test_a_range_is_answered_in_one_signed_acknowledgement(wires: Wires) -> None:
    """What was consumed is acted on and acknowledged at once, signed, keyed and in its place; in the world's time."""
    log = two_cases()
    ends = await wires.put(log)
    store = shop()
    running = adapter(wires, store)
    await running.run_until(ends)
    (record,) = await wires.acks()
    seal = read_seal(tuple(record.headers))
    assert seal is not None
    assert seal.key_id == "shop-1"
    assert signature_holds(SIGNER.public, seal.signature, HUB_ID, ACKS, record.value)
    assert (record.key, record.partition) == (b"shop", partition_of(b"shop", PARTITIONS))
    ack = decode(record.value, Acknowledgement)
    assert (record.timestamp, ack.sent_at) == (NOW + 5, NOW + 5)
    assert said_in([ack], openers(log)) == {
        Source(0, 0): {Outcome.FROZEN, Outcome.UNBOUND},
        Source(2, 0): {Outcome.UNBOUND},
    }
    digests = [hashlib.sha256(encode(log.notices[place].notice)).digest() for place in (2, 1)]
    assert [one.digest for one in ack.received] == digests
    assert (running.acks, running.counts.notices, running.counts.frozen, running.counts.unbound) == (1, 3, 1, 2)
    assert store.outbox().waiting == {}


async def test_what_a_crash_left_unacknowledged_is_sent_first(wires: Wires) -> None:
    """A process that died between committing and acknowledging acknowledges at its next start, and acts on nothing."""
    log = two_cases()
    ends = await wires.put(log)
    store = shop()
    carry_out(store, log.notices, Rules(always_done))
    again = adapter(wires, store)
    await again.run_until(ends)
    assert (again.acks, again.counts.notices) == (1, 0)
    (ack,) = await wires.acknowledged()
    assert {one.partition: one.through for one in ack.received} == {0: 1, 2: 0}


async def test_batches_end_where_they_are_told_to(wires: Wires) -> None:
    """Nothing at or behind a given end is handled; the next run goes on there."""
    log = two_cases()
    ends = await wires.put(log)
    store = shop()
    await adapter(wires, store).run_until({0: 1})
    assert {one: place.next_offset for one, place in store.progress().places.items()} == {0: 1}
    await adapter(wires, store, AdapterSettings(batch_max=1, clock="world")).run_until(ends)
    through = [{one.partition: one.through for one in ack.received} for ack in await wires.acknowledged()]
    assert through[0] == {0: 0}
    assert sorted(map(str, through[1:])) == [str({0: 1}), str({2: 0})]


async def test_the_fuse_of_one_operator_does_not_end_the_adapter(wires: Wires) -> None:
    """What its fuse does not allow is frozen and acknowledged as that; a person lets it through, and it is done."""
    log = Log()
    log.add(Stage.REASSIGNED)
    log.add(Stage.REASSIGNED, number=OTHER)
    ends = await wires.put(log)
    store = shop()
    await adapter(wires, store, AdapterSettings(fuse_unbinds_per_day=1, clock="world")).run_until(ends)
    assert [ack.received[0].through for ack in await wires.acknowledged()] == [1]
    assert [one.cases for one in store.fuses.sums()] == [1]
    store.fuses.decide(Decision("north", HeldState.RELEASE, "Li", "looked at", NOW))
    one, stop = adapter(wires, store, AdapterSettings(fuse_unbinds_per_day=1)), asyncio.Event()
    running = asyncio.create_task(one.run(stop))
    while store.fuses.sums():
        await asyncio.sleep(0.01)
    stop.set()
    await running
    assert (one.counts.unbound, one.fuses.blown) == (1, {})


async def test_with_a_backlog_nothing_is_done_that_was_withdrawn_by_then(wires: Wires) -> None:
    """An adapter that starts late looks to the end of the log first; in between nobody is frozen."""
    log = Log()
    log.add(Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.WITHDRAWN, 0)
    ends = await wires.put(log)
    store, asked = shop(), list[tuple[Deed, str]]()

    def act(deed: Deed, account_id: str, _: Any) -> Done:
        asked.append((deed, account_id))
        return Done.DONE

    one = adapter(wires, store, AdapterSettings(), act=act)
    await one.run_until(ends)
    assert (one.counts.passed_over, one.counts.frozen, len(asked)) == (1, 1, 1)
    (ack,) = await wires.acknowledged()
    assert [(part.partition, part.through) for part in ack.received] == [(0, 2)]
    assert said_in([ack], openers(log)) == {Source(0, 1): {Outcome.FROZEN}}


async def test_what_is_not_heard_is_not_received(wires: Wires) -> None:
    """Behind a notice that a platform does not hear nothing of that partition is received; the others go on."""
    log = Log()
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.COOLING, published_at=NOW + 2)
    log.add(Stage.SCHEDULED, 0, OTHER)
    log.add(Stage.COOLING, number="+8613712345678", partition=1)
    ends = await wires.put(log)
    store = shop()

    def deaf(notice: Any) -> Listening:
        return Listening.DEAF if notice.published_at >= NOW + 2 else Listening.RECEIVE_ONLY

    await adapter(wires, store, listening=deaf).run_until(ends)
    (ack,) = await wires.acknowledged()
    assert {one.partition: one.through for one in ack.received} == {0: 0, 1: 0}
    assert ack.outcomes == ()


async def test_a_dry_run_tells_and_does_nothing(wires: Wires) -> None:
    """A dry run counts what it would do; the store stays, nothing is acknowledged, the platform is not asked."""
    log = two_cases()
    ends = await wires.put(log)
    store, asked = shop(), list[Deed]()
    dry = adapter(
        wires, store, AdapterSettings(dry_run=True, fuse_unbinds_per_day=0), act=lambda *one: asked.append(one)
    )
    await dry.run_until(ends)
    assert (dry.counts.frozen, dry.counts.unbound, dry.acks, asked) == (1, 2, 0, [])
    assert await wires.acks() == []
    assert store.progress().places == {}
    account = store.get("a")
    assert account is not None
    assert account.number == NUMBER


async def test_an_adapter_follows_until_it_is_stopped(wires: Wires, kafka: EmbeddedKafka) -> None:
    """A running adapter acknowledges what is published later, also after the broker was away, and stops when told."""
    log, stop = two_cases(), asyncio.Event()
    running = adapter(wires, shop(), AdapterSettings(linger_ms=20))
    task = asyncio.create_task(running.run(stop))
    try:
        log.notices, later = log.notices[:1], log.notices[1:]
        await wires.put(log)
        await _until(lambda: running.acks == 1, task)
        await asyncio.to_thread(kafka.stop)
        await asyncio.to_thread(kafka.start)
        log.notices = later
        await wires.put(log)
        await _until(lambda: running.counts.notices == 3 and running.acks >= 2, task)
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_S)
    assert all(ack.sent_at > NOW for ack in await wires.acknowledged())


async def _until(holds: Any, task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            if task.done():
                await task
            await asyncio.sleep(0.02)


async def test_the_login_check_trusts_an_adapter_that_hears_everything(wires: Wires) -> None:
    """With nothing left to hear the adapter says so, also in silence; deaf to a partition it never does."""
    log, store, stop = two_cases(), shop(), asyncio.Event()
    quick = AdapterSettings(linger_ms=20, heartbeat_s=0.01)
    started = system_clock()
    running = adapter(wires, store, quick)
    task = asyncio.create_task(running.run(stop))
    try:
        await _until(lambda: store.evidence().caught_up_at is not None, task)
        first = store.evidence()
        assert set(first.since) == set(range(PARTITIONS))
        assert min(first.since.values()) >= started
        await wires.put(log)
        await _until(lambda: running.counts.notices == 3, task)
        heard = store.evidence().caught_up_at or 0
        await _until(lambda: (store.evidence().caught_up_at or 0) > heard, task)
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_S)
    deaf = shop()
    listening = {True: Listening.DEAF, False: Listening.ACT}
    running = adapter(wires, deaf, quick, listening=lambda one: listening[one.subject.value == OTHER])
    await running.run_until({0: 2, 1: 0, 2: 1})
    assert running.counts.notices == 2
    early = shop()
    await adapter(wires, early, quick).run_until({0: 1, 1: 0, 2: 1})
    assert (deaf.evidence().caught_up_at, early.evidence().caught_up_at) == (None, None)


async def test_an_sql_store_is_used_from_the_adapters_own_thread(wires: Wires, tmp_path: Path) -> None:
    """A table of SQLite is frozen and unbound in while the broker is read."""
    engine = shop_database(tmp_path)
    store = SqlStore(engine, SqlTable("users", International()))
    ends = await wires.put(two_cases())
    await adapter(wires, store).run_until(ends)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT number FROM users")).all() == [(None,)]
    assert store.outbox().waiting == {}


async def test_a_store_that_goes_back_meanwhile_ends_the_adapter(wires: Wires, tmp_path: Path) -> None:
    """As a replica that was behind takes over: started anew, it handles what was lost, and skips nothing."""
    engine = shop_database(tmp_path)
    store, log = SqlStore(engine, SqlTable("users", International())), two_cases()
    replica = sqlite3.connect(":memory:", check_same_thread=False)
    with sqlite3.connect(tmp_path / "shop.db") as primary:
        primary.backup(replica)
    running = adapter(wires, store)
    following = asyncio.create_task(running.run(asyncio.Event()))
    await wires.put(log)
    async with asyncio.timeout(DEADLINE_S):
        while running.acks == 0 or running.counts.notices < len(log.notices):
            await asyncio.sleep(0.02)
    with sqlite3.connect(tmp_path / "shop.db") as primary:
        replica.backup(primary)
    log.add(Stage.RELEASED, 0)
    await wires.raw(0, encode(log.notices[-1].notice))
    with pytest.raises(PlatformError, match="gone back: releases 0-1 was committed, and now ends at 0"):
        await asyncio.wait_for(following, DEADLINE_S)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT number FROM users")).all() == [(NUMBER,)]
    again = adapter(wires, store)
    await again.run_until({0: 3, 2: 1})
    assert again.counts.notices == len(log.notices)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT number FROM users")).all() == [(None,)]


async def test_reading_again_tells_what_is_gone(wires: Wires) -> None:
    """Beyond what the log holds a record is gone for good; one that is there comes; the rest may come another time."""
    await wires.put(two_cases())
    async with connected(wires.address, "shop", QUICK) as wire:
        found = await wire.reread([Source(0, 1), Source(0, 1_000), Source(2, 0)])
    assert [(one.partition, one.offset) for one in found.records] == [(0, 1), (2, 0)]
    assert found.gone == {Source(0, 1_000)}


async def test_what_is_no_message_of_the_hub_is_passed_over(wires: Wires, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes that are none of the hub's messages stop no adapter, and are logged without their content."""
    log = Log()
    await wires.raw(0, b"junk " + NUMBER.encode())
    await wires.raw(0, None)
    log.add(Stage.COOLING, offset=2)
    ends = await wires.put(log)
    caplog.set_level(logging.DEBUG, "hub")
    running = adapter(wires, shop())
    await running.run_until(ends)
    assert running.counts.frozen == 1
    assert "passed over" in caplog.text
    assert NUMBER[1:] not in caplog.text


async def test_a_notice_of_a_later_version_stops_the_adapter(wires: Wires) -> None:
    """A notice this version cannot read is not answered with NOT_BOUND by running over it."""
    await wires.raw(0, MARKER + bytes(40))
    store = shop()
    with pytest.raises(PlatformError, match="0-0 cannot be read"):
        await adapter(wires, store).run_until({0: 1})
    assert store.progress().places == {}


async def test_positions_that_are_not_in_the_log_stop_the_adapter(wires: Wires) -> None:
    """A store that has heard more than there is belongs to another log."""
    log, store = Log(), shop()
    log.add(Stage.COOLING, offset=7)
    carry_out(store, log.notices, Rules(always_done))
    store.acknowledged(store.outbox())
    with pytest.raises(PlatformError, match="not in this log"):
        await adapter(wires, store).run_until({0: 20})


async def test_a_wrong_number_of_partitions_stops_the_adapter(wires: Wires) -> None:
    """Releases in partitions the adapter does not read would never be answered: it does not start."""
    wrong = Wires(HubAddress(wires.address.bootstrap_servers, HUB_ID, 12), wires.producer)
    with pytest.raises(PlatformError, match="3 partitions, not 12"):
        await adapter(wrong, shop()).run(asyncio.Event())


async def test_an_unreadable_store_is_refused_before_anything_is_read() -> None:
    """With more unreadable numbers than allowed not one notice is answered; no number is in the error."""
    store = MemoryStore([("a", "13800138000", OLD), ("b", NUMBER, OLD)])
    nowhere = HubAddress("127.0.0.1:1", HUB_ID, PARTITIONS)
    with pytest.raises(StoreUnreadable, match="1 of 2") as refused:
        await PlatformAdapter("shop", store, SIGNER, nowhere).run(asyncio.Event())
    assert "13800138000" not in str(refused.value)


async def test_a_broker_that_never_answers_is_given_up() -> None:
    """Where no broker is, the adapter tries a bounded number of times and then says whose part it is."""
    nowhere = HubAddress("127.0.0.1:1", HUB_ID, PARTITIONS)
    with pytest.raises(HubError, match="KafkaConnectionError"):
        await PlatformAdapter("shop", shop(), SIGNER, nowhere, replace(QUICK, retries_max=2, backoff_ms=1)).run(
            asyncio.Event()
        )


async def test_ends_that_the_log_never_reaches_are_given_up(wires: Wires) -> None:
    """An adapter that is to come to an end does not wait for ever for what no broker brings; what came is done."""
    log = two_cases()
    ends = await wires.put(log)
    store, settings = shop(), replace(QUICK, silence_s_max=0.5)
    with pytest.raises(HubError, match="bring nothing more"):
        await adapter(wires, store, settings).run_until({one: end + 1 for one, end in ends.items()})
    assert store.outbox().waiting == {}
    assert len(await wires.acknowledged()) == 1


async def test_what_failed_is_read_again_and_tried_again_by_the_clock(wires: Wires) -> None:
    """An account that failed is tried again while the log stands still, and its new answer is acknowledged."""
    log, stop, asked = two_cases(), asyncio.Event(), list[Deed]()
    log.notices = log.notices[:1]
    await wires.put(log)

    def act(deed: Deed, account_id: str, notice: Any) -> Done:  # noqa: ARG001 - an `Act`
        asked.append(deed)
        return Done.FAILED if len(asked) < 3 else Done.DONE

    settings = AdapterSettings(linger_ms=20, retries=RetryPlan(first_ms=30), retry_poll_ms=10)
    running = adapter(wires, shop(), settings, act=act)
    task = asyncio.create_task(running.run(stop))
    try:
        await _until(lambda: running.counts.frozen == 1 and running.acks == 2, task)
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_S)
    assert (asked, running.counts.failed, running.counts.frozen) == ([Deed.FREEZE] * 3, 2, 1)
    said = said_in(await wires.acknowledged(), openers(log))
    assert said == {Source(0, 0): {Outcome.FAILED, Outcome.FROZEN}}
