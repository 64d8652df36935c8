"""Schemas only ever grow: released files stay as they are, and every version reads every other."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from hub.wire.canonical import reader
from hub.wire.contracts import KINDS, released, schemas_dir

FORMS = [(kind, form) for kind in KINDS for form in released(kind)]


def test_versions_are_counted_without_holes() -> None:
    """Versions of a schema are files v1, v2, … that only ever get company."""
    for kind in KINDS:
        assert [form.version for form in released(kind)] == list(range(1, len(released(kind)) + 1)), kind
        names = {path.name for path in (schemas_dir() / kind).iterdir()}
        assert names == {"examples", *(f"v{form.version}.avsc" for form in released(kind))}


def crc_64_avro(data: bytes) -> bytes:
    """CRC-64-AVRO, little-endian (Avro 1.12 specification, "Schema Fingerprints"), without its table."""
    rabin = empty = 0xC15D213AA4D7A795
    for byte in data:
        rabin ^= byte
        for _ in range(8):
            rabin = rabin >> 1 ^ (empty & -(rabin & 1))
    return rabin.to_bytes(8, "little")


def canonical_form(node: Any, known: set[str], space: str = "") -> str:
    """Parsing Canonical Form, from the specification's rules; the `avro` package gets repeated names wrong."""
    if isinstance(node, str):
        full = f"{space}.{node}"
        return json.dumps(full if full in known else node)
    if isinstance(node, list):
        return "[" + ",".join(canonical_form(one, known, space) for one in node) + "]"
    if node["type"] == "array":
        return '{"type":"array","items":' + canonical_form(node["items"], known, space) + "}"
    if "name" not in node:
        return canonical_form(node["type"], known, space)
    space = node.get("namespace", space)
    known.add(f"{space}.{node['name']}")
    start = f'{{"name":"{space}.{node["name"]}","type":"{node["type"]}"'
    if node["type"] == "fixed":
        return f'{start},"size":{node["size"]}}}'
    if node["type"] == "enum":
        return start + ',"symbols":' + json.dumps(node["symbols"], separators=(",", ":")) + "}"
    inner = (f'{{"name":"{one["name"]}","type":{canonical_form(one["type"], known, space)}}}' for one in node["fields"])
    return start + ',"fields":[' + ",".join(inner) + "]}"


