"""The runner gives a partition up when it must, whatever its worker is caught in."""

from __future__ import annotations

import asyncio

from hub.stream.runner import Chunk, Stage

ENDS_S = 60.0
"""Far longer than it takes: what never ends is found out, and a slow machine is not."""


class Swallows:
    """A stage's worker that swallows the first cancellation, as aiokafka does while one of its clients stops."""

    def __init__(self) -> None:
        self.asked = 0

    async def prepare(self) -> None:
        """Wait for what never comes, twice."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.asked += 1
        await asyncio.Event().wait()

    async def handle(self, chunk: Chunk) -> None:
        """Never reached."""

    async def background(self) -> None:
        """Never reached."""


async def test_a_partition_is_given_up_though_a_library_swallows_the_cancellation() -> None:
    """A rebalance does not wait for a task that was told once to end and did not hear."""
    worker = Swallows()
    stage = Stage("intake", lambda _: worker)
    stage.hold(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(stage.release(), timeout=ENDS_S)
    assert worker.asked == 1
    assert stage.workers == {}
