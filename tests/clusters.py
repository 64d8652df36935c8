"""Kafka clusters that tests borrow: one that is given back is emptied and lent again, so that few are started.

Whoever borrows one finds no topic and no consumer group in it, and makes a hub of its own: fresh logs, fresh workers.
A broker that a test stops or kills it also starts again. A test that looks at a broker's files, or is about how one
starts, has its own `EmbeddedKafka`.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from hub.errors import HubError
from hub.local.kafka import EmbeddedKafka

CALL_S = 20.0
EMPTY_S = 60.0
POLL_S = 0.02
KAFKAS_OWN = "__"
"""What the names of the topics begin with that Kafka keeps for itself."""
PASSING = {
    *(KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.NON_EMPTY_GROUP, KafkaError.GROUP_ID_NOT_FOUND),
    *(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS),
}
"""Refusals that another look settles."""

_free: list[EmbeddedKafka] = []


@contextmanager
def borrowed() -> Iterator[EmbeddedKafka]:
    """An empty cluster until the end of the block; its broker runs then as it does now."""
    kafka = _free.pop() if _free else _started()
    try:
        make_empty(kafka.bootstrap_servers)
        yield kafka
    finally:
        if _runs(kafka):
            _free.append(kafka)


def _started() -> EmbeddedKafka:
    folder = Path(tempfile.mkdtemp(prefix="unbind-kafka-"))
    kafka = EmbeddedKafka(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(kafka.kill)
    kafka.start()
    return kafka


def _runs(kafka: EmbeddedKafka) -> bool:
    try:
        return kafka.pid > 0
    except HubError:
        return False


def make_empty(servers: str) -> None:
    """Remove every topic and every consumer group of a cluster, and wait until they are gone.

    Raises:
        AssertionError: something stays.
    """
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    deadline = time.monotonic() + EMPTY_S
    while (topics := _topics(admin)) or (groups := _groups(admin)):
        assert time.monotonic() < deadline, f"{topics} stay, or {groups} do"
        if topics:
            _try_each(admin.delete_topics(topics, request_timeout=CALL_S))
        else:
            with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop of its own
                thread.submit(asyncio.run, _dismiss(servers, admin, groups)).result()
            _try_each(admin.delete_consumer_groups(groups, request_timeout=CALL_S))
        time.sleep(POLL_S)


def _topics(admin: AdminClient) -> list[str]:
    return [name for name in admin.list_topics(timeout=CALL_S).topics if not name.startswith(KAFKAS_OWN)]


def _groups(admin: AdminClient) -> list[str]:
    return [one.group_id for one in admin.list_consumer_groups(request_timeout=CALL_S).result().valid]


def _try_each(asked: dict[str, object]) -> None:
    """Wait for answers; who is refused is asked again by the loop that looks what is left."""
    for answer in asked.values():
        try:
            answer.result(CALL_S)  # type: ignore[attr-defined]
        except KafkaException as refused:
            if refused.args[0].code() not in PASSING:
                raise


async def _dismiss(servers: str, admin: AdminClient, groups: list[str]) -> None:
    """Let the members of groups leave: a worker that stopped is missed only after its session's time otherwise."""
    client = AIOKafkaClient(bootstrap_servers=servers)
    await client.bootstrap()
    try:
        for group, described in admin.describe_consumer_groups(groups, request_timeout=CALL_S).items():
            for member in described.result(CALL_S).members:
                await client.send(client.cluster.brokers().pop().nodeId, LeaveGroupRequest(group, member.member_id))
    finally:
        await client.close()
