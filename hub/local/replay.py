"""This module replays a world in a real hub, on the world's own clock.

Operators publish their files in order of record time. Adapters of connected platforms act on their accounts and
acknowledge, in processes of their own. Workers decide and count. The report is taken at `ends_at`, once every event has
a receipt, every adapter has handled every notice, and coverage says that it has seen all of that. For example, eight
months of a world with 300 cases pass as fast as the hub decides, and coverage still counts gaps by the world's days.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hub.core.model import Coverage, NumberEvent
from hub.errors import HubError
from hub.local.adapters import ENDS_FILE
from hub.local.beside import Beside
from hub.local.children import Supervised
from hub.local.pace import Pace
from hub.local.up import LocalHub
from hub.local.watch import Watch, platform_report
from hub.local.world import Happening, World, read_world
from hub.local.world_keys import HUB_ID, keys_of, public_keys
from hub.recount import Difference, recount
from hub.sdk.operators.publisher import OperatorPublisher, PublisherSettings
from hub.staff.registrar import Registrar, registrar
from hub.whole_files import write_json
from hub.wire import contracts
from hub.wire.contracts import partition_of

log = logging.getLogger(__name__)

SETTLE_DEADLINE_S = 300.0
"""How long one step at the end may take before the replay fails and says that it hangs."""

TICK_S = 0.5
POLL_S = 0.05


class Replay:
    """One run of a world. Its parts are public so that a test can kill them."""

    def __init__(
        self,
        world_dir: Path,
        data_dir: Path,
        *,
        workers: int = 1,
        adapter_groups: int = 1,
        recount: bool = False,
        on_start: Callable[[Replay], None] | None = None,
        at_end: Callable[[Replay], Awaitable[None]] | None = None,
        session_timeout_s: float = 10.0,
        beside: Beside | None = None,
    ) -> None:
        self.world_dir = world_dir.absolute()
        self.data_dir = data_dir.absolute()
        ids = _ids(self.world_dir)
        self.operator_keys = keys_of(ids["operators"], self.data_dir / "keys" / "operators")
        self.platform_keys = keys_of(ids["platforms"], self.data_dir / "keys" / "platforms")
        self.world: World = read_world(self.world_dir, public_keys(self.operator_keys), public_keys(self.platform_keys))
        self.hub = LocalHub(
            self.data_dir / "hub",
            hub_id=HUB_ID,
            clock="world",
            workers=workers,
            session_timeout_s=session_timeout_s,
            beside=beside,
            authority=self.world.authority,
        )
        self.adapters: list[Supervised] = []
        self.now_ms = self.world.starts_at
        self.sent = 0
        self.watch: Watch | None = None
        self._groups = adapter_groups
        self.pace: Pace | None = None
        """How fast the world passes; None means as fast as possible."""

        self.ends_after_s: float | None = None
        """The time after which the replay ends although the world goes on."""

        self.ends_at = self.world.ends_at
        self.apart: tuple[str, ...] = ()
        """The platforms whose adapters each have a process of their own."""

        self.prepared: dict[bytes, NumberEvent] = {}
        """The events that are sent instead of the world's, by event id; for example with a clearance."""

        self.meanwhile: list[asyncio.Task[None]] = []
        """Tasks that make other things happen in the world; they are cancelled when everything is sent."""

        self.timeline: list[Happening] = []
        self._next_ms = self.world.starts_at
        self.differences: list[Difference] = []
        self._recount = recount
        self._on_start = on_start
        self._at_end = at_end
        self._registrar: Registrar | None = None

    async def run(self) -> dict[str, Any]:
        """Run the whole world and return the report.

        Raises:
            HubError: a step does not end in time; the message says which step, and where to look.
        """
        async with self.hub, registrar(self.hub.address) as self._registrar:
            await self._registrar.put_operators(self.world.operators, clock="world")
            await self._registrar.put_platforms([platform for platform, _ in self.world.platforms], clock="world")
            self.watch = Watch(self.hub.address, self.world.operators)
            await self.watch.start()
            watching = asyncio.create_task(self.watch.run())
            try:
                self._start_adapters()
                if self._on_start is not None:
                    self._on_start(self)
                await self._publish()
                await self._end_meanwhile()
                await self._settle()
                if self._recount:
                    self.differences = await recount(self.hub.address.bootstrap_servers)
                if self._at_end is not None:
                    await self._at_end(self)
                return self.report()
            finally:
                watching.cancel()
                await asyncio.gather(*(asyncio.to_thread(one.stop) for one in self.adapters))
                await self.watch.stop()

    async def _end_meanwhile(self) -> None:
        for one in self.meanwhile:
            one.cancel()
        for error in await asyncio.gather(*self.meanwhile, return_exceptions=True):
            if isinstance(error, Exception):
                raise error

    def _start_adapters(self) -> None:
        acting = [one.id for one, _ in self.world.platforms if one.state in {"CONNECTED", "LEFT"}]
        (self.data_dir / ENDS_FILE).unlink(missing_ok=True)
        together = [one for one in acting if one not in self.apart]
        for group in range(self._groups):
            members = together[group :: self._groups]
            if members:
                self.start_adapters(f"adapters-{group + 1}", members)
        for one in self.apart:
            if one in acting:
                self.start_adapters(f"adapters-{one}", [one])

    def start_adapters(self, name: str, members: list[str]) -> Supervised:
        """Start some platforms' adapters in a process of their own."""
        arguments = [
            *("adapters", str(self.world_dir)),
            *("--data-dir", str(self.data_dir)),
            *("--bootstrap-servers", self.hub.address.bootstrap_servers),
            *("--hub-id", self.hub.address.hub_id),
            *("--partitions", str(self.hub.address.partitions)),
            *("--platforms", ",".join(members)),
        ]
        started = Supervised(name, arguments, self.data_dir)
        started.start()
        self.adapters.append(started)
        return started

    async def _publish(self) -> None:
        folder = self.data_dir / "outboxes"
        folder.mkdir(exist_ok=True)
        publishers = {
            one: OperatorPublisher(one, signer, self.hub.address, PublisherSettings(folder / f"{one}.outbox"))
            for one, signer in self.operator_keys.items()
        }
        self.timeline = self.world.timeline()
        async with AsyncExitStack() as stack:
            for publisher in publishers.values():
                await stack.enter_async_context(publisher)
            began = time.monotonic()
            clock = asyncio.create_task(self._keep_clock(began))
            stack.callback(clock.cancel)
            await self._send_all(began, publishers)
            for publisher in publishers.values():
                await publisher.wait_all(SETTLE_DEADLINE_S)

    async def _send_all(self, began: float, publishers: dict[str, OperatorPublisher]) -> None:
        """Send in order of record time. Within a partition the order is strict for all operators; a publisher keeps the
        order of its own messages."""
        under_way: dict[int, tuple[str, asyncio.Task[Any]]] = {}
        for happening in self.timeline:
            if not await self._pace(happening, began):
                self.ends_at = self.now_ms
                break
            key = happening.operator if happening.event is None else happening.event.number
            partition = partition_of(key.encode(), self.hub.address.partitions)
            before = under_way.get(partition)
            if before is not None and before[0] != happening.operator:
                await before[1]
            sending = asyncio.create_task(self._send(publishers[happening.operator], happening))
            under_way[partition] = (happening.operator, sending)
            await asyncio.sleep(0)  # the task takes its place in the publisher's order
        await asyncio.gather(*(task for _, task in under_way.values()))

    async def _send(self, publisher: OperatorPublisher, happening: Happening) -> None:
        if happening.event is None:
            await publisher.send_report(happening.day, timestamp_ms=happening.at_ms)
        else:
            self.sent += 1
            event = self.prepared.get(happening.event.event_id, happening.event)
            await publisher.send(event, timestamp_ms=happening.at_ms)

    async def _pace(self, happening: Happening, began: float) -> bool:
        """Wait until it is time, if the world has a pace; return False if the replay must end now."""
        self._next_ms = happening.at_ms
        if self.pace is not None:
            due_s = self.pace.due_s(self.world.starts_at, happening.at_ms)
            ends_s = self.ends_after_s
            if ends_s is not None and max(due_s, time.monotonic() - began) > ends_s:
                await asyncio.sleep(max(0.0, began + ends_s - time.monotonic()))
                return False
            await asyncio.sleep(max(0.0, began + due_s - time.monotonic()))
        self.now_ms = max(self.now_ms, happening.at_ms)
        return True

    async def _keep_clock(self, began: float) -> None:
        assert self._registrar is not None, "run() made one"
        while True:
            if self.pace is not None:  # time also passes between two happenings, but not beyond the next
                passed = self.pace.time_at(self.world.starts_at, time.monotonic() - began)
                self.now_ms = max(self.now_ms, min(passed, self._next_ms))
            await self._registrar.put_clock(min(self.now_ms, self.world.ends_at - 1))
            await asyncio.sleep(TICK_S)

    async def _settle(self) -> None:
        assert self.watch is not None, "run() made them"
        assert self._registrar is not None, "run() made them"
        await self._within("the watcher", self.watch.caught_up())
        releases = self.watch.ends(contracts.RELEASES)
        write_json(self.data_dir / ENDS_FILE, releases)
        await self._within("adapters", self._until(lambda: not any(one.running for one in self.adapters)))
        await self._within("the watcher", self.watch.caught_up())
        self.now_ms = self.ends_at
        await self._registrar.put_clock(self.ends_at)
        acks = self.watch.ends(contracts.ACKS)
        await self._within("coverage", self._until(lambda: self._covered(releases, acks)))

    def _covered(self, releases: dict[int, int], acks: dict[int, int]) -> bool:
        assert self.watch is not None, "run() made it"
        return all(
            self._is_final(self.watch.coverage.get(platform.id), releases, acks) for platform, _ in self.world.platforms
        )

    def _is_final(self, coverage: Coverage | None, releases: dict[int, int], acks: dict[int, int]) -> bool:
        if coverage is None:
            return False
        as_of = coverage.as_of
        home = partition_of(coverage.platform.encode(), self.hub.address.partitions)
        return (
            as_of.now_ms >= self.ends_at
            and as_of.acks >= acks[home]
            and all(as_of.releases[partition] >= end for partition, end in releases.items())
        )

    def report(self) -> dict[str, Any]:
        """Return what the hub says of the world now, in the shape of `world-expected.json`."""
        assert self.watch is not None, "run() made it"
        return {
            "operators": {
                one.id: self.watch.operator_report(one.id, len(self.world.unreadable[one.id]), self.now_ms)
                for one in self.world.operators
            },
            "cases": self.watch.cases_report(),
            "platforms": {
                platform.id: platform_report(self.watch.coverage[platform.id])
                for platform, _ in self.world.platforms
                if platform.id in self.watch.coverage
            },
        }

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            await asyncio.sleep(POLL_S)

    async def _within(self, what: str, work: Any) -> None:
        try:
            await asyncio.wait_for(work, SETTLE_DEADLINE_S)
        except TimeoutError as wrong:
            raise HubError(
                f"{what}: not done after {SETTLE_DEADLINE_S:.0f} s", todo=f"See the logs in {self.data_dir}."
            ) from wrong


def _ids(world_dir: Path) -> dict[str, list[str]]:
    bare = read_world(world_dir, {}, {})
    return {"operators": [one.id for one in bare.operators], "platforms": [one.id for one, _ in bare.platforms]}
