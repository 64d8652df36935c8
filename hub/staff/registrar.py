"""This module makes a hub's topics and writes the roster, for the registrar.

Topics are made once, with a number of partitions and a clock that never change; the `hub` topic records both. For
example, `receipts.carrier` is made with one partition when the operator `carrier` is put on the roster.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from hub.clock import system_clock
from hub.core.model import Clock, HubLog, Operator, Platform, PlatformState
from hub.core.roster_life import check_keys
from hub.errors import HubError
from hub.kafka.clients import administering, new_producer, started
from hub.settings import HubAddress
from hub.staff.roster import roster_editor
from hub.wire import contracts
from hub.wire.contracts import TopicSpec, encode, inbox_topic, receipts_topic, topics

YEAR_MS = 365 * 86_400_000
MESSAGE_BYTES_MAX = 2 * 1024 * 1024
RETENTION: dict[str, dict[str, str]] = {
    "keep": {"cleanup.policy": "delete", "retention.ms": "-1"},
    "1y": {"cleanup.policy": "delete", "retention.ms": str(YEAR_MS)},
    "compact": {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2"},
}
RECEIPTS = receipts_topic("<operator>")
INBOX = inbox_topic("<platform>")
UNREACHED = {PlatformState.KNOWN_UNCONNECTED, PlatformState.EXEMPT, PlatformState.LEFT}
"""Platforms in these states need no inbox: nobody there would read it."""


def is_one_of_many(name: str) -> bool:
    """Return whether a name in the contract stands for one topic per operator or per platform."""
    return "<" in name


def _inboxes(platforms: Iterable[Platform]) -> list[str]:
    return [inbox_topic(one.id) for one in platforms if one.state not in UNREACHED]


def topic_config(spec: TopicSpec, clock: str) -> dict[str, str]:
    """Return a topic's settings. In a replayed world records keep the times of their producers."""
    stamped = "CreateTime" if clock == "world" else "LogAppendTime"
    # A world may lie in the future, and the broker would refuse times more than an hour ahead.
    any_time = {"message.timestamp.after.max.ms": str(2**63 - 1)} if clock == "world" else {}
    return {
        **RETENTION[spec.retention],
        **any_time,
        "message.timestamp.type": stamped,
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    }


def replicated(replication: int) -> dict[str, str]:
    """Return the settings for safe writes: of three copies or more, two must have an acknowledged write."""
    return {"min.insync.replicas": "2"} if replication > 2 else {}


def new_topic(spec: TopicSpec, name: str, address: HubAddress, clock: str, replication: int) -> NewTopic:
    """Return a topic to ask the cluster for."""
    count = address.partitions if spec.partitions == "N" else int(spec.partitions)
    return NewTopic(name, count, replication, topic_configs=topic_config(spec, clock) | replicated(replication))


