"""This module encodes and decodes the hub's messages (Avro single-object encoding), and lists the topics.

A decoder checks these rules in this order:
1. a message starts with C3 01 and the CRC-64-AVRO fingerprint, little-endian, of a released schema of the kinds
   asked for (Avro 1.12 specification, "Single-object encoding");
2. it is at most `LIMITS_BYTES[kind]` bytes;
3. it is the one canonical form of its value, with nothing left over, and every enum symbol is one that this version
   knows (`hub.wire.canonical`).

What `encode` returns has been read back by the same rules, so the hub and its SDK never send what they would refuse.
Schemas are append-only files, for example `schemas/number_event/v1.avsc`. No schema registry is used.
"""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import yaml
from aiokafka.partitioner import murmur2
from fastavro import parse_schema, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from hub.core import model
from hub.errors import ContractError
from hub.wire.canonical import Malformed, Reader, reader

V = TypeVar("V")
W = TypeVar("W")
X = TypeVar("X")

MARKER = b"\xc3\x01"
HEADER_BYTES = 10
SMALL_BYTES = 64 * 1024
LIMITS_BYTES: dict[type, int] = {
    model.Acknowledgement: 256 * 1024,
    # The hub's own records may hold one whole message from outside, or several 8 KiB bitmaps.
    model.Rejected: 2 * 1024 * 1024,
    model.Tile: 256 * 1024,
    model.Gaps: 256 * 1024,
    model.HeldEvent: 256 * 1024,
    model.Lookup: 256 * 1024,
}
KINDS: dict[str, type] = {
    "number_event": model.NumberEvent,
    "operator_report": model.OperatorReport,
    "receipt": model.Receipt,
    "rejected": model.Rejected,
    "release_notice": model.ReleaseNotice,
    "acknowledgement": model.Acknowledgement,
    "platform": model.Platform,
    "operator": model.Operator,
    "tile": model.Tile,
    "received": model.Received,
    "judged": model.Judged,
    "coverage": model.Coverage,
    "gaps": model.Gaps,
    "clock": model.Clock,
    "hub_log": model.HubLog,
    "hub_key": model.HubKey,
    "report": model.Report,
    "accepted_report": model.AcceptedReport,
    "report_receipt": model.ReportReceipt,
    "report_request": model.ReportRequest,
    "report_answer": model.ReportAnswer,
    "accepted_answer": model.AcceptedAnswer,
    "trial": model.Trial,
    "trial_result": model.TrialResult,
    "unheard": model.Unheard,
    "held_event": model.HeldEvent,
    "held_release": model.HeldRelease,
    "held_decided": model.HeldDecided,
    "ported_notice": model.PortedNotice,
    "lookup": model.Lookup,
}


