"""Reading Avro in canonical form: one value has one form, and every other form is refused where it stands.

Rules a reader checks, byte by byte (Avro 1.12 specification, "Binary encoding"):
1. a varint has no more bytes than its value needs, and fits 64 bits, for an `int` 32;
2. a length, a count and the index of a union or enum is not negative;
3. the items of an array come in one block of a plain count, ended by one zero byte, or no block if there are none;
4. a boolean is 0 or 1, a string is UTF-8, an enum symbol is one the hub's own enum has;
5. the value ends where the bytes end.

A general decoder accepts much of this silently (fastavro 1.13: negative union and enum indexes, the boolean 7,
over-long varints, left-over bytes, an `int` of 64 bits), and asking it to write again what it read costs more than
reading. So `reader` writes, from a schema, one straight Python function that reads that schema and nothing else, as
`dataclasses` and `namedtuple` do with theirs: an acknowledgement takes a quarter of the time, and nothing is read in C
that a stranger sent. The work is bounded by the bytes: every item of an array takes at least one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_type_hints

NESTING_MAX = 16
"""Schemas of the hub nest at most six deep; one that nests deeper is a mistake, or recursive."""
SHIFT_MAX = 63
"""Where the tenth and last byte of a varint stands: of 64 bits it may hold one."""

Reader = Callable[[bytes, int], Any]


class Malformed(ValueError):
    """Bytes that are not the canonical form of a value; the message names the rule and never quotes the bytes."""


def reader(schema: dict[str, Any], kind: type) -> Reader:
    """A function that reads one value of a schema from bytes, from a place on, up to their end.

    Args:
        schema: of a record, without logical types; arrays, unions with null, enums, fixed and plain types.
        kind: the NamedTuple to make. Fields the schema lacks take their default, fields it has besides are dropped.

    Raises:
        TypeError: this schema is none the hub can read. The function made raises `Malformed` alone.
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
    """The rest of a varint whose first byte says there is more: its value, still zigzag, and the place after it."""
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
    """The lines of one reader, and what they name. Each method adds the lines that read one type into `into`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"new": tuple.__new__, "long_varint": long_varint, "Malformed": Malformed}
        self._named: dict[str, dict[str, Any]] = {}
        self._made = 0

    def value(self, schema: Any, hint: Any, depth: int) -> str:
        """Lines that read one value; the name it is then held by."""
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
        # A slice beyond the end is short, and `at` then lies beyond it too: the last line of all sees that.
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
