"""This module runs a whole hub on one machine: a real Kafka, its topics and workers. `unbind-hub up` runs one.

For example, a second start on the same data folder finds the topics there and continues with the same `hub_id`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path

from hub.core.model import HubLog
from hub.errors import HubError
from hub.kafka.clients import GROUP
from hub.kafka.newest import read_hub_log
from hub.local.beside import Beside, Programs
from hub.local.children import Supervised
from hub.local.kafka import EmbeddedKafka
from hub.local.machine import require_space
from hub.settings import PARTITIONS_DEFAULT, HubAddress, WorkerSettings
from hub.staff.registrar import registrar

log = logging.getLogger(__name__)

READY_DEADLINE_S = 90.0
POLL_S = 0.1
SPACE_MB = 300
"""The space that a new hub needs: for what it writes before it serves, mostly files of Kafka and PostgreSQL, and for
some days with a small roster."""


class LocalHub:
    """Kafka (an embedded or an existing one), the topics, and supervised workers.

    Args:
        data_dir: the folder of everything it keeps; a second start with it continues where the first ended.
        bootstrap_servers: the address of an existing cluster; None starts an embedded Kafka.
        clock: `record`, or `world` for a replay.
        worker_program: what Python runs as a worker; a test gives a program of its own, with one part spoilt.
        beside: the programs that run beside the workers.
        authority: whether the rules of authority hold (`hub.core.limits`): in a new hub from its first message on, in
            one of an earlier version from now on.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bootstrap_servers: str | None = None,
        hub_id: str = "local-hub",
        clock: str = "record",
        workers: int = 1,
        partitions: int = PARTITIONS_DEFAULT,
        session_timeout_s: float = 10.0,
        fast_start: bool = True,
        worker_program: tuple[str, ...] = ("-m", "hub"),
        replication: int = 1,
        beside: Beside | None = None,
        authority: bool = False,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._kafka = None if bootstrap_servers else EmbeddedKafka(self.data_dir / "kafka", fast_start=fast_start)
        self._bootstrap_servers = bootstrap_servers
        self._hub_id = hub_id
        self._clock = clock
        self._partitions = partitions
        self._session_timeout_s = session_timeout_s
        self._worker_program = worker_program
        self._count = workers
        self._replication = replication
        self._authority = authority
        self.beside = Programs(self.data_dir, beside or Beside())
        self.workers: list[Supervised] = []

    @property
    def address(self) -> HubAddress:
        """Return the address that operators and platforms need to reach the hub."""
        servers = self._bootstrap_servers or (self._kafka.bootstrap_servers if self._kafka else "")
        return HubAddress(servers, self._hub_id, self._partitions)

    async def start(self) -> HubLog:
        """Start what does not run yet, and wait until the workers serve.

        Raises:
            HubError: the disk is nearly full, or a program does not serve in time; the message holds its last lines
                of output.
        """
        require_space(self.data_dir, SPACE_MB)
        if self._kafka is not None:
            await asyncio.to_thread(self._kafka.start)
        hub_log = await self._topics()
        for number in range(1, self._count + 1):
            self.add_worker(f"worker-{number}")
        await asyncio.to_thread(self.beside.start, self.address.bootstrap_servers)
        await self.ready()
        return hub_log

    async def _topics(self) -> HubLog:
        settings = WorkerSettings(self.address.bootstrap_servers, self.data_dir, "look")
        try:
            hub_log = await read_hub_log(settings)
        except HubError:
            async with registrar(self.address) as made:
                since = 0 if self._authority else None
                return await made.make_topics(clock=self._clock, replication=self._replication, authority_from=since)
        self._hub_id, self._partitions = hub_log.hub_id, hub_log.partitions
        async with registrar(self.address) as made:
            await made.make_missing_topics(hub_log)
            if self._authority and hub_log.authority_from is None:
                hub_log = await made.begin_authority(hub_log)
        return hub_log

    def add_worker(self, name: str) -> Supervised:
        """Start one more worker."""
        arguments = [
            "worker",
            *("--bootstrap-servers", self.address.bootstrap_servers),
            *("--data-dir", str(self.data_dir / name)),
            *("--instance-id", name),
            *("--session-timeout-s", str(self._session_timeout_s)),
            *("--ready-file", str(self._ready_file(name))),
        ]
        self._ready_file(name).unlink(missing_ok=True)
        worker = Supervised(name, arguments, self.data_dir, program=self._worker_program)
        worker.start()
        self.workers.append(worker)
        return worker

    def _ready_file(self, name: str) -> Path:
        return self.data_dir / f"{name}.ready.json"

    async def ready(self) -> None:
        """Wait until every worker says that it serves.

        Raises:
            HubError: a worker does not serve in time; the message holds its last lines of output.
        """
        deadline = time.monotonic() + READY_DEADLINE_S
        for worker in self.workers:
            while not self._ready_file(worker.name).exists():
                if time.monotonic() > deadline:
                    raise worker.failure()
                await asyncio.sleep(POLL_S)
        await self.beside.ready(READY_DEADLINE_S)

    def metrics_url(self, name: str = "worker-1") -> str:
        """Return the address of a worker's metrics."""
        ready = json.loads(self._ready_file(name).read_text(encoding="utf-8"))
        return f"http://127.0.0.1:{ready['metrics_port']}/metrics"

    def describe(self) -> dict[str, str]:
        """Return where everything is."""
        return {
            "bootstrap_servers": self.address.bootstrap_servers,
            "metrics_url": self.metrics_url(),
            "data_dir": str(self.data_dir),
            "hub_id": self.address.hub_id,
            "group": GROUP,
            **self.beside.describe(),
        }

    async def stop(self) -> None:
        """End the workers and the programs beside them, then Kafka."""
        await self.beside.stop()
        await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in self.workers))
        if self._kafka is not None:
            await asyncio.to_thread(self._kafka.stop)

    async def __aenter__(self) -> LocalHub:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
