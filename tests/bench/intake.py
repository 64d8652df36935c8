"""Intake: signed events a second, until they are committed with notices and receipts on the broker."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from hub.wire.contracts import receipts_topic
from tests.bench import messages
from tests.bench.rig import PARTITIONS, rig

log = logging.getLogger(__name__)

EVENTS = (40_000, 1_000)
TARGET_PER_S = 2_500


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure one backlog of events."""
    async with rig(folder, quick=quick, platforms=1) as one:
        now_ms = int(time.time() * 1000)
        count = one.size(*EVENTS)
        one.produce("events", messages.events(0, count, one.log.hub_id, PARTITIONS, now_ms))
        pid = await one.start_worker()
        rate = await one.drain("events", pid)
        receipts = sum((await one.ends(receipts_topic(messages.OPERATOR), 1)).values())
        notices = sum((await one.ends("releases")).values())
    return {
        **rate._asdict(),
        "events": count,
        "receipts": receipts,
        "notices": notices,
        "target_per_second": TARGET_PER_S,
    }
