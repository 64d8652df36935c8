"""The contracts are closed in both directions, only ever grow, and hold in hands that never saw the hub's code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pyroaring import BitMap
from schema_files import Example, Outsider, bad_bytes, examples, json_of, value_of, vectors

import hub.canonical
from hub import contracts
from hub.canonical import reader
from hub.contracts import KINDS, decode, encode, released, schemas_dir, topics
from hub.core import model
from hub.core.coverage import unpack_checked
from hub.errors import ContractError
from hub.signing import read_seal, signature_holds, signed_bytes

GOOD = list(examples("good"))
BAD = list(examples("bad"))
FORMS = [(kind, form) for kind in KINDS for form in released(kind)]
ENUMS = {"Reason": "ReleaseReason"}
"""Enums whose name in the schema is not the one in `hub.core.model`."""
NOT_TIMES = {("ReleaseNotice", "opened_at")}
"""Fields that end like times and are offsets."""
TIME_NAME = re.compile(r"(^|_)(at|until|before|from|since|now_ms)$")
NESTING_MAX = 6
"""Records and arrays within each other: a tile within a message is four."""


def named(example: Example) -> str:
    return example.name


# ---- Walking a schema ----


class Seen(NamedTuple):
    """One type of a schema, where it stands, and the hint of the hub's value for it."""

    path: str
    node: Any
    hint: Any


def walk(node: Any, hint: Any, path: str, known: dict[str, Any]) -> Iterator[Seen]:
    """Every type of a schema beside the hint of the value it becomes, optional ones opened."""
    if isinstance(node, list):
        (inner,) = (one for one in node if one != "null")
        assert get_origin(hint) is UnionType, f"{path} may be null and the hub's value may not"
        assert NoneType in get_args(hint), path
        (plain,) = (one for one in get_args(hint) if one is not NoneType)
        yield from walk(inner, plain, path, known)
        return
    node = known.get(node, node) if isinstance(node, str) else node
    if isinstance(node, dict) and "name" in node:
        known[node["name"]] = node
    yield Seen(path, node, hint)
    if isinstance(node, dict) and node["type"] == "array":
        assert get_origin(hint) is tuple, path
        yield from walk(node["items"], get_args(hint)[0], f"{path}[]", known)
    if isinstance(node, dict) and node["type"] == "record":
        hints = get_type_hints(hint)
        assert [one["name"] for one in node["fields"]] == list(hints), f"{path}: fields differ from {hint.__name__}"
        for one in node["fields"]:
            yield from walk(one["type"], hints[one["name"]], f"{path}.{one['name']}", known)


ALL = [
    pytest.param(list(walk(form.source, KINDS[kind], kind, {})), id=f"{kind}-v{form.version}")
    for kind, form in FORMS
    if form is released(kind)[-1]
]


