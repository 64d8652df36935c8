"""The newest notices, as delivery keeps them in memory: found by their offsets, whatever lies between them."""

from __future__ import annotations

from pathlib import Path

from aiokafka import ConsumerRecord

from hub.delivery.releases import KafkaReleases
from hub.settings import WorkerSettings
from hub.wire.contracts import RELEASES


def raw(offset: int) -> ConsumerRecord:
    return ConsumerRecord(RELEASES, 0, offset, 1_700_000_000_000, 0, b"", b"no notice", None, 0, 9, ())


async def test_a_hole_in_the_offsets_shifts_nothing(tmp_path: Path) -> None:
    """Whoever asks for an offset gets the record there, or the next one where an offset holds no message."""
    releases = KafkaReleases(WorkerSettings("", tmp_path, "delivery"), 1)
    for offset in (3, 4, 6, 7):
        releases.handle(raw(offset))
    releases.places[releases.tps[0]] = 9  # 5 and 8 hold no message

    async def read(first: int, count: int) -> list[int]:
        return [one.offset for one in await releases.read(0, first, count)]

    assert await read(3, 2) == [3, 4]
    assert await read(6, 1) == [6]
    assert await read(5, 2) == [6, 7]
    assert await read(8, 5) == []
    assert await read(9, 1) == []
    releases.places[releases.tps[0]] = 7  # 7 came, and is not told yet
    assert await read(4, 5) == [4, 6]