def test_a_released_schema_is_never_edited() -> None:
    """Every released file has the digest and fingerprint it was released with, and the lock misses none."""
    lock = json.loads((schemas_dir() / "lock.json").read_text(encoding="utf-8"))
    found = {
        kind: {
            path.stem: {
                "fingerprint": crc_64_avro(
                    canonical_form(json.loads(path.read_text(encoding="utf-8")), set()).encode()
                ).hex(),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in (schemas_dir() / kind).glob("v*.avsc")
        }
        for kind in KINDS
    }
    assert found == lock


def test_a_message_begins_with_the_fingerprint_of_its_schema() -> None:
    """The ten bytes before every message are the marker and the fingerprint in the lock, as the specification says."""
    lock = json.loads((schemas_dir() / "lock.json").read_text(encoding="utf-8"))
    for kind, form in FORMS:
        assert form.header == b"\xc3\x01" + bytes.fromhex(lock[kind][f"v{form.version}"]["fingerprint"]), kind


def can_read(new: Any, old: Any) -> bool:
    """Whether a reader of one schema reads what a writer of another wrote, by the `avro` package."""
    checker = ReaderWriterCompatibilityChecker()
    result = checker.get_compatibility(avro.schema.parse(json.dumps(new)), avro.schema.parse(json.dumps(old)))
    return bool(result.compatibility is SchemaCompatibilityType.compatible)


@pytest.mark.parametrize("kind", KINDS)
def test_every_version_reads_every_other(kind: str) -> None:
    """Old readers read new messages and new readers old ones, over all pairs of versions (FULL_TRANSITIVE)."""
    for one in released(kind):
        for other in released(kind):
            assert can_read(one.source, other.source), f"v{one.version} cannot read v{other.version}"


def evolved(**changes: Any) -> dict[str, Any]:
    """A schema of two fields with one field changed or added, or taken away with None."""
    one: dict[str, Any] = {
        "a": {"type": "long"},
        "e": {"type": {"type": "enum", "name": "E", "symbols": ["UNKNOWN", "X"], "default": "UNKNOWN"}},
    }
    kept = {name: field for name, field in (one | changes).items() if field is not None}
    return {"type": "record", "name": "R", "fields": [{"name": name, **field} for name, field in kept.items()]}


NO_DEFAULT = {"type": {"type": "enum", "name": "E", "symbols": ["UNKNOWN", "X", "Y"]}}
MORE = {"type": {"type": "enum", "name": "E", "symbols": ["UNKNOWN", "X", "Y"], "default": "UNKNOWN"}}


@pytest.mark.parametrize(
    ("changes", "full"),
    [
        ({}, True),
        ({"b": {"type": "long", "default": 0}}, True),
        ({"e": MORE}, True),
        ({"b": {"type": "long"}}, False),
        ({"a": None}, False),
        ({"a": {"type": "string"}}, False),
        ({"a": {"type": "int"}}, False),
        ({"a": {"type": ["null", "long"]}}, False),
    ],
    ids=["same", "added-default", "added-symbol", "added", "removed", "string", "narrower", "nullable"],
)
def test_the_compatibility_check_refuses_bad_evolutions(changes: dict[str, Any], full: bool) -> None:
    """A new version that an old reader cannot read, or the other way, does not get past the check."""
    old, new = evolved(), evolved(**changes)
    assert (can_read(old, new) and can_read(new, old)) is full


def test_a_symbol_without_a_default_is_refused() -> None:
    """An enum without its UNKNOWN cannot grow: an old reader would fail on the new symbol."""
    assert not can_read(
        evolved(e={"type": {"type": "enum", "name": "E", "symbols": ["UNKNOWN", "X"]}}), evolved(e=NO_DEFAULT)
    )


class Grown(NamedTuple):
    """A value of a later version: `b` is new, and `gone` is no longer."""

    a: int
    b: tuple[int, ...] = (7,)


class Ungrown(NamedTuple):
    """The same, but the new field has no default."""

    a: int
    b: int


def test_an_older_version_is_read_with_the_defaults_of_the_newer() -> None:
    """Messages of years ago stay readable: new fields take their default and dropped ones are passed over."""
    old = evolved(e=None, gone={"type": "string", "default": ""})
    assert reader(old, Grown)(bytes.fromhex("06 04 6869"), 0) == Grown(3, (7,))
    with pytest.raises(TypeError, match="no default for b"):
        reader(old, Ungrown)


MANY = [f"S{place}" for place in range(65)]


class Endless(NamedTuple):
    """A value of a schema that holds itself."""

    next: Endless | None


class Measured(NamedTuple):
    """A value with a type the hub does not read."""

    a: float


@pytest.mark.parametrize(
    ("schema", "kind", "wrong"),
    [
        (
            {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]},
            Endless,
            "recursive",
        ),
        (evolved(a={"type": "double"}, e=None), Measured, "no Avro double"),
        (evolved(a={"type": ["null", "int", "long"]}, e=None), Grown, "unions of null and one type"),
        (evolved(a={"type": ["long", "null"]}, e=None), Grown, "null first"),
        (evolved(a={"type": {"type": "enum", "name": "E", "symbols": MANY}}, e=None), Grown, "more symbols"),
    ],
    ids=["recursive", "double", "union", "null-last", "enum"],
)
def test_the_hub_makes_no_reader_for_a_schema_it_cannot_read(schema: Any, kind: type, wrong: str) -> None:
    """A schema the hub cannot read safely fails when it is added, not when the first message comes."""
    with pytest.raises(TypeError, match=wrong):
        reader(schema, kind)