def fields(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every record within a schema, with the record's name."""
    if isinstance(node, list):
        for one in node:
            yield from fields(one)
    elif isinstance(node, dict):
        for one in node.get("fields", ()):
            yield node["name"], one
            yield from fields(one["type"])
        for inner in ("type", "items", "values"):
            yield from fields(node.get(inner))


def enums(node: Any) -> Iterator[dict[str, Any]]:
    """Every enum within a schema."""
    if isinstance(node, list):
        for one in node:
            yield from enums(one)
    elif isinstance(node, dict):
        if node.get("type") == "enum":
            yield node
        for inner in (node.get("type"), node.get("items"), *(one["type"] for one in node.get("fields", ()))):
            yield from enums(inner)


# ---- Closed in both directions ----


def test_every_kind_has_a_schema_folder_and_every_folder_a_kind() -> None:
    """No message of the hub lacks a schema, and no schema lies about that nothing uses."""
    folders = {path.parent.name for path in schemas_dir().glob("*/*.avsc")}
    assert folders == set(KINDS)
    assert {path.name for path in schemas_dir().iterdir() if path.is_dir()} == {*KINDS, "vectors"}


def test_every_kind_has_a_topic_and_every_topic_known_kinds_and_an_owner() -> None:
    """Every message has a topic with an owner, a writer and a reader, and every topic carries known messages."""
    assert {kind for topic in topics().values() for kind in topic.kinds} == set(KINDS)
    for topic in topics().values():
        assert topic.kinds, topic.name
        assert topic.owner, topic.name
        assert topic.key, topic.name
        assert topic.writers, topic.name
        assert topic.readers, topic.name
        assert topic.partitions in {"N", "M", "1"}, topic.name
        assert topic.retention in {"keep", "1y", "compact"}, topic.name


def test_every_topic_has_its_constant_and_every_constant_its_topic() -> None:
    """The topics that code can name are those the contract lists, and no others."""
    constants = {value for name, value in vars(contracts).items() if name.isupper() and isinstance(value, str)}
    assert constants | {contracts.receipts_topic("<operator>")} == set(topics())


def test_what_strangers_write_is_signed() -> None:
    """Exactly the topics that operators and platforms write to ask for signatures."""
    strangers = {"operator", "platform"}
    assert {name for name, topic in topics().items() if strangers & set(topic.writers)} == {"events", "acks"}
    assert {name for name, topic in topics().items() if topic.signed} == {"events", "acks"}


@pytest.mark.parametrize("quality", ["good", "bad"])
def test_every_kind_has_examples_and_no_folder_has_anything_else(quality: str) -> None:
    """Every message has good and bad examples to read, all of them used by these tests."""
    assert {example.kind for example in examples(quality)} == set(KINDS)
    on_disk = {path for path in schemas_dir().glob("*/examples/**/*") if path.is_file()}
    assert on_disk == {example.path for example in [*GOOD, *BAD]}


@pytest.mark.parametrize("seen", ALL)
def test_a_schema_has_the_fields_and_types_of_the_hubs_value(seen: list[Seen]) -> None:
    """A value of the core and its schema have the same fields in the same order, of the same types."""
    plain = {"string": str, "bytes": bytes, "long": int, "int": int, "boolean": bool, "fixed": bytes, "null": None}
    for path, node, hint in seen:
        kind = node if isinstance(node, str) else node["type"]
        if kind in plain:
            assert hint is plain[kind], path
        else:
            assert kind in {"record", "array", "enum"}, path


@pytest.mark.parametrize("seen", ALL)
def test_a_schema_has_the_defaults_of_the_hubs_value(seen: list[Seen]) -> None:
    """What a field is when it is left out is the same for the hub as for every reader of the schema."""
    for path, node, hint in seen:
        if isinstance(node, dict) and node["type"] == "record":
            ours = hint._field_defaults
            for one in node["fields"]:
                if "default" in one and one["name"] in ours:
                    assert json_of(ours[one["name"]]) == one["default"], f"{path}.{one['name']}"


@pytest.mark.parametrize("seen", ALL)
def test_an_enum_has_the_symbols_of_the_hubs_own(seen: list[Seen]) -> None:
    """The hub knows every symbol of its schemas, and has none that the schemas lack; UNKNOWN apart."""
    for path, node, hint in seen:
        if isinstance(node, dict) and node["type"] == "enum":
            assert issubclass(hint, StrEnum), path
            assert hint.__name__ == ENUMS.get(node["name"], node["name"]), path
            assert [one for one in node["symbols"] if one != "UNKNOWN"] == [one for one in hint if one != "UNKNOWN"]


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_every_enum_has_the_default_unknown(kind: str, form: contracts.Released) -> None:
    """A reader of an old version meets a new symbol as UNKNOWN instead of failing."""
    for enum in enums(form.source):
        assert enum["symbols"][0] == enum["default"] == "UNKNOWN", f"{kind}: {enum['name']}"


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_every_time_is_in_milliseconds_and_nothing_else_is(kind: str, form: contracts.Released) -> None:
    """Whoever reads a schema sees which longs are times, and that they are milliseconds."""
    for record, field in fields(form.source):
        is_time = '"timestamp-millis"' in json.dumps(field["type"]) and "fields" not in json.dumps(field["type"])
        by_name = TIME_NAME.search(field["name"]) is not None and (record, field["name"]) not in NOT_TIMES
        assert is_time == by_name, f"{kind}: {record}.{field['name']}"


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_every_field_says_what_it_is(kind: str, form: contracts.Released) -> None:
    """Someone who has only the schemas learns what each field means."""
    for record, field in [("", form.source), *fields(form.source)]:
        assert field.get("doc", "").endswith("."), f"{kind}: {record}.{field['name']}"


# ---- What a schema may not be ----


def lint(node: Any, depth: int = 0, open_names: tuple[str, ...] = (), known: dict[str, Any] | None = None) -> list[str]:
    """What is wrong with a schema: what could make some decoder run for ever, or read one value in two ways."""
    known = {} if known is None else known
    if isinstance(node, str):
        if node in open_names:
            return [f"recursion: {node}"]
        return [] if node not in known else lint(known[node], depth, open_names, known)
    if isinstance(node, list):
        wrong = [] if len(node) == 2 and "null" in node else ["a union of more than null and one type"]
        return wrong + [found for one in node for found in lint(one, depth, open_names, known)]
    wrong = ["aliases"] if "aliases" in node else []
    wrong += [f"nested deeper than {NESTING_MAX}"] if depth > NESTING_MAX else []
    name = node.get("name")
    if name is not None:
        known[name] = node
        open_names = (*open_names, name)
    if node["type"] == "record":
        return wrong + [found for one in node["fields"] for found in lint(one["type"], depth + 1, open_names, known)]
    if node["type"] in {"array", "map"}:
        inner = node["items"] if node["type"] == "array" else node["values"]
        wrong += lint(inner, depth + 1, open_names, known)
        wrong += ["a map: its order is free"] if node["type"] == "map" else []
        wrong += (
            ["items of no width"] if not any("recursion" in one for one in wrong) and width(inner, known) == 0 else []
        )
    wrong += [f"a {node['type']} has two forms for one value"] if node["type"] in {"float", "double"} else []
    return wrong


def width(node: Any, known: dict[str, Any]) -> int:
    """The fewest bytes a value of a type takes."""
    node = known.get(node, node) if isinstance(node, str) else node
    kind = node if isinstance(node, str) else "union" if isinstance(node, list) else node["type"]
    if kind == "record":
        return sum(width(one["type"], known) for one in node["fields"])
    return {"null": 0, "fixed": node["size"] if kind == "fixed" else 0}.get(kind, 1)


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_no_schema_can_make_a_decoder_run_for_ever(kind: str, form: contracts.Released) -> None:
    """No schema of the hub recurses, nests without bound or has array items that cost no bytes."""
    assert lint(form.source) == [], kind


NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
NOTHING = {"type": "record", "name": "Nothing", "fields": []}


def deep(levels: int) -> Any:
    return "int" if not levels else {"type": "array", "items": deep(levels - 1)}


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        (NODE, "recursion: Node"),
        ({"type": "array", "items": "null"}, "items of no width"),
        ({"type": "array", "items": NOTHING}, "items of no width"),
        ({"type": "array", "items": {"type": "fixed", "name": "None", "size": 0}}, "items of no width"),
        ({"type": "map", "values": "int"}, "a map: its order is free"),
        (deep(NESTING_MAX + 2), f"nested deeper than {NESTING_MAX}"),
        (["null", "int", "string"], "a union of more than null and one type"),
        ({"type": "fixed", "name": "A", "size": 1, "aliases": ["B"]}, "aliases"),
    ],
    ids=lambda value: value if isinstance(value, str) else "schema",
)
def test_the_lint_refuses_what_it_is_for(schema: Any, wrong: str) -> None:
    """A schema on which known decoders hang or die does not get past the lint."""
    assert wrong in lint(schema)


