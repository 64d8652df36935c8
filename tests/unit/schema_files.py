"""The files under `schemas/` that people and tests read: examples, vectors, the lock; and values as their JSON.

In JSON a record is an object with every field, bytes and fixed are lower-case hex, an enum is its symbol, a time is
its integer of milliseconds (`schemas/README.md`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import avro.io
import avro.schema

from hub.wire import contracts


def json_of(value: Any) -> Any:
    """A value of `hub.core.model` as the JSON of the examples."""
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "_asdict"):
        return {name: json_of(one) for name, one in value._asdict().items()}
    return [json_of(one) for one in value] if isinstance(value, tuple) else value


def value_of(hint: Any, raw: Any) -> Any:
    """The JSON of an example as a value of that type hint."""
    if get_origin(hint) is UnionType:
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return None if raw is None else value_of(inner, raw)
    if get_origin(hint) is tuple:
        return tuple(value_of(get_args(hint)[0], one) for one in raw)
    if hint is bytes:
        return bytes.fromhex(raw)
    if issubclass(hint, StrEnum):
        return hint(raw)
    if hasattr(hint, "_fields"):
        hints = get_type_hints(hint)
        assert list(raw) == list(hints), f"{hint.__name__}: an example names every field, in order"
        return hint(**{name: value_of(hints[name], one) for name, one in raw.items()})
    assert type(raw) is hint, f"{raw!r} is no {hint}"
    return raw


class Example(NamedTuple):
    """One file of `schemas/<kind>/examples`."""

    kind: str
    path: Path
    content: Any

    @property
    def name(self) -> str:
        """How a failing test calls it."""
        return f"{self.kind}/{self.path.stem}"


def examples(quality: str) -> Iterator[Example]:
    """The good or the bad examples of every kind."""
    for kind in contracts.KINDS:
        for path in sorted((contracts.schemas_dir() / kind / "examples" / quality).glob("*.json")):
            yield Example(kind, path, json.loads(path.read_text(encoding="utf-8")))


def bad_bytes(content: dict[str, Any]) -> bytes:
    """The bytes of a bad example: its hex, and as many zero bytes after it as it says."""
    return bytes.fromhex(content["hex"]) + bytes(content.get("zeros_after", 0))


def vectors(name: str) -> Any:
    """One file of `schemas/vectors`."""
    return json.loads((contracts.schemas_dir() / "vectors" / f"{name}.json").read_text(encoding="utf-8"))


class Outsider:
    """The `avro` package's decoder of one released schema: written by others, in Python, from the specification."""

    def __init__(self, form: contracts.Released) -> None:
        self.header = form.header
        self._schema = avro.schema.parse(json.dumps(without_logical_types(form.source)))

    def read(self, data: bytes) -> Any:
        """What it reads as plain dicts and lists.

        Raises:
            ValueError: another schema's, or it does not end where the bytes end. Many others, for bytes that are none.
        """
        stream = BytesIO(data)
        if stream.read(len(self.header)) != self.header:
            raise ValueError("another header")
        raw = avro.io.DatumReader(self._schema).read(avro.io.BinaryDecoder(stream))
        if stream.tell() != len(data):
            raise ValueError("bytes left over")
        return raw

    def canonical(self, data: bytes) -> Any:
        """What it reads, if it can and writes it again as the very same bytes; else None."""
        again = BytesIO(self.header)
        again.seek(len(self.header))
        try:
            raw = self.read(data)
            avro.io.DatumWriter(self._schema).write(raw, avro.io.BinaryEncoder(again))
        except Exception:  # noqa: BLE001 - it fails on bad bytes in whatever way its code happens to
            return None
        return raw if again.getvalue() == data else None


def without_logical_types(node: Any) -> Any:
    """A schema whose times are plain integers, as the core computes with them."""
    if isinstance(node, dict):
        return {name: without_logical_types(one) for name, one in node.items() if name != "logicalType"}
    return [without_logical_types(one) for one in node] if isinstance(node, list) else node
