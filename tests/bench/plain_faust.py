"""What the hub is compared with: an ordinary faust agent, as faust's documentation teaches it.

One table write per acknowledgement; table changelog on; RocksDB store; signatures not looked at; `faust worker`'s
own defaults otherwise. It decodes each message with the hub's codec and keeps the same bitmaps.

    python -m tests.bench.plain_faust <bootstrap servers> <data dir> <topic>
"""

from __future__ import annotations

import sys
from typing import Any

import faust
from pyroaring import BitMap

from hub.core.model import Acknowledgement
from hub.core.roaring import is_segment
from hub.wire.contracts import decode


def make_app(servers: str, data_dir: str, topic: str) -> faust.App:
    """The app: a topic, a table, an agent."""
    app = faust.App(
        f"app-{topic}",
        broker=f"kafka://{servers}",
        store="rocksdb://",
        datadir=data_dir,
        topic_partitions=12,
        web_enabled=False,
        topic_disable_leader=True,
    )
    acks = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    said = app.Table(
        "said",
        key_type=str,
        value_type=bytes,
        partitions=12,
        options={"driver": "rocksdict"},
    )

    @app.agent(acks)  # type: ignore[untyped-decorator]
    async def merge(stream: Any) -> None:
        async for value in stream:
            ack = decode(value, Acknowledgement)
            for outcome in ack.outcomes:
                for part in outcome.cases:
                    key = f"{ack.platform}/{outcome.partition}/{part.base}/{outcome.outcome}"
                    known = said.get(key)
                    assert is_segment(part.bitmap), "the platforms of the benchmark write no other"
                    bits = BitMap.deserialize(part.bitmap)
                    said[key] = bytes((bits if known is None else bits | BitMap.deserialize(known)).serialize())

    return app


if __name__ == "__main__":
    faust.Worker(make_app(*sys.argv[1:]), loglevel="WARN").execute_from_commandline()