# ---- Only ever growing ----


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
    """Every released file has the digest and the fingerprint it was released with, and none is missing from the lock."""
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


@pytest.mark.parametrize("schema", [NODE, evolved(a={"type": "double"}), evolved(a={"type": ["null", "int", "long"]})])
def test_the_hub_makes_no_reader_for_a_schema_it_cannot_read(schema: Any) -> None:
    """A schema the hub cannot read safely fails when it is added, not when the first message comes."""

    class Anything(NamedTuple):
        next: model.Source | None = None
        a: int | None = None
        e: model.EventType = model.EventType.COOLING

    loop = get_type_hints(Anything, localns={"Anything": Anything})
    assert loop
    with pytest.raises(TypeError):
        reader(schema, Anything if schema is not NODE else Endless)


class Endless(NamedTuple):
    """A value of the recursive schema."""

    next: Endless | None


# ---- Examples ----


@pytest.mark.parametrize("example", GOOD, ids=named)
def test_a_good_example_is_read_as_it_was_written(example: Example) -> None:
    """A message means the same to whoever writes it and to whoever reads it."""
    value = value_of(KINDS[example.kind], example.content)
    assert decode(encode(value), type(value)) == value
    assert json_of(decode(encode(value), type(value))) == example.content


@pytest.mark.parametrize("example", GOOD, ids=named)
def test_a_good_example_means_the_same_to_another_avro(example: Example) -> None:
    """A decoder by others, from the specification, reads what the hub writes, to the last byte."""
    value = value_of(KINDS[example.kind], example.content)
    assert Outsider(released(example.kind)[-1]).read(encode(value)) == contracts.to_avro(value)


