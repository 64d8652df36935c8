"""This module reads and writes roster records as JSON: `platform init` prints them, and the registrar reads them.

A record has the fields of `hub.core.model.Platform` or `Operator`. Bytes are lower-case hex, times milliseconds since
1970-01-01 UTC. Fields left out take their default; an unknown field is refused, because a misspelt one would otherwise
be lost silently. For example, `{"id": "bank", "name": {"zh": "银行", "en": "Bank"}, "sector": "bank", "tier": 1}` is a
platform that has no key yet, so its state is KNOWN_UNCONNECTED.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from hub.core.model import Key, Operator, Platform, PlatformState
from hub.errors import HubError

R = TypeVar("R", Operator, Platform)

PUBLIC_BYTES = 32
TIERS = (1, 2, 3)


def to_json(value: Any) -> Any:
    """Return a record as plain JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        items = [to_json(one) for one in value]
        return items if fields is None else dict(zip(fields, items, strict=True))
    return value


def read_record(path: Path, kind: type[R]) -> R:
    """Return the record in a file.

    Raises:
        HubError: the file cannot be read; the message names the field.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise HubError(f"{path.name} cannot be opened ({wrong.strerror})", todo="Check the path.") from wrong
    except (ValueError, RecursionError) as wrong:
        raise HubError(f"{path.name} is not JSON", todo="Write one JSON object, as `platform init` prints.") from wrong
    return record_of(raw, kind)


def record_of(raw: Any, kind: type[R]) -> R:
    """Return the record that a JSON object describes.

    Raises:
        HubError: the object is no record; the message names the field.
    """
    if kind is Platform and isinstance(raw, dict):
        raw = {"state": PlatformState.ONBOARDING if raw.get("keys") else PlatformState.KNOWN_UNCONNECTED, **raw}
    read = _value(kind, raw, kind.__name__)
    _check(read)
    found: R = read
    return found


def _check(record: Operator | Platform) -> None:
    if not record.id or any(letter in record.id for letter in "/ \0"):
        raise HubError("an id is empty or has a space or slash in it", todo="Use letters, digits, dots and dashes.")
    for key in record.keys:
        check_key(key)
    if isinstance(record, Platform) and record.tier not in TIERS:
        raise HubError("tier is none", todo="Use 1 (payment, bank, drive, mail, lending), 2 or 3.")
    if isinstance(record, Operator):
        for prefix in record.ranges:
            if not (prefix.isascii() and prefix[:1] == "+" and prefix[1:].isdigit()):
                raise HubError("ranges has something that is no prefix", todo="List prefixes such as +86134.")


def check_key(key: Key) -> None:
    """Refuse a key with which no signature can be checked.

    Raises:
        HubError: it is no Ed25519 public key, or has no name.
    """
    if len(key.public) != PUBLIC_BYTES or not key.key_id:
        raise HubError("a key is not a name and 32 bytes", todo="Give the Ed25519 public key as 64 hex digits.")


def _value(hint: Any, raw: Any, where: str) -> Any:
    if get_origin(hint) is UnionType:
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return None if raw is None else _value(inner, raw, where)
    if get_origin(hint) is tuple:
        if not isinstance(raw, list):
            raise _wrong(where, "Write a list.")
        return tuple(_value(get_args(hint)[0], one, f"{where}[{place}]") for place, one in enumerate(raw))
    if hasattr(hint, "_fields"):
        return _record(hint, raw, where)
    return _plain(hint, raw, where)


def _plain(hint: Any, raw: Any, where: str) -> Any:
    if hint is bytes:
        try:
            return bytes.fromhex(raw)
        except (TypeError, ValueError) as wrong:
            raise _wrong(where, "Write it in hex.") from wrong
    if issubclass(hint, StrEnum):
        try:
            return hint(raw)
        except ValueError as wrong:
            raise _wrong(where, f"Use one of {', '.join(hint)}.") from wrong
    if type(raw) is not hint:
        raise _wrong(where, f"Write {'text' if hint is str else 'true or false' if hint is bool else 'a number'}.")
    return raw


def _record(hint: Any, raw: Any, where: str) -> Any:
    if not isinstance(raw, dict):
        raise _wrong(where, "Write an object.")
    hints = get_type_hints(hint)
    unknown = [name for name in raw if name not in hints]
    if unknown:
        raise _wrong(f"{where}.{unknown[0]}", f"Use only {', '.join(hints)}.")
    lacking = [name for name in hints if name not in raw and name not in hint._field_defaults]
    if lacking:
        raise _wrong(f"{where}.{lacking[0]}", "It has to be there.")
    return hint(**{name: _value(hints[name], one, f"{where}.{name}") for name, one in raw.items()})


def _wrong(where: str, todo: str) -> HubError:
    return HubError(f"{where} is missing or cannot be read", todo=todo)