@cache
def schemas_dir() -> Path:
    """Return the folder of the schemas: it is inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "schemas", package.parent / "schemas"):
        if (place / "topics.yaml").is_file():
            return place
    raise ContractError("schemas not found beside hub", todo="Install the package again; its schemas are missing.")


class Released(NamedTuple):
    """One released version of a schema, ready for use. `plain` is the schema without logical types."""

    version: int
    source: dict[str, Any]
    plain: Any
    header: bytes


def _strip_logical(node: Any) -> Any:
    """Return the schema with times and dates as the plain integers that the core computes with."""
    if isinstance(node, dict):
        return {k: _strip_logical(v) for k, v in node.items() if k != "logicalType"}
    return [_strip_logical(v) for v in node] if isinstance(node, list) else node


@cache
def released(kind: str) -> tuple[Released, ...]:
    """Return every released version of a schema, oldest first."""
    found = []
    for path in sorted((schemas_dir() / kind).glob("v*.avsc"), key=lambda p: int(p.stem[1:])):
        source = json.loads(path.read_text(encoding="utf-8"))
        mark = bytes.fromhex(fingerprint(to_parsing_canonical_form(source), "CRC-64-AVRO"))
        found.append(Released(int(path.stem[1:]), source, parse_schema(_strip_logical(source)), MARKER + mark))
    return tuple(found)


def to_avro(value: Any) -> Any:
    """Return values of `hub.core.model` as the plain dicts and lists that fastavro writes."""
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        if fields is None:
            return [to_avro(item) for item in value]
        return {name: to_avro(item) for name, item in zip(fields, value, strict=True)}
    return value


def _name_of(kind: type) -> str:
    return next(name for name, known in KINDS.items() if known is kind)


class _Coder(NamedTuple):
    """How one released version of one kind is written and read."""

    kind: type
    limit_bytes: int
    form: Released
    read: Reader


@cache
def _coders(kind: type) -> tuple[_Coder, ...]:
    limit_bytes = LIMITS_BYTES.get(kind, SMALL_BYTES)
    return tuple(_Coder(kind, limit_bytes, form, reader(form.plain, kind)) for form in released(_name_of(kind)))


@cache
def _by_header(kinds: tuple[type, ...]) -> dict[bytes, _Coder]:
    return {coder.form.header: coder for kind in kinds for coder in _coders(kind)}


def encode(value: tuple[Any, ...]) -> bytes:
    """Return one value of `hub.core.model` as single-object bytes of its newest schema.

    Raises:
        ContractError: the value does not fit its schema or its size limit.
    """
    coder = _coders(type(value))[-1]
    out = BytesIO()
    out.write(coder.form.header)
    try:
        schemaless_writer(out, coder.form.plain, to_avro(value))
        data = out.getvalue()
        # The writer cuts 1.5 to 1, writes any long as an int, and writes unknown enum symbols. Reading back finds this.
        if coder.read(data, HEADER_BYTES) != value:
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as wrong:
        raise ContractError(
            f"{coder.kind.__name__} does not fit its schema: {type(wrong).__name__}",
            todo=f"See schemas/{_name_of(coder.kind)}; every field must have the type given there.",
        ) from wrong
    if len(data) > coder.limit_bytes:
        raise ContractError(
            f"{coder.kind.__name__} is {len(data)} bytes, more than {coder.limit_bytes}",
            todo="Send less in one message.",
        )
    return data


@overload
def decode(data: bytes | None, kind: type[V], /) -> V: ...
@overload
def decode(data: bytes | None, kind: type[V], other: type[W], /) -> V | W: ...
@overload
def decode(data: bytes | None, kind: type[V], other: type[W], third: type[X], /) -> V | W | X: ...
@overload
def decode(data: bytes | None, *kinds: type[Any]) -> Any: ...
def decode(data: bytes | None, *kinds: type[Any]) -> Any:
    """Return the value in single-object bytes, if it is one of `kinds`, canonical and within limits.

    Raises:
        ContractError: it is anything else. The message names the broken rule and never quotes the bytes.
    """
    if data is None or len(data) < HEADER_BYTES:
        raise _undecodable("no single-object header")
    coder = _by_header(kinds).get(data[:HEADER_BYTES])
    if coder is None:
        raise _undecodable("not a released schema of " + " or ".join(kind.__name__ for kind in kinds))
    if len(data) > coder.limit_bytes:
        raise _undecodable(f"{coder.kind.__name__} is {len(data)} bytes, more than {coder.limit_bytes}")
    try:
        return coder.read(data, HEADER_BYTES)
    except Malformed as wrong:
        raise _undecodable(f"{coder.kind.__name__}: {wrong}") from None


def _undecodable(what: str) -> ContractError:
    return ContractError(what, todo="Encode with a released schema, canonically, within the size limit.")


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, by Kafka's default partitioner, murmur2 (as in org.apache.kafka Utils)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions  # type: ignore[no-any-return]


class TopicSpec(NamedTuple):
    """One topic of `schemas/topics.yaml`. `partitions` is a number, or "N" for the hub's number of partitions."""

    name: str
    kinds: tuple[str, ...]
    owner: str
    key: str
    partitions: str
    retention: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    signed: bool


@cache
def topics() -> dict[str, TopicSpec]:
    """Return every topic by name. `receipts.<operator>` stands for one topic per operator; `inbox.<platform>` is
    alike.
    """
    raw = yaml.safe_load((schemas_dir() / "topics.yaml").read_text(encoding="utf-8"))
    return {
        name: TopicSpec(
            name=name,
            kinds=tuple(one["kinds"]),
            owner=one["owner"],
            key=one["key"],
            partitions=str(one["partitions"]),
            retention=one["retention"],
            writers=tuple(one["writers"]),
            readers=tuple(one["readers"]),
            signed=bool(one.get("signed", False)),
        )
        for name, one in raw["topics"].items()
    }


EVENTS = "events"
RELEASES = "releases"
ACKS = "acks"
REJECTED = "rejected"
PLATFORMS = "platforms"
OPERATORS = "operators"
TILES = "tiles"
COVERAGE = "coverage"
GAPS = "gaps"
CLOCK = "clock"
HUB = "hub"
REPORTS = "reports"
REPORTED = "reported"
ANSWERS = "answers"
HELD = "held"
LOOKUPS = "lookups"


def receipts_topic(operator: str) -> str:
    """Return the topic of an operator's receipts."""
    return f"receipts.{operator}"


def inbox_topic(platform: str) -> str:
    """Return the topic in which the hub asks and tells one platform alone."""
    return f"inbox.{platform}"
