"""The scene of the broker tests: a real hub in real processes, the people around it, and ways to look at it.

Everything here is synchronous and speaks to Kafka through librdkafka: quick enough to outrun the hub, and another
client than the hub's own. Nothing waits for a time to pass; it waits for a condition, with a deadline.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from hub.core.model import (
    DAY_MS,
    Acknowledgement,
    Coverage,
    EventType,
    HubLog,
    Key,
    Names,
    NumberEvent,
    Operator,
    Outcome,
    OutcomeSet,
    Platform,
    PlatformState,
    PortedNotice,
    Receipt,
    ReceivedThrough,
    Record,
    Rejected,
    ReleaseNotice,
    ReportReceipt,
    Source,
)
from hub.kafka.clients import GROUP
from hub.local.up import LocalHub
from hub.staff.registrar import registrar
from hub.wire import contracts
from hub.wire.contracts import decode, encode, partition_of, receipts_topic
from hub.wire.signing import Headers, Signer
from tests.clusters import borrowed
from tests.segments import split_positions

POLL_S = 0.02
DEADLINE_S = 60.0
CALL_S = 20.0
READ_S = 0.2
FETCH_MESSAGES = 5_000
CHOOSING = {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
NUMBER_CHARS = len("+8613500000000")
NO_DIGEST = bytes(32)
"""The digest of no notice."""


class Message(NamedTuple):
    """One message for the hub, ready to be sent."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def say(line: str) -> None:
    """Show a figure of a long run (`pytest -s`)."""
    sys.stdout.write(f"\n{line}\n")


def now_ms() -> int:
    """The time, as the broker stamps it."""
    return int(time.time() * 1000)


def wait_until(
    what: str, condition: Callable[[], object], deadline_s: float = DEADLINE_S, poll_s: float = POLL_S
) -> None:
    """Wait for a condition, looked at every `poll_s`.

    Raises:
        AssertionError: it does not hold in time.
    """
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(poll_s)


def event(number: str, kind: EventType, operator: str = "north", **fields: Any) -> NumberEvent:
    """An event that the rules accept, other things being in order."""
    at = fields.pop("occurred_at", now_ms())
    if kind is EventType.COOLING:
        fields = {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS, **fields}
    event_id = fields.pop("event_id", None) or uuid.uuid4().bytes
    return NumberEvent(event_id, operator, number, kind, at, **fields)


def patiently(ask: Callable[[], Any]) -> Any:
    """What the group's coordinator answers; a broker that is still choosing one is asked again."""
    deadline = time.monotonic() + CALL_S
    while True:
        try:
            return ask()
        except KafkaException as wrong:
            if wrong.args[0].code() not in CHOOSING or time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


class Follow:
    """A reader of topics from their start that keeps what it read."""

    def __init__(self, servers: str, topics: Sequence[str]) -> None:
        self.records: list[Record] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "log_level": 0,
                "group.id": "a-test",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "isolation.level": "read_uncommitted",  # as the hub reads
            }
        )
        self._places: dict[tuple[str, int], int] = {}
        known = self._consumer.list_topics(timeout=CALL_S).topics
        for topic in topics:
            self._places |= dict.fromkeys(((topic, partition) for partition in known[topic].partitions), 0)
        self._consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in self._places])

    def ends(self) -> dict[tuple[str, int], int]:
        """Where the topics end now."""
        return {
            place: self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=CALL_S)[1]
            for place in self._places
        }

    def more(self, timeout_s: float = READ_S) -> list[Record]:
        """What came since the last call, if anything does in time."""
        found = [to_record(one) for one in self._consumer.consume(FETCH_MESSAGES, timeout_s)]
        self.records += found
        self._places |= {(one.topic, one.partition): one.offset + 1 for one in found}
        return found

    def to_end(self) -> list[Record]:
        """Everything that the topics hold now."""
        ends = self.ends()
        wait_until(
            f"the ends {ends} are read",
            lambda: self.more() is not None and all(self._places[one] >= end for one, end in ends.items()),
        )
        return self.records

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def to_record(message: Any) -> Record:
    """A message of librdkafka as a value."""
    assert message.error() is None, message.error()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


def _reach(places: list[int], ends: list[int]) -> bool:
    """Whether places are at some ends, or beyond: a transaction's marker may come after the ends were asked for."""
    return len(places) == len(ends) and all(place >= end for place, end in zip(places, ends, strict=True))


