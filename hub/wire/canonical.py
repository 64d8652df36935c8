"""This module reads Avro in canonical form: a value has one form, and any other form is refused.

A reader checks these rules, byte by byte (Avro 1.12 specification, "Binary encoding"):
1. a varint has no more bytes than its value needs, and fits 64 bits (32 for an `int`);
2. a length, a count and the index of a union or enum is not negative;
3. the items of an array come in one block of a plain count, ended by one zero byte, or no block if there are none;
4. a boolean is 0 or 1, a string is UTF-8, an enum symbol is one that the hub's own enum has;
5. the value ends where the bytes end.

For example, the long 1 is the byte `02`; `82 00` has the same value and is refused by rule 1.

A general decoder accepts much of what breaks these rules without an error (fastavro 1.13: negative union and enum
indexes, the boolean 7, over-long varints, left-over bytes, an `int` of 64 bits), and to let it write again what it read
costs more than reading. So `reader` generates from a schema one Python function that reads this schema and nothing
else, as `dataclasses` and `namedtuple` generate their methods: an acknowledgement takes a quarter of the time, and no
bytes of a stranger are read in C. The work is bounded by the bytes: every item of an array takes at least one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_type_hints

NESTING_MAX = 16
"""The hub's schemas nest at most six deep; a schema that nests deeper than this is a mistake, or recursive."""
SHIFT_MAX = 63
"""The shift of the tenth and last byte of a varint, which may hold one of the 64 bits."""

Reader = Callable[[bytes, int], Any]


class Malformed(ValueError):
    """Raised if bytes are not the canonical form of a value. The message names the rule and never quotes the bytes."""


def reader(schema: dict[str, Any], kind: type) -> Reader:
    """Return a function that reads one value of a schema from bytes, from an offset on, up to their end.

    Args:
        schema: a record's schema without logical types; it may have arrays, unions with null, enums, fixed and plain
            types.
        kind: the NamedTuple to make. Fields that the schema lacks take their default; other fields of the schema are
            dropped.

    Raises:
        TypeError: the hub cannot read this schema. The returned function raises only `Malformed`.
    """
    source = _Source()
    last = source.value(schema, kind, 2)
    lines = [
        "def read(data, at):",
        "    size = len(data)",
        "    try:",
        *source.lines,
        "    except IndexError: raise Malformed('bytes are missing at the end') from None",
        "    except KeyError: raise Malformed('a boolean or an enum is none that is known') from None",
        "    except UnicodeDecodeError: raise Malformed('a string is not UTF-8') from None",
        "    if at != size: raise Malformed('bytes are missing or left over at the end')",
        f"    return {last}",
    ]
    exec(compile("\n".join(lines), f"<reader of {kind.__name__}>", "exec"), source.scope)
    read: Reader = source.scope["read"]
    return read


def long_varint(data: bytes, first: int, at: int) -> tuple[int, int]:
    """Return the value (still in zigzag form) of a varint with more than one byte, and the offset after it."""
    value = first & 0x7F
    shift = 7
    while (byte := data[at]) > 0x7F:
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if shift > SHIFT_MAX:
            raise Malformed("a varint is longer than 64 bits")
    if not byte or (shift == SHIFT_MAX and byte > 1):
        raise Malformed("a varint is longer than its value needs, or than 64 bits")
    return value | byte << shift, at + 1


