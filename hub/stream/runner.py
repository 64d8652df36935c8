"""This module runs the stages on the partitions that this worker holds, and ends the process if it cannot go on.

faust's agents hand every chunk to the stage's worker for that partition and return at once: an error inside an agent
would ack and lose the chunk. A stage's worker handles the chunks of its partition one after another and acks each when
everything that follows from it is durable.

If a stage's logic raises an error on a message, that message alone goes to `rejected` (HUB_FAULT). If something outside
fails (for example a broker or the disk), the process ends at once without committing, and a restart reads everything
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

from hub.core.model import Record
from hub.kafka.running import guarded

log = logging.getLogger(__name__)
CANCEL_AGAIN_S = 0.2
"""How long a task that was cancelled has to end before it is cancelled again."""
CHUNKS_WAITING_MAX = 4
"""How many chunks of a partition may wait. Beyond this the agent waits, and so does the consumer."""


class Chunk(NamedTuple):
    """Records of one partition, in offset order, and how to say that they are durable.

    `end` is the offset before which nothing else is to be handled. The last offsets may hold no record, for example the
    marker of a sender's transaction; there may be no record at all.
    """

    records: list[Record]
    end: int
    ack: Callable[[], None]


class StageWorker(Protocol):
    """Serves one partition of one stage for as long as this worker holds it."""

    async def prepare(self) -> None:
        """Bring the state up to where the logs are now."""

    async def handle(self, chunk: Chunk) -> None:
        """Handle a chunk, and ack it now or later, in order."""

    async def background(self) -> None:
        """Do other work beside the chunks. This runs from `prepare` until the partition is taken away."""


class Stage:
    """One stage of the app, with a worker for each partition that we hold."""

    def __init__(self, name: str, make: Callable[[int], StageWorker]) -> None:
        self.name = name
        self._make = make
        self._served: dict[int, _Served] = {}

    @property
    def workers(self) -> dict[int, StageWorker]:
        """Return the workers of the partitions we hold."""
        return {partition: one.worker for partition, one in self._served.items()}

    @property
    def prepared(self) -> bool:
        """Return whether every partition we hold is being served."""
        return all(one.prepared.is_set() for one in self._served.values())

    def hold(self, partition: int) -> _Served:
        """Begin to serve a partition, if it is not served already."""
        served = self._served.get(partition)
        if served is None:
            served = self._served[partition] = _Served(f"{self.name}[{partition}]", self._make(partition))
        return served

    async def give(self, partition: int, chunk: Chunk) -> None:
        """Queue a chunk. This waits while `CHUNKS_WAITING_MAX` chunks of the partition wait already."""
        await self.hold(partition).queue.put(chunk)

    async def release(self) -> None:
        """Stop serving every partition. What was not acked will be read again."""
        served, self._served = self._served, {}
        for one in served.values():
            one.cancel()
        await asyncio.gather(*(one.gone() for one in served.values()))


class _Served:
    """A partition that is served: its queue and its tasks."""

    def __init__(self, name: str, worker: StageWorker) -> None:
        self.worker = worker
        self.queue: asyncio.Queue[Chunk] = asyncio.Queue(CHUNKS_WAITING_MAX)
        self.prepared = asyncio.Event()
        self._tasks = [guarded(name, self._serve()), guarded(f"{name} background", self._beside())]

    async def _serve(self) -> None:
        await self.worker.prepare()
        self.prepared.set()
        while True:
            await self.worker.handle(await self.queue.get())

    async def _beside(self) -> None:
        await self.prepared.wait()
        await self.worker.background()

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        # An agent may wait for room in the queue. What it puts there now is neither read nor acked.
        while not self.queue.empty():
            self.queue.get_nowait()

    async def gone(self) -> None:
        # aiokafka's clients ignore a cancellation that comes while they stop. Then the task would go on serving, and
        # the rebalance would wait for it until the group's timeout removes this worker.
        while left := [task for task in self._tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