class Registrar:
    """Makes topics and writes the roster."""

    def __init__(self, address: HubAddress, admin: AIOKafkaAdminClient, producer: AIOKafkaProducer) -> None:
        self._address = address
        self._admin = admin
        self._producer = producer

    async def make_topics(
        self, *, clock: str = "record", replication: int = 1, authority_from: int | None = None
    ) -> HubLog:
        """Make every topic of a new hub, and record in `hub` how they were made.

        Args:
            authority_from: the record time from which the rules of authority hold; None is never.

        Raises:
            HubError: the cluster refuses, or holds some of the topics already.
        """
        wanted = [
            new_topic(spec, name, self._address, clock, replication)
            for name, spec in topics().items()
            if not is_one_of_many(name)
        ]
        await self._create(wanted, existing_is_error=True)
        made = HubLog(
            log_id=uuid.uuid4().bytes,
            hub_id=self._address.hub_id,
            partitions=self._address.partitions,
            clock=clock,
            made_at=system_clock(),
            authority_from=authority_from,
        )
        await self._put(contracts.HUB, "hub", made)
        return made

    async def begin_authority(self, hub_log: HubLog) -> HubLog:
        """Let the rules of authority hold from now on in a hub made without them. Workers learn it when they start."""
        changed = hub_log._replace(authority_from=system_clock())
        await self._put(contracts.HUB, "hub", changed)
        return changed

    async def make_missing_topics(self, hub_log: HubLog) -> None:
        """Make the topics that a hub of an earlier version lacks, with as many copies as `events` has."""
        there = set(await self._admin.list_topics())
        replication = await self._replication()
        wanted = [
            new_topic(spec, name, self._address, hub_log.clock, replication)
            for name, spec in topics().items()
            if not is_one_of_many(name) and name not in there
        ]
        if wanted:
            await self._create(wanted, existing_is_error=False)

    async def _replication(self) -> int:
        (described,) = await self._admin.describe_topics([contracts.EVENTS])
        return min(len(one["replicas"]) for one in described["partitions"])

    async def _create(self, wanted: list[NewTopic], *, existing_is_error: bool) -> None:
        answer = await self._admin.create_topics(wanted, timeout_ms=60_000)
        for topic, code, *_ in answer.topic_errors:
            known = code == TopicAlreadyExistsError.errno
            if code and (existing_is_error or not known):
                raise HubError(
                    f"topic {topic} cannot be made: {for_code(code).__name__}",
                    todo="Use a cluster without a hub, or start on the one that is there.",
                )

    async def put_operators(
        self, operators: Iterable[Operator], *, clock: str = "record", replication: int = 1
    ) -> None:
        """Write the newest records of operators, and make the topics of their receipts.

        Raises:
            HubError: a key is somebody else's.
        """
        found = list(operators)
        await self._check_keys(found)
        await self._make_each(RECEIPTS, [receipts_topic(one.id) for one in found], clock, replication)
        now_ms = system_clock()
        for one in found:
            # An operator without a date owes reports from now on, not since 1970.
            await self._put(contracts.OPERATORS, one.id, one if one.since else one._replace(since=now_ms))

    async def put_platforms(
        self, platforms: Iterable[Platform], *, clock: str = "record", replication: int = 1
    ) -> None:
        """Write the newest records of platforms, and make the inboxes of those that are, or will be, connected.

        Raises:
            HubError: a key is somebody else's.
        """
        found = list(platforms)
        await self._check_keys(found)
        await self._make_each(INBOX, _inboxes(found), clock, replication)
        for one in found:
            await self._put(contracts.PLATFORMS, one.id, one)

    async def _check_keys(self, records: Sequence[Operator | Platform]) -> None:
        """Refuse a key id or key that is in use: compaction could make its second holder the first."""
        if not any(one.keys for one in records):
            return
        async with roster_editor(self._address) as editor:
            roster = await editor.read()
        for one in records:
            check_keys(one, roster)
            if isinstance(one, Operator):
                roster.put_operator(one)
            else:
                roster.put_platform(one)

    async def make_receipts(self, operators: Sequence[str], hub_log: HubLog) -> None:
        """Make the topics of operators' receipts, with as many copies as `events` has."""
        names = [receipts_topic(one) for one in operators]
        await self._make_each(RECEIPTS, names, hub_log.clock, await self._replication())

    async def make_inboxes(self, platforms: Sequence[Platform], hub_log: HubLog) -> None:
        """Make the inboxes of platforms that are, or will be, connected, with as many copies as `events` has."""
        if names := _inboxes(platforms):
            await self._make_each(INBOX, names, hub_log.clock, await self._replication())

    async def _make_each(self, kind: str, names: list[str], clock: str, replication: int) -> None:
        wanted = [new_topic(topics()[kind], name, self._address, clock, replication) for name in names]
        if wanted:
            await self._create(wanted, existing_is_error=False)

    async def put_clock(self, now_ms: int) -> None:
        """Write what time it is in a replayed world."""
        await self._put(contracts.CLOCK, "clock", Clock(now_ms))

    async def _put(self, topic: str, key: str, value: tuple[Any, ...]) -> None:
        await self._producer.send_and_wait(topic, encode(value), key=key.encode(), partition=0)


@asynccontextmanager
async def registrar(address: HubAddress) -> AsyncIterator[Registrar]:
    """Yield a registrar that is connected."""
    async with administering(address) as admin, started(new_producer(address, linger_ms=0)) as producer:
        yield Registrar(address, admin, producer)
