"""`kill -9` in the middle of a flow, a second worker that comes and goes, and workers with a fault built in."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hub.local.children import Child, Supervised
from tests.broker import spoilt_worker
from tests.broker.scene import Feeder, Message, Scene, random_delay, wait_until

NUDGE = 24
END_S = 20.0


def kill(scene: Scene, worker: Supervised, *, lose_state: bool = False) -> None:
    """`kill -9`; its state may go with it, as a lost disk takes it."""
    before = worker.restarts
    worker.send(signal.SIGKILL)
    if lose_state:
        wait_until(f"{worker.name} is dead", lambda: not worker.running or worker.restarts > before)
        (scene.hub.data_dir / worker.name / "cases").rename(scene.hub.data_dir / f"{worker.name}-lost")
    wait_until(f"{worker.name} is started again", lambda: worker.restarts > before and worker.running)


@contextmanager
def spoilt(scene: Scene, name: str, fault: str) -> Iterator[Child]:
    """A worker with a fault (`spoilt_worker`), not supervised, for a while."""
    servers, folder = scene.hub.address.bootstrap_servers, scene.hub.data_dir
    options = ("--bootstrap-servers", servers, "--data-dir", str(folder / name), "--instance-id", name)
    command = [sys.executable, *spoilt_worker.program(fault), "worker", *options, "--session-timeout-s", "3"]
    child = Child(command, folder / f"{name}.log")
    try:
        yield child
    finally:
        if not child.ended.is_set():
            child.end(signal.SIGKILL, END_S)


class Killer:
    """Sends messages in shares, and kills a worker at a random moment of each share but the last.

    Args:
        topic: where the messages go.
        share_s: how long it takes to send a share; a kill comes at any moment of it.
    """

    def __init__(self, scene: Scene, topic: str, rng: random.Random, share_s: float) -> None:
        self.kills: dict[str, int] = {}
        self._scene = scene
        self._topic = topic
        self._rng = rng
        self._share_s = share_s

    def run(self, messages: Iterable[Message], kills: int, *, lose_state: bool = False) -> None:
        """Send everything and kill `kills` times; a second worker is there after the first time until the end."""
        left = list(messages)
        share = len(left) // (kills + 1)
        workers = self._scene.hub.workers[:1]
        for index in range(kills):
            now, left = left[:share], left[share:]
            self._scene.send(now[:NUDGE])
            self._wait_for_work(everywhere=index % 2 == 0)
            lost = lose_state and index == kills // 2
            victim = workers[0] if lost else self._rng.choice(workers)
            self._kill_amid(now[NUDGE:], victim, lose_state=lost)
            if index == 0:
                workers.append(self._scene.hub.add_worker("worker-2"))
        feeder = Feeder(self._scene, left, len(left) / self._share_s)
        for worker in workers[1:]:
            worker.stop()
        feeder.done()
        self._scene.settle(self._topic)

    def _kill_amid(self, messages: list[Message], victim: Supervised, *, lose_state: bool) -> None:
        feeder = Feeder(self._scene, messages, len(messages) / self._share_s)
        random_delay(self._rng, self._share_s)
        kill(self._scene, victim, lose_state=lose_state)
        self.kills[victim.name] = self.kills.get(victim.name, 0) + 1
        feeder.done()

    def _wait_for_work(self, *, everywhere: bool) -> None:
        """Until every partition is served again, or only some: then a kill may hit a worker that is preparing."""
        before = sum(self._scene.committed(self._topic))
        self._scene.flush()
        if everywhere:
            self._scene.settle(self._topic)
        else:
            wait_until("work goes on", lambda: sum(self._scene.committed(self._topic)) > before)

    def unasked_deaths(self) -> list[str]:
        """Workers that ended otherwise than by us."""
        deaths = {worker.name: worker.restarts for worker in self._scene.hub.workers if worker.restarts}
        return [] if deaths == self.kills else [f"started again: {deaths}; killed: {self.kills}"]
