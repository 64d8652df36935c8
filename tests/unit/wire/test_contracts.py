"""The contracts are closed in both directions, only ever grow, and hold in hands that never saw the hub's code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import pytest

from hub.wire import contracts
from hub.wire.contracts import KINDS, released, schemas_dir, topics
from tests.unit.schema_files import examples, json_of

FORMS = [(kind, form) for kind in KINDS for form in released(kind)]
ENUMS = {"Reason": "ReleaseReason"}
"""Enums whose name in the schema is not the one in `hub.core.model`."""
NOT_TIMES = {("ReleaseNotice", "opened_at")}
"""Fields that end like times and are offsets."""
TIME_NAME = re.compile(r"(^|_)(at|until|before|from|since|now_ms)$")
NESTING_MAX = 6
"""Records and arrays within each other: a tile within a message is four."""


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
    each = {contracts.receipts_topic("<operator>"), contracts.inbox_topic("<platform>")}
    assert constants | each == set(topics())


def test_what_strangers_write_is_signed() -> None:
    """The topics that operators and platforms write to ask for signatures, and so does what the hub asks of one."""
    strangers = {"operator", "platform"}
    written = {name for name, topic in topics().items() if strangers & set(topic.writers)}
    assert written == {"events", "acks", "reports", "answers"}
    assert {name for name, topic in topics().items() if topic.signed} == written | {"inbox.<platform>"}


@pytest.mark.parametrize("quality", ["good", "bad"])
def test_every_kind_has_examples_and_no_folder_has_anything_else(quality: str) -> None:
    """Every message has good and bad examples to read, all of them used by these tests."""
    assert {example.kind for example in examples(quality)} == set(KINDS)
    on_disk = {path for path in schemas_dir().glob("*/examples/**/*") if path.is_file()}
    used = {example.path for example in [*examples("good"), *examples("bad")]}
    assert on_disk == used


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
        wrong = [] if len(node) == 2 and node[0] == "null" else ["a union other than of null and one type"]
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
        (["null", "int", "string"], "a union other than of null and one type"),
        (["int", "null"], "a union other than of null and one type"),
        ({"type": "fixed", "name": "A", "size": 1, "aliases": ["B"]}, "aliases"),
    ],
    ids=lambda value: value if isinstance(value, str) else "schema",
)
def test_the_lint_refuses_what_it_is_for(schema: Any, wrong: str) -> None:
    """A schema on which known decoders hang or die does not get past the lint."""
    assert wrong in lint(schema)
