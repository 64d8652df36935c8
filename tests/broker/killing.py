"""`kill -9` at random moments, and a second worker that comes and goes."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

from hub.local.children import Supervised
from tests.broker.scene import Scene, random_delay, wait_until



def kill(scene: Scene, worker: Supervised, *, lose_state: bool = False) -> None:
    """`kill -9`; its state may go with it, as a lost disk takes it."""
    before = worker.restarts
    worker.send(signal.SIGKILL)
    if lose_state:
        wait_until(f"{worker.name} is dead", lambda: not worker.running or worker.restarts > before)
        (scene.hub.data_dir / worker.name / "cases").rename(scene.hub.data_dir / f"{worker.name}-lost")
    wait_until(f"{worker.name} is started again", lambda: worker.restarts > before and worker.running)


class Killer:
    """Kills workers at random moments of a flow, while a second one comes and goes.

    Args:
        progress: a number that grows as the workers work.
        delay_most_s: a kill comes up to this long after work was seen to go on.
    """

    def __init__(self, scene: Scene, rng: random.Random, progress: Callable[[], int], delay_most_s: float) -> None:
        self.kills: dict[str, int] = {}
        self._scene = scene
        self._rng = rng
        self._progress = progress
        self._delay_most_s = delay_most_s

    def run(self, kills: int, *, lose_state: bool, flowing: Callable[[], bool]) -> None:
        """Kill `kills` times, each time only once work went on since the last one."""
        first = self._scene.hub.workers[0]
        workers = [first]
        for index in range(kills):
            self._wait_for_work(flowing)
            random_delay(self._rng, self._delay_most_s)
            now_lose = lose_state and index == kills // 2
            victim = first if now_lose else self._rng.choice(workers)
            kill(self._scene, victim, lose_state=now_lose)
            self.kills[victim.name] = self.kills.get(victim.name, 0) + 1
            if index == 0:
                workers.append(self._scene.hub.add_worker("worker-2"))
        for worker in workers[1:]:
            worker.stop()

    def _wait_for_work(self, flowing: Callable[[], bool]) -> None:
        before = self._progress()
        wait_until("work goes on", lambda: self._progress() > before or not flowing())

    def unasked_deaths(self) -> list[str]:
        """Workers that ended otherwise than by us."""
        deaths = {worker.name: worker.restarts for worker in self._scene.hub.workers if worker.restarts}
        return [] if deaths == self.kills else [f"started again: {deaths}; killed: {self.kills}"]
