"""Acknowledged positions per second: what one core makes durable, beside an ordinary faust agent.

A backlog is written while the worker is stopped. Its rate is taken between the first and the last commit of the
group, and the hub commits only what lies on the broker in tiles. Platforms walk through the log side by side; the
positions of a message are scattered over a segment, so no run-length coding helps.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tests.bench import plain
from tests.bench.messages import AckShape
from tests.bench.rig import PARTITIONS, Filled, Rate, Rig, fill_releases, rig

log = logging.getLogger(__name__)

PLATFORMS = 100
CASES = (600_000, 120_000)
SIZES = (1, 10, 100, 1_000)
SIGNED_BACKLOG = (120_000, 3_000)
UNCHECKED_BACKLOG = (500_000, 6_000)
"""In a full run, in a smoke; for 1,000 positions a message, half."""

PLAIN_BACKLOG = (120_000, 3_000)
PLAIN_LONGEST_S = 20.0
TARGETS: dict[str, float] = {
    "signed_1_messages_per_s": 10_000,
    "signed_1000_positions_per_s": 8_000_000,
    "unchecked_1_messages_per_s": 200_000,
    "unchecked_1000_positions_per_s": 100_000_000,
}


async def run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure every size signed, unchecked and in the ordinary agent."""
    rows = []
    async with rig(folder, quick=quick, platforms=PLATFORMS) as one:
        through = await fill_releases(one, one.size(*CASES))
        await one.start_worker()
        await one.stop_worker()
        for positions in SIZES:
            signed = await _hub(one, through, positions, signed=True)
            unchecked = await _hub(one, through, positions, signed=False)
            ordinary = await _plain(one, through, positions)
            rows.append(_row(positions, signed, unchecked, ordinary))
            log.info("%s", rows[-1])
    return {"platforms": PLATFORMS, "cases": one.size(*CASES), "rows": rows, "targets": TARGETS}


def _shape(one: Rig, through: Filled, positions: int, *, signed: bool) -> AckShape:
    return AckShape(positions, *through, PLATFORMS, signed, one.log.hub_id, one.log.log_id, PARTITIONS)


async def _hub(one: Rig, through: Filled, positions: int, *, signed: bool) -> Rate:
    count = one.size(*(SIGNED_BACKLOG if signed else UNCHECKED_BACKLOG)) // (2 if positions == SIZES[-1] else 1)
    one.produce("acks", _shape(one, through, positions, signed=signed).messages(count, positions + signed))
    pid = await one.start_worker(fault=None if signed else "unchecked")
    rate = await one.drain("acks", pid)
    await one.stop_worker()
    return rate


async def _plain(one: Rig, through: Filled, positions: int) -> Rate:
    """The ordinary agent, in a topic and with a group of its own each time, its state empty at first."""
    topic = f"plain-acks-{positions}"
    await plain.make_topics(one, topic)
    shape = _shape(one, through, positions, signed=False)
    one.produce(topic, shape.messages(one.size(*PLAIN_BACKLOG), positions))
    async with plain.running(one, topic) as pid:
        return await one.drain(topic, pid, group=plain.group(topic), longest_s=PLAIN_LONGEST_S)


def _row(positions: int, signed: Rate, unchecked: Rate, ordinary: Rate) -> dict[str, Any]:
    share = 1 - signed.per_second / unchecked.per_second if unchecked.per_second else None
    return {
        "positions_a_message": positions,
        "signed": _figures(signed, positions),
        "unchecked": _figures(unchecked, positions),
        "plain_faust": _figures(ordinary, positions),
        "share_of_time_in_signatures": share,
    }


def _figures(rate: Rate, positions: int) -> dict[str, float]:
    return {
        "messages_per_s": rate.per_second,
        "positions_per_s": rate.per_second * positions,
        "messages_per_core_s": rate.per_core_second,
        "messages": rate.messages,
        "seconds": rate.seconds,
        "worker_core_share": rate.worker_core_share,
        "broker_core_share": rate.broker_core_share,
    }
