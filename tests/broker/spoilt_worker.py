"""A worker with one fault built in: `python spoilt_worker.py FAULT worker ...`, run by tests and the benchmark.

Faults: `ack-early` acknowledges chunks before their tiles are durable, `unchecked` takes every signature for good,
`rule:<number>` makes intake's rules raise for one number, `merge:<platform>` makes coverage raise for one
platform, `send:<topic>` makes the producer fail on a topic as it does when the broker is gone, `stop:<topic>` stops
the process (SIGSTOP, once) when it is about to send its `STOP_AT`th message to a topic.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from hub.cli import run
from hub.core import acks, books, numbers
from hub.stream import app
from hub.stream.coverage import CoverageWorker
from hub.stream.runner import Chunk
from hub.wire.checking import Opener

STOP_AT = 12


def program(fault: str) -> tuple[str, ...]:
    """What Python runs in place of the hub's package, to have a worker with this fault."""
    return (__file__, fault)


class EarlyAcks(CoverageWorker):
    """Coverage without its promise: a chunk is acked when it is merged, not when its tiles are on the brokers."""

    async def handle(self, chunk: Chunk) -> None:
        """Merge a chunk and ack it at once."""
        await super().handle(chunk)
        chunk.ack()


class Unchecked(Opener):
    """An opener that takes every signature for good."""

    def _holds(self, *_: object) -> bool:
        return True


def _raises(real: Callable[..., Any], when: Callable[..., bool], error: type[Exception]) -> Callable[..., Any]:
    def spoilt(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            raise error
        return real(*args, **kwargs)

    return spoilt


def _stops(real: Callable[..., Any], topic: str) -> Callable[..., Any]:
    count = itertools.count(1)

    def spoilt(producer: Any, to: str, *args: Any, **kwargs: Any) -> Any:
        if to == topic and next(count) == STOP_AT:
            os.kill(os.getpid(), signal.SIGSTOP)
        return real(producer, to, *args, **kwargs)

    return spoilt


def spoil(fault: str) -> None:
    """Build the fault in."""
    kind, _, of = fault.partition(":")
    match kind:
        case "ack-early":
            app.CoverageWorker = EarlyAcks  # type: ignore[attr-defined]
        case "unchecked":
            app.Opener = Unchecked  # type: ignore[attr-defined]
        case "rule":
            numbers.is_e164 = _raises(numbers.is_e164, lambda number: number == of, ZeroDivisionError)
        case "merge":
            real = acks.apply
            books.apply = _raises(real, lambda _, ack, __: ack.platform == of, ZeroDivisionError)  # type: ignore[attr-defined]
        case "send":
            sends = AIOKafkaProducer.send
            AIOKafkaProducer.send = _raises(sends, lambda _self, topic: topic == of, KafkaTimeoutError)
        case "stop":
            AIOKafkaProducer.send = _stops(AIOKafkaProducer.send, of)
        case _:
            raise SystemExit(f"no fault {fault}")


if __name__ == "__main__":
    spoil(sys.argv.pop(1))
    run()