class _Source:
    """Holds the lines of one reader, and what they name. Each method adds the lines that read one type into `into`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"new": tuple.__new__, "long_varint": long_varint, "Malformed": Malformed}
        self._named: dict[str, dict[str, Any]] = {}
        self._made = 0

    def value(self, schema: Any, hint: Any, depth: int) -> str:
        """Add the lines that read one value, and return the name of the variable that then holds it."""
        if depth > NESTING_MAX:
            raise TypeError("a schema nests too deep, or is recursive")
        into = self._name("v")
        if isinstance(schema, str):
            schema = self._named.get(schema, schema)
        if isinstance(schema, list):
            self._optional(schema, hint, into, depth)
            return into
        kind = schema if isinstance(schema, str) else schema["type"]
        if isinstance(schema, dict) and "name" in schema:
            self._named[schema["name"].rpartition(".")[2]] = schema
            self._named[schema["name"]] = schema
        write = getattr(self, f"_{kind}", None)
        if write is None:
            raise TypeError(f"the hub reads no Avro {kind}")
        write(schema, hint, into, depth)
        return into

    def _name(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made}"

    def _constant(self, value: Any) -> str:
        name = self._name("c")
        self.scope[name] = value
        return name

    def _put(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def _varint(self, into: str, depth: int) -> None:
        self._put(depth, f"{into} = data[at]", "at += 1")
        self._put(depth, f"if {into} > 127: {into}, at = long_varint(data, {into}, at)")

    def _long(self, _schema: Any, _hint: Any, into: str, depth: int) -> None:
        self._varint(into, depth)
        self._put(depth, f"{into} = ({into} >> 1) ^ -({into} & 1)")

    def _int(self, _schema: Any, _hint: Any, into: str, depth: int) -> None:
        self._varint(into, depth)
        self._put(depth, f"if {into} > 0xFFFFFFFF: raise Malformed('an int is longer than 32 bits')")
        self._put(depth, f"{into} = ({into} >> 1) ^ -({into} & 1)")

    def _boolean(self, _schema: Any, _hint: Any, into: str, depth: int) -> None:
        self._put(depth, f"{into} = {self._constant({0: False, 1: True})}[data[at]]", "at += 1")

    def _fixed(self, schema: Any, _hint: Any, into: str, depth: int) -> None:
        # A slice beyond the end is short, and `at` is then beyond the end too: the check at the end finds that.
        self._put(depth, f"end = at + {int(schema['size'])}", f"{into} = data[at:end]", "at = end")

    def _bytes(self, _schema: Any, _hint: Any, into: str, depth: int) -> None:
        self._varint(into, depth)
        self._put(depth, f"if {into} & 1: raise Malformed('a length is negative')")
        self._put(depth, f"end = at + ({into} >> 1)", f"{into} = data[at:end]", "at = end")

    def _string(self, schema: Any, hint: Any, into: str, depth: int) -> None:
        self._bytes(schema, hint, into, depth)
        self._put(depth, f"{into} = {into}.decode()")

    def _enum(self, schema: Any, hint: type[StrEnum], into: str, depth: int) -> None:
        if len(schema["symbols"]) > 64:
            raise TypeError("an enum has more symbols than one byte can name")
        known = {2 * place: hint(one) for place, one in enumerate(schema["symbols"]) if one in hint.__members__}
        self._put(depth, f"{into} = {self._constant(known)}[data[at]]", "at += 1")

    def _optional(self, schema: list[Any], hint: Any, into: str, depth: int) -> None:
        if len(schema) != 2 or schema[0] != "null":
            raise TypeError("the hub reads unions of null and one type only, null first")
        (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
        self._put(depth, f"{into} = data[at]", "at += 1", f"if {into} == 0: {into} = None")
        self._put(depth, f"elif {into} != 2: raise Malformed('no such branch of a union')", "else:")
        self._put(depth + 1, f"{into} = {self.value(schema[1], inner, depth + 1)}")

    def _array(self, schema: Any, hint: Any, into: str, depth: int) -> None:
        count = self._name("n")
        self._varint(count, depth)
        self._put(depth, f"{into} = ()", f"if {count}:")
        self._put(depth + 1, f"if {count} & 1: raise Malformed('an array has a negative count')")
        self._put(depth + 1, f"if {count} >> 1 > size - at: raise Malformed('an array has more items than bytes')")
        self._put(depth + 1, f"{into} = []", f"for _ in range({count} >> 1):")
        item = self.value(schema["items"], get_args(hint)[0], depth + 2)
        self._put(depth + 2, f"{into}.append({item})")
        self._put(depth + 1, "if data[at]: raise Malformed('an array has more than one block')", "at += 1")
        self._put(depth + 1, f"{into} = tuple({into})")

    def _record(self, schema: Any, hint: Any, into: str, depth: int) -> None:
        hints = get_type_hints(hint)
        read = {one["name"]: self.value(one["type"], hints.get(one["name"]), depth) for one in schema["fields"]}
        lacking = [name for name in hint._fields if name not in read and name not in hint._field_defaults]
        if lacking:
            raise TypeError(f"{hint.__name__} has no default for {', '.join(lacking)}, which this version lacks")
        parts = [read.get(name) or self._constant(hint._field_defaults[name]) for name in hint._fields]
        self._put(depth, f"{into} = new({self._constant(hint)}, ({', '.join(parts)},))")
