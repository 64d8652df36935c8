"""An acknowledgement that names a notice before it is there waits until what comes is too late for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from hub.clock import system_clock
from hub.core.acks import JUDGED_AFTER_MS, OpenedAck
from hub.core.held import HeldBook
from hub.core.model import (
    DAY_MS,
    Acknowledgement,
    Operator,
    ReceivedThrough,
    Record,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
)
from hub.folds.case_store import CaseStore
from hub.folds.cases import CaseFollower
from hub.settings import WorkerSettings
from hub.wire.contracts import ACKS, RELEASES, encode

LOG_ID = b"l" * 16
LONG_S = JUDGED_AFTER_MS / 1_000


class HandFed(CaseFollower):
    """A follower of a log that lies in the test's hand: what was given is all there is."""

    async def end_offsets(self) -> dict[TopicPartition, int]:
        return dict(self.places)

    async def give(self) -> None:
        """The next notice of partition 0."""
        offset, at = self.places[self.tps[0]], system_clock()
        notice = ReleaseNotice(
            *(Stage.COOLING, None, Subject("e164", "+8613400000000"), "north", at, at, at, at + DAY_MS, at + DAY_MS),
            *(0, b"e" * 16, b"d" * 32, Source(0, offset), LOG_ID),
        )
        value = encode(notice)
        await self.take([ConsumerRecord(RELEASES, 0, offset, at, 0, b"", value, None, 0, len(value), ())])
        self.places[self.tps[0]] = offset + 1
        await self.told()


async def _nobody(_operator_id: str) -> Operator | None:
    return None


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[HandFed]:
    """One that has read everything there is of one partition: nothing."""
    store = CaseStore(tmp_path / "cases", LOG_ID, 1)
    yield HandFed(WorkerSettings("", tmp_path, "web-1"), store, 1, _nobody, HeldBook())
    store.close()


def opened(through: int, record_time: int) -> OpenedAck:
    ack = Acknowledgement("bank", LOG_ID, 0, (ReceivedThrough(0, through, bytes(32)),), ())
    return OpenedAck(Record(ACKS, 0, 0, record_time, b"bank", b"", ()), None, None, ack, ())


async def waited_s(follower: HandFed, *acks: OpenedAck) -> float:
    began = time.monotonic()
    await asyncio.wait_for(follower.folded_for(acks), timeout=10 * LONG_S)
    return time.monotonic() - began


async def soon() -> None:
    """Give everything its turn that waits for no time to pass."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_what_is_not_there_is_waited_for_until_it_is_too_late(follower: HandFed) -> None:
    """A notice that an acknowledgement names early could still be recorded in time: it is judged once none can."""
    assert await waited_s(follower, opened(0, system_clock())) > 0.9 * LONG_S


async def test_an_acknowledgement_that_is_old_waits_for_nothing(follower: HandFed) -> None:
    """Whoever names in an old acknowledgement what is not there holds nobody up."""
    waiting = asyncio.create_task(follower.folded_for([opened(0, system_clock() - JUDGED_AFTER_MS)]))
    await soon()
    assert waiting.done()


async def test_a_notice_that_comes_ends_the_waiting(follower: HandFed) -> None:
    """With the last notice that is named everything can be judged, without a wait for the rest of the time."""
    future = system_clock() + DAY_MS
    waiting = asyncio.create_task(waited_s(follower, opened(1, future), opened(0, future)))
    await asyncio.sleep(0)
    await follower.give()
    await asyncio.sleep(0)
    assert not waiting.done()
    await follower.give()
    await soon()
    assert waiting.done()
