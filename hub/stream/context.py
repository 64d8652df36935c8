"""This module holds what the stages of one worker share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from hub.core.model import HubLog, Platform, Record, Refusal, Rejected, Source, Unheard
from hub.folds.case_store import CaseStore
from hub.folds.cases import CaseFollower
from hub.folds.checker import Checker
from hub.folds.held_store import HeldFollower
from hub.folds.reported import ReportedFollower
from hub.folds.roster import RosterFollower
from hub.settings import WorkerSettings
from hub.stream.metrics import Metrics
from hub.stream.read_back import ReadBack
from hub.wire import contracts
from hub.wire.contracts import encode, inbox_topic
from hub.wire.signing import Signer

INBOX_ASKED_AGAIN_S = 5.0


class Inboxes:
    """Knows which inboxes exist. For one that does not exist, the producer would wait a long time."""

    def __init__(self, topics: Callable[[], Awaitable[Iterable[str]]]) -> None:
        self._topics = topics
        self._known: set[str] = set()
        self._missing: dict[str, float] = {}

    async def has(self, topic: str) -> bool:
        """Return whether a topic exists. The cluster is asked again about a missing topic only after a while."""
        if topic in self._known:
            return True
        if self._missing.get(topic, 0.0) > time.monotonic():
            return False
        self._known = set(await self._topics())
        self._missing = {name: at for name, at in self._missing.items() if at > time.monotonic()}
        if topic not in self._known:
            self._missing[topic] = time.monotonic() + INBOX_ASKED_AGAIN_S
        return topic in self._known


@dataclass
class Context:
    """The shared parts of one worker."""

    settings: WorkerSettings
    hub_log: HubLog
    checker: Checker
    roster: RosterFollower
    store: CaseStore
    cases: CaseFollower
    reported: ReportedFollower
    signer: Signer
    """Signs what the hub asks or tells one platform."""

    inboxes: Inboxes
    held: HeldFollower
    producer: AIOKafkaProducer
    metrics: Metrics
    admin: AIOKafkaAdminClient
    read_back: ReadBack
    """Knows which sources already have a receipt."""

    joined: asyncio.Event
    """Set once this worker was given its partitions."""

    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """The one partition that refreshes its figures holds this lock: twelve at once would leave no room for acks."""

    async def send(
        self, topic: str, value: tuple[Any, ...], *, key: bytes, partition: int, at_ms: int
    ) -> asyncio.Future[Any]:
        """Queue one of the hub's messages. The future is done when the message is durable.

        `at_ms` is the time of what caused it. Under LogAppendTime the broker overrides it.
        """
        future: asyncio.Future[Any] = await self.producer.send(
            topic, value=encode(value), key=key, partition=partition, timestamp_ms=at_ms
        )
        return future

    async def tell(self, platform: str, value: tuple[Any, ...], at_ms: int) -> list[asyncio.Future[Any]]:
        """Queue a signed message for one platform's inbox. A platform that never joined has none and is told
        nothing.
        """
        topic = inbox_topic(platform)
        if not await self.inboxes.has(topic):
            return []
        data = encode(value)
        return [
            await self.producer.send(
                topic,
                value=data,
                key=platform.encode(),
                partition=0,
                timestamp_ms=at_ms,
                headers=list(self.signer.headers(topic, data)),
            )
        ]

    async def tell_refusal(
        self, platform: Platform | None, record: Record, reason: Refusal
    ) -> list[asyncio.Future[Any]]:
        """Tell a platform that its message was refused, if the platform is known."""
        if platform is None:
            return []
        unheard = Unheard(record.topic, Source(record.partition, record.offset), reason, record.record_time)
        return await self.tell(platform.id, unheard, record.record_time)

    async def reject(self, rejected: Rejected) -> asyncio.Future[Any]:
        """Queue a refused message for the hub's staff."""
        self.metrics.refused.labels(rejected.topic, rejected.reason).inc()
        return await self.send(
            contracts.REJECTED, rejected, key=rejected.topic.encode(), partition=0, at_ms=rejected.recorded_at
        )