class Scene:
    """A hub that runs, its roster, its senders' keys, and looks at its topics."""

    def __init__(self, hub: LocalHub, hub_log: HubLog) -> None:
        self.hub = hub
        self.hub_log = hub_log
        self.operators: dict[str, Operator] = {}
        self.platforms: dict[str, Platform] = {}
        servers = {"bootstrap.servers": hub.address.bootstrap_servers, "log_level": 0}
        self._producer = Producer({**servers, "acks": "all", "linger.ms": 2, "message.max.bytes": 2**21})
        self._admin = AdminClient(servers)
        # Without this, librdkafka says that a log ends where the first open transaction begins.
        plainly = {"isolation.level": "read_uncommitted"}
        self._group = Consumer({**servers, **plainly, "group.id": GROUP, "enable.auto.commit": False})
        self._failed: list[Any] = []
        self._digests: dict[Source, bytes] = {}
        self._digests_of: Follow | None = None
        self._looking = threading.Lock()

    # The roster

    def signer(self, key_id: str, hub_id: str | None = None) -> Signer:
        """The signer of a key id; the same one every time."""
        seed = hashlib.sha256(key_id.encode()).digest()
        return Signer.from_seed(key_id, seed, self.hub.address.hub_id if hub_id is None else hub_id)

    def key(self, key_id: str, **times: int) -> Key:
        """The roster's side of a signer."""
        return Key(key_id, self.signer(key_id).public, **{"valid_from": 0, **times})

    def put_operator(self, operator_id: str, *ranges: str, keys: Iterable[Key] | None = None) -> Operator:
        """Put an operator on the roster; without keys named, with `<id>-1`."""
        held = tuple(keys) if keys is not None else (self.key(f"{operator_id}-1"),)
        operator = Operator(operator_id, Names(operator_id, operator_id), ranges, since=now_ms(), keys=held)
        self.operators[operator_id] = operator
        asyncio.run(self._put_on_roster([operator], []))
        return operator

    def put_platforms(self, *platforms: Platform) -> None:
        """Put platforms on the roster."""
        self.platforms |= {one.id: one for one in platforms}
        asyncio.run(self._put_on_roster([], platforms))

    def platform(self, platform_id: str, **fields: Any) -> Platform:
        """A connected platform with the key `<id>-1`."""
        given = {"state": PlatformState.CONNECTED, "keys": (self.key(f"{platform_id}-1"),), "tier": 1, **fields}
        return Platform(platform_id, Names(platform_id, platform_id), "payment", **given)

    async def _put_on_roster(self, operators: Iterable[Operator], platforms: Iterable[Platform]) -> None:
        async with registrar(self.hub.address) as made:
            await made.put_operators(operators)
            await made.put_platforms(platforms)

    # Sending

    def home(self, key: str) -> int:
        """The partition of a key."""
        return partition_of(key.encode(), self.hub_log.partitions)

    def event_message(self, content: NumberEvent, signer: Signer | None = None) -> Message:
        """An event, signed by its operator's first key unless another is given."""
        value = encode(content)
        headers = (signer or self.signer(f"{content.operator}-1")).headers(contracts.EVENTS, value)
        return Message(contracts.EVENTS, self.home(content.number), content.number.encode(), value, headers)

    def ack(
        self, platform: str, partition: int, through: int, said: Mapping[Outcome, Iterable[int]] | None = None
    ) -> Acknowledgement:
        """An acknowledgement of one partition."""
        outcomes = tuple(
            OutcomeSet(outcome, partition, tuple(split_positions(offsets))) for outcome, offsets in (said or {}).items()
        )
        received = (ReceivedThrough(partition, through, self.digest(partition, through)),)
        return Acknowledgement(platform, self.hub_log.log_id, now_ms(), received, outcomes)

    def digest(self, partition: int, through: int) -> bytes:
        """The SHA-256 of the notice at a position of `releases`; `NO_DIGEST` if nothing lies there now."""
        where = Source(partition, through)
        with self._looking:  # feeders make acknowledgements in threads of their own
            if where not in self._digests:
                if self._digests_of is None:
                    self._digests_of = self.follow(contracts.RELEASES)
                for one in self._digests_of.to_end():
                    self._digests[Source(one.partition, one.offset)] = hashlib.sha256(one.value or b"").digest()
                self._digests_of.records.clear()
            return self._digests.get(where, NO_DIGEST)

    def ack_message(self, ack: Acknowledgement, signer: Signer | None = None) -> Message:
        """An acknowledgement, signed by its platform's first key unless another is given."""
        return self.sealed_ack(ack.platform, encode(ack), signer)

    def sealed_ack(self, platform: str, value: bytes, signer: Signer | None = None) -> Message:
        """Any bytes as a platform's message, signed."""
        headers = (signer or self.signer(f"{platform}-1")).headers(contracts.ACKS, value)
        return Message(contracts.ACKS, self.home(platform), platform.encode(), value, headers)

    def send(self, messages: Iterable[Message]) -> None:
        """Queue messages; `flush` makes sure of them."""
        for one in messages:
            while True:
                try:
                    self._producer.produce(
                        one.topic,
                        value=one.value,
                        key=one.key,
                        partition=one.partition,
                        headers=list(one.headers),
                        on_delivery=self._delivered,
                    )
                    break
                except BufferError:
                    self._producer.poll(POLL_S)
            self._producer.poll(0)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(error)

    def flush(self) -> None:
        """Wait until everything that was sent lies in the logs."""
        assert self._producer.flush(DEADLINE_S) == 0, "the broker does not take what is sent"
        assert not self._failed, self._failed

    # Looking

    def follow(self, *topics: str) -> Follow:
        """Read topics from their start, and go on."""
        return Follow(self.hub.address.bootstrap_servers, topics)

    def read(self, topic: str) -> list[Record]:
        """Everything a topic holds now."""
        reader = self.follow(topic)
        try:
            return reader.to_end()
        finally:
            reader.close()

    def _places(self, topic: str) -> list[Any]:
        return [TopicPartition(topic, one) for one in range(self.hub_log.partitions)]

    def ends(self, topic: str) -> list[int]:
        """Where each partition ends now."""
        return [self._group.get_watermark_offsets(tp, timeout=CALL_S)[1] for tp in self._places(topic)]

    def committed(self, topic: str) -> list[int]:
        """The hub's committed offsets."""
        answer = patiently(lambda: self._group.committed(self._places(topic), timeout=CALL_S))
        return [max(0, one.offset) for one in answer]

    def settle(self, *topics: str) -> None:
        """Wait until the hub has committed everything that these topics hold now.

        Raises:
            AssertionError: the hub commits nothing for a while.
        """
        for topic in topics:
            ends, seen = self.ends(topic), list[int]()
            while not _reach(seen, ends):
                seen = self.committed(topic)
                if not _reach(seen, ends):
                    self._wait_for_a_commit(topic, seen, ends)

    def _wait_for_a_commit(self, topic: str, seen: list[int], ends: list[int]) -> None:
        try:
            wait_until(f"{topic} is committed beyond {seen}, to {ends}", lambda: self.committed(topic) != seen)
        except AssertionError as stalled:
            last = "\n".join(worker.last_words() for worker in self.hub.workers)
            raise AssertionError(f"{stalled}; the workers said:\n{last}") from None

    def members(self) -> int:
        """How many workers the group has, if it is stable; 0 while it rebalances."""
        described = patiently(lambda: self._admin.describe_consumer_groups([GROUP])[GROUP].result(CALL_S))
        return len(described.members) if described.state.name == "STABLE" else 0

    def rejected(self) -> dict[tuple[str, Source], Rejected]:
        """Refused messages by topic and source. The same source twice says the same twice."""
        found: dict[tuple[str, Source], Rejected] = {}
        for record in self.read(contracts.REJECTED):
            one = decode(record.value, Rejected)
            where = (one.topic, Source(one.partition, one.offset))
            assert found.setdefault(where, one) == one, f"{where} was refused in two ways"
        return found

    def receipts(self, operator: str) -> list[Receipt]:
        """An operator's receipts of events, in order."""
        records = self.read(receipts_topic(operator))
        values = [decode(record.value, Receipt, ReportReceipt, PortedNotice) for record in records]
        return [one for one in values if isinstance(one, Receipt)]

    def notices(self) -> list[tuple[Source, ReleaseNotice]]:
        """What lies in `releases`, and where."""
        return [
            (Source(record.partition, record.offset), decode(record.value, ReleaseNotice))
            for record in self.read(contracts.RELEASES)
        ]

    def open_cases(self, numbers: Sequence[str], operator: str = "north") -> dict[str, Source]:
        """Send a COOLING for each number; the positions of their cases once the hub has decided."""
        self.send(self.event_message(event(number, EventType.COOLING, operator)) for number in numbers)
        self.flush()
        self.settle(contracts.EVENTS)
        wanted = set(numbers)
        found = {
            notice.subject.value: where
            for where, notice in self.notices()
            if notice.subject.value in wanted and notice.opened_at is None
        }
        assert set(found) == wanted
        return found

    def final_coverage(self, platforms: Iterable[str], deadline_s: float = DEADLINE_S) -> dict[str, Coverage]:
        """The coverage of platforms as of where the logs it depends on end now, or later."""
        wanted = set(platforms)
        acks, releases = self.ends(contracts.ACKS), tuple(self.ends(contracts.RELEASES))
        reader, newest = self.follow(contracts.COVERAGE), dict[str, Coverage]()

        def complete() -> bool:
            for record in reader.more():
                one = decode(record.value, Coverage)
                newest[one.platform] = one
            return wanted <= {
                one.platform
                for one in newest.values()
                if one.as_of.acks >= acks[one.as_of.acks_partition]
                # A platform that still speaks moves the ends on while we look.
                and all(place >= end for place, end in zip(one.as_of.releases, releases, strict=True))
            }

        try:
            wait_until("coverage as of the ends of the logs", complete, deadline_s)
        finally:
            reader.close()
        return {platform: newest[platform] for platform in wanted}

    def restarts(self) -> list[int]:
        """How often each worker was started again."""
        return [worker.restarts for worker in self.hub.workers]

    def await_ready(self) -> None:
        """Wait until every worker of the hub has served."""
        asyncio.run(self.hub.ready())

    def close(self) -> None:
        """Disconnect."""
        self._producer.flush(CALL_S)
        self._group.close()
        if self._digests_of is not None:
            self._digests_of.close()