@pytest.mark.parametrize("example", BAD, ids=named)
def test_a_bad_example_is_refused_for_the_rule_it_breaks(example: Example) -> None:
    """Every rule of the contract has a message that breaks only it, and is refused for it."""
    data = bad_bytes(example.content)
    with pytest.raises(ContractError, match=re.escape(example.content["breaks"])) as refused:
        decode(data, KINDS[example.kind])
    assert example.content["hex"][20:] == "" or example.content["hex"][20:] not in str(refused.value)


def test_every_rule_of_the_decoder_has_a_bad_example() -> None:
    """No rule is without a message that shows what it is for."""
    sources = Path(hub.canonical.__file__).read_text(encoding="utf-8")
    rules = set(re.findall(r"Malformed\(['\"](.+?)['\"]\)", sources))
    assert len(rules) == 12
    assert rules <= {example.content["breaks"] for example in BAD}


def test_nothing_at_all_is_refused() -> None:
    """A tombstone, an empty value and a lone header are refused like everything else."""
    for data in (None, b"", released("clock")[0].header):
        with pytest.raises(ContractError):
            decode(data, model.Clock)


@pytest.mark.parametrize(
    "value",
    [
        model.OperatorReport("north", 2**31, ()),
        model.OperatorReport("north", 1, (2**63,)),
        model.OperatorReport("north", 1, (1.5,)),  # type: ignore[arg-type]
        model.OperatorReport("\ud800", 1, ()),
        model.Received("drive", 1, b"short", 1),
        model.Clock(None),  # type: ignore[arg-type]
        model.NumberEvent(bytes(16), "north", "+86", "UNKNOWN", 1),  # type: ignore[arg-type]
        model.NumberEvent(bytes(16), "north", "+86", "SOLD", 1),  # type: ignore[arg-type]
        model.NumberEvent(bytes(16), "north" * 20_000, "+86", model.EventType.COOLING, 1),
    ],
    ids=["int", "long", "fraction", "surrogate", "fixed", "null", "unknown", "symbol", "large"],
)
def test_what_the_hub_would_refuse_it_does_not_write(value: tuple[Any, ...]) -> None:
    """A value out of its schema or limits fails at the writer, with what to do, and never reaches a log."""
    with pytest.raises(ContractError, match="What to do"):
        encode(value)


# ---- Vectors ----


@pytest.mark.parametrize("vector", vectors("bytes"), ids=lambda one: one["kind"])
def test_the_byte_vectors_hold(vector: dict[str, Any]) -> None:
    """The vectors for other languages say what the hub writes and reads, byte by byte."""
    value = value_of(KINDS[vector["kind"]], vector["value"])
    assert encode(value).hex() == vector["hex"]
    assert decode(bytes.fromhex(vector["hex"]), type(value)) == value


