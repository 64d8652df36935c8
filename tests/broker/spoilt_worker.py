"""A worker with one fault built in: `python spoilt_worker.py FAULT worker ...`, run by `test_poison.py`.

Faults: `rule:<number>` makes intake's rules raise for one number, `merge:<platform>` makes coverage raise for one
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
from hub.core import acks, numbers
from hub.stream import coverage

STOP_AT = 12


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
        case "rule":
            numbers.is_e164 = _raises(numbers.is_e164, lambda number: number == of, ZeroDivisionError)
        case "merge":
            real = acks.apply
            coverage.apply = _raises(real, lambda _, ack, __: ack.platform == of, ZeroDivisionError)  # type: ignore[attr-defined]
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
