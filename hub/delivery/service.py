"""This module is the program: it follows the roster, `tiles` and `releases`, and keeps one courier for each receiver.

It delivers to a platform on the roster whose state is ONBOARDING or CONNECTED, if there is a maker in `MAKERS` for its
`channel` (`webhook <url>` and `file`), and the registrar has put this program's own key (`delivery/<platform>/…`) among
its keys. Without that key nothing is sent, because no receipt would count; the status says so. For example, a CONNECTED
platform with `channel` "webhook https://hooks.bank.example" and the key `delivery/bank/1` has a courier.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from hub.clock import system_clock
from hub.core.channel import Way, kind_of
from hub.core.model import RECEIPTS_ONLY, HubLog, Platform, PlatformState, Received
from hub.core.tile_records import says_received
from hub.delivery.channels import Channel
from hub.delivery.courier import Courier, Office
from hub.delivery.day_files import DayFiles
from hub.delivery.files import FileChannel
from hub.delivery.inbox import KafkaInboxes
from hub.delivery.journal import Journal
from hub.delivery.keys import hub_key
from hub.delivery.metrics import DeliveryMetrics
from hub.delivery.receipts import Receipts, receipt_key
from hub.delivery.releases import KafkaReleases
from hub.delivery.settings import DeliverySettings
from hub.delivery.webhooks import Post, WebhookChannel
from hub.errors import ContractError
from hub.folds.roster import RosterFollower
from hub.kafka.clients import new_consumer, new_producer, started
from hub.kafka.follower import Follower
from hub.kafka.newest import read_hub_log
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode, partition_of
from hub.wire.signing import Headers, Signer

log = logging.getLogger(__name__)

DELIVERED_IN = (PlatformState.ONBOARDING, PlatformState.CONNECTED)


class RosterBook(RosterFollower):
    """This is the roster, with an event that says that it changed."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings, world_clock=False)
        self.changed = asyncio.Event()

    async def told(self) -> None:
        """Wake those who wait."""
        await super().told()
        self.changed.set()


class ReceivedBook(Follower):
    """This holds how far each platform has received, as the hub has it; these are the durable cursors."""

    def __init__(self, settings: WorkerSettings, partitions: int, changed: asyncio.Event) -> None:
        super().__init__(settings, [TopicPartition(contracts.TILES, one) for one in range(partitions)])
        self.fresh: set[str] = set()
        self._said: dict[bytes, Received] = {}
        self._keys: defaultdict[str, set[bytes]] = defaultdict(set)
        self._changed = changed

    def handle(self, raw: Any) -> None:
        """Take in a record of `tiles` if it says how far a platform received, or that this no longer counts.

        A later record may say less: what a stolen key said does not count any more once the key is revoked.
        """
        if not says_received(raw.key):
            return
        before = self._said.pop(raw.key, None)
        if before is not None:
            self._changed_of(before.platform, raw.key, kept=False)
        if raw.value is None:
            return
        try:
            one = decode(raw.value, Received)
        except ContractError:
            return
        self._said[raw.key] = one
        self._changed_of(one.platform, raw.key, kept=True)

    def _changed_of(self, platform: str, key: bytes, *, kept: bool) -> None:
        (self._keys[platform].add if kept else self._keys[platform].discard)(key)
        self.fresh.add(platform)
        self._changed.set()

    def of(self, platform: str) -> dict[int, int]:
        """Return, by partition and inclusive, the furthest offset that any worker's tiles say."""
        found: dict[int, int] = {}
        for key in self._keys.get(platform, ()):
            one = self._said[key]
            found[one.partition] = max(one.through, found.get(one.partition, -1))
        return found


