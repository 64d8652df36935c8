"""This module says in which bytes the fold of `releases` keeps its rows on disk (`hub.folds.case_store`).

For example, `place_key(b"o", 7, 0)` is the key of the row that says how far partition 7 is folded.
"""

from __future__ import annotations

import json
import struct
from typing import NamedTuple

from hub.core.cases import Case
from hub.core.model import Breach, Source, Stage

PLACE = struct.Struct(">HQ")
_to_json = json.JSONEncoder(separators=(",", ":")).encode


class AcceptedSource(NamedTuple):
    """What the fold says of an accepted event: where its notice lies, and which breaches of its case it shows.

    `case` is the opener of the case it moves; None if it opened one.
    """

    position: Source
    breaches: tuple[Breach, ...]
    case: Source | None = None


def place_key(kind: bytes, partition: int, offset: int) -> bytes:
    """Return the key of a row of a kind (one byte) at a place. A partition's keys are in the order of its offsets."""
    return kind + PLACE.pack(partition, offset)


def event_key(partition: int, operator: str, event_id: bytes) -> bytes:
    """Return the key of the row of an accepted event."""
    return b"e" + partition.to_bytes(2, "big") + event_id + operator.encode()


def pack_case(case: Case) -> bytes:
    """Return the row of a number's last case."""
    return _to_json([*case[:11], [one.hex() for one in case.event_ids], *case[12:]]).encode()


def unpack_case(data: bytes) -> Case:
    """Read what `pack_case` wrote."""
    position, operator, opened_as, stage, *rest = json.loads(data)
    events = tuple(bytes.fromhex(one) for one in rest[7])
    return Case._make([Source(*position), operator, Stage(opened_as), Stage(stage), *rest[:7], events, *rest[8:]])


def pack_accepted(accepted: AcceptedSource) -> bytes:
    """Return the offset of the notice, the offset of its case's opener unless it is that itself, and the breaches."""
    case = () if accepted.case is None else (accepted.case.offset,)
    return _to_json([accepted.position.offset, *case, *accepted.breaches]).encode()


def unpack_accepted(partition: int, row: bytes) -> AcceptedSource:
    """Read what `pack_accepted` wrote. Rows of earlier versions name no case."""
    offset, *rest = json.loads(row)
    case = Source(partition, rest.pop(0)) if rest and isinstance(rest[0], int) else None
    return AcceptedSource(Source(partition, offset), tuple(Breach(one) for one in rest), case)