def holds_by_cryptography(public: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def test_the_signature_vectors_hold_in_two_libraries() -> None:
    """OpenSSL and libsodium agree on every signature in the vectors, and the hub signs them the same."""
    for one in vectors("signatures")["good"]:
        seed, public, value, signature = (bytes.fromhex(one[name]) for name in ("seed", "public", "value", "signature"))
        signed = b"unbind-hub/v1\0" + one["hub_id"].encode() + b"\0" + one["topic"].encode() + b"\0" + value
        assert signed_bytes(one["hub_id"], one["topic"], value).hex() == one["signed"] == signed.hex()
        assert Ed25519PrivateKey.from_private_bytes(seed).sign(signed) == signature
        assert holds_by_cryptography(public, signature, signed)
        assert signature_holds(public, signature, one["hub_id"], one["topic"], value)


@pytest.mark.parametrize("one", vectors("signatures")["bad"], ids=lambda one: one["breaks"])
def test_a_bad_signature_vector_is_refused_by_two_libraries(one: dict[str, Any]) -> None:
    """A signature for another topic, hub, key or value counts nowhere."""
    public, value, signature = (bytes.fromhex(one[name]) for name in ("public", "value", "signature"))
    assert not signature_holds(public, signature, one["hub_id"], one["topic"], value)
    assert not holds_by_cryptography(public, signature, signed_bytes(one["hub_id"], one["topic"], value))


def offsets(ranges: list[list[int]]) -> list[int]:
    return [offset for first, last, step in ranges for offset in range(first, last + 1, step)]


@pytest.mark.parametrize("one", vectors("bitmaps")["good"], ids=lambda one: f"{one['form']}-{len(one['offsets'])}")
def test_a_bitmap_vector_is_the_set_it_says(one: dict[str, Any]) -> None:
    """Arrays, bitsets and runs of other Roaring libraries are read as the sets they are."""
    data = bytes.fromhex(one["hex"])
    assert list(unpack_checked(data)) == offsets(one["offsets"])
    bits = BitMap(offsets(one["offsets"]))
    if one["form"] == "runs":
        bits.run_optimize()
    assert bytes(bits.serialize()) == data


@pytest.mark.parametrize("one", vectors("bitmaps")["bad"], ids=lambda one: one["breaks"])
def test_a_bad_bitmap_vector_is_refused(one: dict[str, Any]) -> None:
    """A bitmap that is not whole, in order and within its segment acknowledges nothing."""
    with pytest.raises(ValueError, match="not the portable Roaring form"):
        unpack_checked(bytes.fromhex(one["hex"]))


def murmur2_by_the_paper(data: bytes) -> int:
    """Kafka's 32-bit murmur2 (org.apache.kafka.common.utils.Utils), written from the Java for this test."""
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    found = 0x9747B28C ^ len(data)
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * mix & mask
        found = (found * mix & mask) ^ ((part ^ part >> 24) * mix & mask)
    if whole < len(data):
        found = (found ^ int.from_bytes(data[whole:], "little")) * mix & mask
    found = (found ^ found >> 13) * mix & mask
    return found ^ found >> 15


def test_the_partition_vectors_hold() -> None:
    """A key has the same partition for the hub, for Kafka's Java client and for whoever follows the vectors."""
    # The first three are from Kafka's own UtilsTest.testMurmur2.
    for key, signed in ((b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107)):
        assert murmur2_by_the_paper(key) == signed & 0xFFFFFFFF
    found = vectors("partitions")
    for one in found["good"]:
        key = one["key"].encode()
        assert key.hex() == one["key_hex"]
        assert murmur2_by_the_paper(key) == one["murmur2"]
        assert (one["murmur2"] & 0x7FFFFFFF) % found["partitions"] == one["partition"]
        assert contracts.partition_of(key, found["partitions"]) == one["partition"]
    for one in found["bad"]:
        assert contracts.partition_of(one["key"].encode(), found["partitions"]) != one["partition"], one["breaks"]


def test_the_whole_exchange_holds() -> None:
    """One event, its receipt, its notice and the acknowledgement that answers it fit together, signed and in place."""
    one = vectors("exchange")
    values = {}
    for name, kind in (
        ("event", model.NumberEvent),
        ("receipt", model.Receipt),
        ("notice", model.ReleaseNotice),
        ("acknowledgement", model.Acknowledgement),
    ):
        values[name] = decode(bytes.fromhex(one[name]["value_hex"]), kind)
        assert json_of(values[name]) == one[name]["value"]
    event, notice, ack = values["event"], values["notice"], values["acknowledgement"]
    assert isinstance(event, model.NumberEvent)
    assert isinstance(notice, model.ReleaseNotice)
    assert isinstance(ack, model.Acknowledgement)
    assert notice.event_digest == hashlib.sha256(bytes.fromhex(one["event"]["value_hex"])).digest()
    assert notice.source == (one["event"]["partition"], one["event"]["offset"])
    assert ack.received == (
        (notice.source.partition, one["notice"]["offset"], hashlib.sha256(encode(notice)).digest()),
    )
    (said,) = ack.outcomes
    (part,) = said.cases
    assert [part.base + bit for bit in unpack_checked(part.bitmap)] == [one["notice"]["offset"]]
    for name, who in (("event", "operator"), ("acknowledgement", "platform")):
        record = one[name]
        assert contracts.partition_of(bytes.fromhex(record["key"]), one["partitions"]) == record["partition"]
        seal = read_seal(tuple((header, bytes.fromhex(value)) for header, value in record["headers"]))
        assert seal is not None
        assert seal.key_id == one[who]["key_id"]
        public, value = bytes.fromhex(one[who]["public"]), bytes.fromhex(record["value_hex"])
        assert signature_holds(public, seal.signature, one["hub_id"], record["topic"], value)


def test_the_readme_of_the_schemas_works() -> None:
    """A platform written from the README's snippet answers the exchange's notice with the exchange's bytes."""
    text = (schemas_dir() / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "hub." not in snippet, "the snippet needs nothing of the hub's own code"
    scope: dict[str, Any] = {"SCHEMAS": schemas_dir()}
    exec(compile(snippet, "schemas/README.md", "exec"), scope)
    expected = vectors("exchange")["acknowledgement"]
    assert scope["value"].hex() == expected["value_hex"]
    assert [[name, raw.hex()] for name, raw in scope["headers"]] == expected["headers"]
    for name in (
        "vectors/bytes.json",
        "lock.json",
        *(f"vectors/{one.name}" for one in (schemas_dir() / "vectors").iterdir()),
    ):
        assert name in text