class Delivery:
    """This is everything of one program; call `start`, then `run` until it is cancelled, then `stop`."""

    def __init__(self, settings: DeliverySettings, key: Signer, hub_log: HubLog) -> None:
        self.settings = settings
        self.hub_log = hub_log
        self.signer = Signer.named(key, f"{RECEIPTS_ONLY}hub")
        self.metrics = DeliveryMetrics()
        self.couriers: dict[str, Courier] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.worker_settings = WorkerSettings(
            settings.bootstrap_servers, settings.data_dir, "delivery", security=settings.security
        )
        self.roster = RosterBook(self.worker_settings)
        self.received = ReceivedBook(self.worker_settings, hub_log.partitions, self.roster.changed)
        self.releases = KafkaReleases(self.worker_settings, hub_log.partitions)
        self.day_files = DayFiles(settings, hub_log, self.releases, self.signer, system_clock)
        self.inboxes = KafkaInboxes(self.worker_settings)
        self.journal = Journal(settings.data_dir, hub_log.log_id)
        self.receipts = Receipts(
            *(self.signer, hub_log.log_id, lambda: self.roster.roster, self.send_ack, settings.receipt_linger_ms),
            wrote=self.metrics.receipts.inc,
        )
        self._office = Office(
            *(self.releases, self.journal, self.receipts, self.metrics),
            in_flight_per_receiver_max=settings.in_flight_per_receiver_max,
            clock=system_clock,
        )
        self._producer: AIOKafkaProducer | None = None
        self._stack = AsyncExitStack()
        self.post = Post(settings, self.signer, hub_log.log_id, ssl.create_default_context(), self.inboxes)
        self._begun_ms = system_clock()

    async def start(self) -> None:
        """Connect, and read the roster and the cursors to their ends."""
        self._stack.callback(self.journal.close)
        self._stack.callback(self.post.close)
        self.day_files.clear()
        self._producer = await self._stack.enter_async_context(started(new_producer(self.worker_settings)))
        for follower in (self.roster, self.received, self.releases, self.inboxes):
            await self._stack.enter_async_context(started(follower))

    async def stop(self) -> None:
        """End the couriers, write the receipts that wait, and disconnect."""
        for name in list(self._tasks):
            await self._dismiss(name)
        await self.receipts.flush()
        await self._stack.aclose()

    async def run(self, ready: asyncio.Event) -> None:
        """Follow and deliver until cancelled. Any error of the hub's own ends the program, which is started again."""
        async with asyncio.TaskGroup() as group:
            for follower in (self.roster, self.received, self.releases):
                group.create_task(follower.run())
            await self.roster.caught_up()
            await self.received.caught_up()
            group.create_task(self.receipts.run())
            group.create_task(self._look_at_inboxes())
            self.roster.changed.set()
            ready.set()
            while True:
                await self.roster.changed.wait()
                self.roster.changed.clear()
                await self._agree(group)

    async def _agree(self, group: asyncio.TaskGroup) -> None:
        """Start the couriers that should exist, end the others, and move each to where the hub has its receiver."""
        wanted = dict(self._wanted())
        for name in [one for one, courier in self.couriers.items() if wanted.get(one) != courier.name]:
            await self._dismiss(name)
        for name, channel in wanted.items():
            if name not in self.couriers:
                self._engage(name, channel, group)
        fresh, self.received.fresh = self.received.fresh, set()
        for name in fresh & set(self.couriers):
            self.couriers[name].hub_has(self.received.of(name))

    def _wanted(self) -> Iterator[tuple[str, str]]:
        now_ms = system_clock()
        for platform in self.roster.roster.platforms.values():
            reached = platform.state in DELIVERED_IN and is_told(platform)
            if reached and receipt_key(platform, self.signer.public, now_ms) is not None:
                yield platform.id, platform.channel or ""

    def _engage(self, name: str, channel: str, group: asyncio.TaskGroup) -> None:
        kind = kind_of(self.roster.roster.platforms[name])
        make = None if kind.way is None else MAKERS.get(kind.way)
        assert make is not None, "only who is told is engaged"
        made, spread_ms = make(self, name, kind.address), self.settings.spread_s * 1_000
        first_at = 0 if made.comes_by_itself else self._begun_ms + int(random.random() * spread_ms)
        courier = Courier(name, channel, made, self._office, self.received.of(name), first_at)
        self.couriers[name] = courier
        self._tasks[name] = group.create_task(courier.run())

    async def _look_at_inboxes(self) -> None:
        """Wake, for ever, the couriers whose receiver is asked or told something."""
        while True:
            told = [name for name, one in self.couriers.items() if one.channel.has_inbox]
            try:
                for name in await self.inboxes.look(told) & self.couriers.keys():
                    self.couriers[name].look_again()
            except KafkaError as wrong:
                log.warning("inboxes wait: %s", type(wrong).__name__)
            await asyncio.sleep(self.settings.inbox_look_s)

    async def _dismiss(self, name: str) -> None:
        del self.couriers[name]
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])
        self.metrics.forget(name)

    async def send_ack(self, platform: str, value: bytes, headers: Headers) -> Any:
        """Write one acknowledgement unchanged; return where it lies, once it is durable."""
        return await self.send(contracts.ACKS, platform, value, headers)

    async def has_topic(self, topic: str) -> bool:
        """Return whether a topic exists."""
        async with started(new_consumer(self.worker_settings)) as consumer:
            return topic in await consumer.topics()

    async def send(self, topic: str, platform: str, value: bytes, headers: Headers) -> Any:
        """Write one message of a platform unchanged; return where it lies, once it is durable."""
        assert self._producer is not None, "start() comes first"
        key = platform.encode()
        return await self._producer.send_and_wait(
            topic,
            value,
            key=key,
            partition=partition_of(key, self.hub_log.partitions),
            headers=list(headers),
        )


def _webhook(delivery: Delivery, name: str, address: str) -> Channel:
    return WebhookChannel(name, address, delivery.releases, delivery.hub_log.partitions, delivery.post)


def _file(delivery: Delivery, _name: str, _address: str) -> Channel:
    settings = delivery.settings
    return FileChannel(delivery.day_files, delivery.hub_log.partitions, settings.offer_s, settings.file_patience)


MAKERS: dict[Way, Callable[[Delivery, str, str], Channel] | None] = {
    Way.KAFKA: None,
    Way.WEBHOOK: _webhook,
    Way.FILE: _file,
}
"""This makes a platform's channel from its name and address, by way; it is None if the platform reads Kafka itself."""


def is_told(platform: Platform) -> bool:
    """Return whether there is a channel by which a platform is told."""
    way = kind_of(platform).way
    return way is not None and MAKERS.get(way) is not None


async def make_delivery(settings: DeliverySettings) -> Delivery:
    """Return a delivery for the hub in this cluster; make its key if there is none.

    Raises:
        HubError: Kafka does not answer, or has no hub.
        UnbindError: the key cannot be used.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    hub_log = await read_hub_log(
        WorkerSettings(settings.bootstrap_servers, settings.data_dir, "delivery", security=settings.security)
    )
    return Delivery(settings, hub_key(settings, hub_log.hub_id), hub_log)