@contextmanager
def running(data_dir: Path, **options: Any) -> Iterator[Scene]:
    """A scene on a hub of its own, in a borrowed cluster unless one is named."""
    with ExitStack() as stack:
        if "bootstrap_servers" not in options:
            options["bootstrap_servers"] = stack.enter_context(borrowed()).bootstrap_servers
        hub = LocalHub(data_dir, **{"session_timeout_s": 3.0, **options})
        stack.callback(lambda: asyncio.run(hub.stop()))
        scene = Scene(hub, asyncio.run(hub.start()))
        yield scene
        scene.close()


class Feeder(threading.Thread):
    """Sends messages at a steady pace beside the test, until they are all sent, or enough are."""

    def __init__(self, scene: Scene, messages: Iterable[Message], per_second: float) -> None:
        super().__init__(name="feeder", daemon=True)
        self.sent = 0
        self.failure: BaseException | None = None
        self._scene = scene
        self._messages = iter(messages)
        self._enough = threading.Event()
        self._per_second = per_second
        self.start()

    def run(self) -> None:
        """Send what is due, look again."""
        began = time.monotonic()
        try:
            while not self._enough.is_set():
                due = int((time.monotonic() - began) * self._per_second) - self.sent
                batch = list(islice(self._messages, due))
                self._scene.send(batch)
                self.sent += len(batch)
                if len(batch) < due:
                    return
                time.sleep(POLL_S)
        except BaseException as error:  # noqa: BLE001  (told to the test by `done`)
            self.failure = error

    def enough(self) -> None:
        """Send no more: for messages without end."""
        self._enough.set()

    def done(self) -> None:
        """Wait until everything is sent and lies in the logs."""
        self.join()
        assert self.failure is None, self.failure
        self._scene.flush()


def mobile_numbers(count: int, prefix: str = "+86135") -> list[str]:
    """Valid mobile numbers of China, all different."""
    return [f"{prefix}{index:0{NUMBER_CHARS - len(prefix)}d}" for index in range(count)]


def random_delay(rng: random.Random, most_s: float) -> None:
    """Let a random moment come: for kills, never in place of a condition."""
    time.sleep(rng.uniform(0, most_s))
