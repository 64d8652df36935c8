"""This module holds what a flush of the coverage stage makes durable, as values, in the order in which that is done.

`hub.core.shelf` decides on it, and `hub.stream.coverage` carries it out. For example, a flush writes a tile of `bank`,
acks the chunk that it came from, and removes the tile that an earlier epoch had written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hub.core.model import Judged, Platform, Received, Record, Refusal, Tile

Ack = Callable[[], None]
"""Tells the broker that a chunk of `acks` is durable."""


class Write(NamedTuple):
    """A record of `tiles` to be written."""

    key: bytes
    value: Tile | Received | Judged


class Change(NamedTuple):
    """A record of `tiles` that is written after the others, or, without a value, the removal of its key."""

    key: bytes
    value: Judged | None


class Refused(NamedTuple):
    """A message of `acks` that does not count. `platform` is told about it, if it is known."""

    record: Record
    platform: Platform | None
    reason: Refusal


class Flush(NamedTuple):
    """What is made durable, in this order: `writes` and `refused`; then `acks` are called; then `changes` follow.

    `writes` are made one by one as they are read. `at_ms` is the record time of the last message, or None.
    """

    writes: Iterator[Write]
    refused: list[Refused]
    acks: list[Ack]
    changes: list[Change]
    at_ms: int | None
