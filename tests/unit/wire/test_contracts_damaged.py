"""What a stranger sends is refused or understood: damaged messages by the ten thousand, judged by another decoder."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub.errors import ContractError
from hub.wire.contracts import HEADER_BYTES, KINDS, decode, encode, released, to_avro
from tests.places import ROOT
from tests.unit import damaged_bitmaps
from tests.unit.schema_files import Outsider, examples, value_of

MUTANTS = 10_000
SLOW_MS = 50
"""Of the processor's time, so that a busy machine fails no test; a message takes a millisecond at most."""
INPUTS = ["number_event", "operator_report", "acknowledgement", "platform", "operator"]
INPUTS += ["report", "report_answer", "trial", "trial_result", "report_request"]


def seeds(kind: str) -> list[bytes]:
    """The encoded good examples of a kind."""
    return [encode(value_of(KINDS[kind], one.content)) for one in examples("good") if one.kind == kind]


def tampered_varint(chance: random.Random, data: bytearray) -> None:
    """Make a varint longer than it needs, wider than it may be, or negative."""
    at = chance.randrange(len(data))
    if chance.random() < 0.4:
        data[at : at + 1] = bytes([data[at] | 0x80, 0x00])
    elif chance.random() < 0.5:
        data[at : at + 1] = b"\xff" * chance.randrange(1, 11) + bytes([chance.randrange(128)])
    else:
        data[at] ^= 1


def mutants(kind: str, count: int) -> Iterator[bytes]:
    """Good messages with one to four things done to them, most behind the header, which is soon checked."""
    chance = random.Random(f"mutants of {kind}")
    sound = seeds(kind)
    for _ in range(count):
        whole = chance.choice(sound)
        keep = HEADER_BYTES if chance.random() < 0.95 else 0
        data = bytearray(whole[keep:])
        for _ in range(chance.choice([1, 1, 1, 2, 4])):
            at = chance.randrange(len(data) + 1)
            change = chance.randrange(7)
            if change == 0:
                data[at : at + 1] = chance.randbytes(1)
            elif change == 1:
                data[at:at] = chance.randbytes(chance.randrange(1, 4))
            elif change == 2:
                del data[at : at + chance.randrange(1, 4)]
            elif change == 3 and chance.random() < 0.2:
                del data[at:]
            elif change == 4:
                other = chance.choice(sound)
                data[at:] = other[chance.randrange(HEADER_BYTES, len(other)) :]
            elif data and change == 5:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            elif data:
                tampered_varint(chance, data)
        yield whole[:keep] + bytes(data)


def holds_unknown(value: Any) -> bool:
    """Whether a symbol that no one knows stands anywhere in what was read."""
    if isinstance(value, dict):
        return any(holds_unknown(one) for one in value.values())
    if isinstance(value, list):
        return any(holds_unknown(one) for one in value)
    return bool(value == "UNKNOWN")


@pytest.mark.long
@pytest.mark.parametrize("kind", INPUTS)
def test_a_damaged_message_is_refused_or_means_what_it_says(
    kind: str, record_property: Callable[[str, object], None]
) -> None:
    """No damage makes the hub read another value than an independent decoder does, fail otherwise, or take long."""
    outsider = Outsider(released(kind)[-1])
    accepted = refused_unknown = 0
    for data in mutants(kind, MUTANTS):
        began = time.thread_time()
        try:
            value: Any = decode(data, KINDS[kind])
        except ContractError:
            value = None
        assert 1_000 * (time.thread_time() - began) < SLOW_MS, data.hex()
        expected = outsider.canonical(data)
        if value is not None:
            accepted += 1
            assert to_avro(value) == expected, data.hex()
        elif expected is not None:
            # What it refuses and others read is a symbol without a meaning to the hub, and nothing else.
            refused_unknown += 1
            assert holds_unknown(expected), data.hex()
    record_property("accepted", accepted)
    sys.stdout.write(f"{kind}: {accepted} of {MUTANTS} still stood for a value, {refused_unknown} held UNKNOWN\n")
    assert 0 < accepted < MUTANTS / 2


@pytest.mark.long
def test_a_damaged_bitmap_is_refused_or_is_the_set_it_says(record_property: Callable[[str, object], None]) -> None:
    """No damage to a bitmap crashes the hub's process, or makes it count a position nobody acknowledged."""
    ended = subprocess.run(
        [sys.executable, "-m", damaged_bitmaps.__name__, "1", str(MUTANTS)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    found = json.loads(ended.stdout)
    record_property("accepted", found["accepted"])
    assert found["wrong"] == 0
    assert found["missed"] == 0
    assert 0 < found["accepted"] < MUTANTS / 2
    assert found["slowest_ms"] < SLOW_MS
