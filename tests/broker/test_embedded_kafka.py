"""The hub's local broker, as real processes: what a demo, a benchmark and every other broker test stand on."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError, UnknownTopicOrPartitionError

from hub.errors import HubError
from hub.local.kafka import EmbeddedKafka
from hub.local.machine import free_port

pytestmark = pytest.mark.broker

END_DEADLINE_MS = 20_000
TWO_MIB = 2 * 1024 * 1024

# A thread that starts the broker and ends before the process does, as in `asyncio.to_thread`.
OWNER = """
import pathlib, sys, threading, time
from hub.local.kafka import EmbeddedKafka
kafka = EmbeddedKafka(pathlib.Path(sys.argv[1]))
starter = threading.Thread(target=kafka.start)
starter.start()
starter.join()
while pathlib.Path(f"/proc/self/task/{starter.native_id}").exists():  # join returns a little before its end
    time.sleep(0.01)
print(kafka.pid, kafka.bootstrap_servers, flush=True)
sys.stdin.read()
"""


async def create_topic(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def send(address: str, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address, max_request_size=2 * TWO_MIB) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def read_all(address: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


async def list_topics(address: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        topics: list[str] = await admin.list_topics()
        return topics
    finally:
        await admin.close()


def ends(watch: int) -> bool:
    """Whether the process of this pidfd ends before the deadline."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(END_DEADLINE_MS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="module")
def kafka(folder: Path) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(folder) as broker:
        yield broker


async def test_keeps_what_it_is_told(kafka: EmbeddedKafka) -> None:
    """The local broker takes messages up to 2 MiB and gives them back in order."""
    await create_topic(kafka.bootstrap_servers, "told")
    large = bytes(TWO_MIB - 1024)
    await send(kafka.bootstrap_servers, "told", b"1", large, b"3")
    assert await read_all(kafka.bootstrap_servers, "told") == [b"1", large, b"3"]


async def test_has_an_upper_bound_of_a_message(kafka: EmbeddedKafka) -> None:
    """The local broker refuses a message of more than 2 MiB."""
    await create_topic(kafka.bootstrap_servers, "bounded")
    with pytest.raises(MessageSizeTooLargeError):
        await send(kafka.bootstrap_servers, "bounded", bytes(TWO_MIB))


async def test_makes_no_topic_by_itself(kafka: EmbeddedKafka) -> None:
    """The local broker makes no topic that nobody created, so a misspelt name is an error."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, request_timeout_ms=5_000) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait("misspelt", b"1")
    assert "misspelt" not in await list_topics(kafka.bootstrap_servers)


def test_is_out_of_reach_of_ctrl_c(kafka: EmbeddedKafka) -> None:
    """The local broker has its own session, so Ctrl-C in the terminal ends the hub first and the broker by stop()."""
    assert os.getsid(kafka.pid) == kafka.pid
    assert os.getsid(kafka.pid) != os.getsid(0)


async def test_has_a_folder_to_itself(kafka: EmbeddedKafka, folder: Path) -> None:
    """A second local broker in the folder of a running one is refused, and the first runs on."""
    with pytest.raises(HubError, match="already uses"):
        EmbeddedKafka(folder).start()
    with pytest.raises(HubError, match="already running"):
        kafka.start()
    await list_topics(kafka.bootstrap_servers)


async def test_survives_kill(tmp_path: Path) -> None:
    """What the local broker has acknowledged is there after kill -9, at the same address or at a new one."""
    broker = EmbeddedKafka(tmp_path)
    with broker:
        address = broker.bootstrap_servers
        await create_topic(address, "kept")
        await send(address, "kept", b"1", b"2")
        broker.kill()
        broker.start()
        assert broker.bootstrap_servers == address
        assert await read_all(address, "kept") == [b"1", b"2"]
        broker.kill()
    new_port = free_port()
    with EmbeddedKafka(tmp_path, port=new_port) as moved:
        assert moved.bootstrap_servers == f"127.0.0.1:{new_port}"
        await send(moved.bootstrap_servers, "kept", b"3")
        assert await read_all(moved.bootstrap_servers, "kept") == [b"1", b"2", b"3"]


def test_refuses_a_port_in_use(tmp_path: Path) -> None:
    """A local broker whose port another program has is refused with the port's number, before anything is made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        broker = EmbeddedKafka(tmp_path, port=port)
        with pytest.raises(HubError, match=f"port {port} on 127.0.0.1 is already in use"):
            broker.start()
    assert not (tmp_path / "log").exists()
    with pytest.raises(HubError, match="not running"):
        _ = broker.pid


def test_says_why_it_ended(tmp_path: Path) -> None:
    """A local broker that cannot start says so in the words of its own log, without Java's stack frames."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").write_text("version=1\nnode.id=2\ncluster.id=another\n", encoding="utf-8")
    with pytest.raises(HubError, match="Kafka ended with 1 while starting") as refusal:
        EmbeddedKafka(tmp_path).start()
    assert "Stored node id 2 doesn't match previous node id 1" in refusal.value.message
    assert "\tat " not in refusal.value.message


def test_stops_without_being_started(tmp_path: Path) -> None:
    """A local broker that does not run can be stopped and killed, and has no address or process to show."""
    broker = EmbeddedKafka(tmp_path)
    broker.stop()
    broker.kill()
    with pytest.raises(HubError, match="no address"):
        _ = broker.bootstrap_servers


def test_does_not_outlive_its_owner(tmp_path: Path) -> None:
    """The local broker outlives the thread that started it, and ends when its process is killed with -9."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with owner:
        assert owner.stdout is not None
        pid, address = owner.stdout.readline().split()
        watch = os.pidfd_open(int(pid))
        try:
            asyncio.run(list_topics(address))
            owner.send_signal(signal.SIGKILL)
            assert ends(watch)
        finally:
            os.close(watch)
