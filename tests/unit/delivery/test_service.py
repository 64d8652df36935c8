"""What a platform received is read from the workers' tiles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

from hub.core.model import Received
from hub.core.tile_records import received_key
from hub.delivery.service import ReceivedBook
from hub.settings import WorkerSettings
from hub.wire.contracts import encode
from tests.delivery_in_memory import LOG


def test_how_far_a_platform_received_may_become_less() -> None:
    """Workers' tiles are taken together; what one takes back, as of a stolen key, counts no more."""
    book = ReceivedBook(WorkerSettings("", Path(), "delivery"), LOG.partitions, asyncio.Event())

    def hear(epoch: bytes, through: int | None) -> dict[int, int]:
        value = None if through is None else encode(Received("hooky", 1, epoch, through))
        book.handle(SimpleNamespace(key=received_key("hooky", 1, epoch), value=value))
        return book.of("hooky")

    one, other = b"a" * 16, b"b" * 16
    assert (hear(one, 10), hear(other, 900), hear(one, 12)) == ({1: 10}, {1: 900}, {1: 900})
    assert (hear(other, 11), hear(one, None), hear(other, None)) == ({1: 12}, {1: 11}, {})
    assert book.fresh == {"hooky"}
