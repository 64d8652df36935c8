"""Looking for numbers in a whole database: every table as bytes, every form a number could be read in."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from itertools import groupby

from sqlalchemy import Engine, text

BASE64_STEPS = 3
SEPARATORS = (" ", "-", ".", "\u3000")
SCRIPTS = (0x30, 0xFF10, 0x660, 0x6F0)
"""Zero in ASCII, full-width, Arabic-Indic and its eastern form."""


def dump(engine: Engine, schema: str) -> bytes:
    """Every row of every table of a schema: as text, and the raw bytes of its binary columns."""
    found = []
    with engine.connect() as connection:
        query = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
        for name in connection.execute(query, {"schema": schema}).scalars().all():
            for row in connection.execute(text(f'SELECT * FROM {schema}."{name}"')):
                found += [bytes(one) if isinstance(one, bytes | memoryview) else str(one).encode() for one in row]
            found += [
                str(row).encode() for row in connection.execute(text(f'SELECT t::text FROM {schema}."{name}" AS t'))
            ]
    return b"\n".join(found)


def written(number: str) -> set[str]:
    """A number as people write it: its national digits, together or in groups, in several scripts."""
    national = number.removeprefix("+")[2:]
    groups = [national, *(one.join((national[:3], national[3:7], national[7:])) for one in SEPARATORS)]
    return {
        group.translate({0x30 + digit: zero + digit for digit in range(10)}) for group in groups for zero in SCRIPTS
    }


def forms(number: str) -> set[bytes]:
    """Everything by which a number could be told: as people write it, in hex, base64 and UTF-16, and as an integer."""
    digits = number.removeprefix("+")
    national = digits[2:]
    found = {one.encode() for one in written(number)}
    found |= {national.encode().hex().encode(), national.encode().hex().upper().encode()}
    for coded in ("utf-16-le", "utf-16-be", "utf-32-le"):
        found |= {national.encode(coded), national.encode(coded).hex().encode()}
    for start in range(BASE64_STEPS):  # where it begins within base64's groups of three; ends that others share cut off
        grouped = base64.b64encode(b"\0" * start + national.encode())
        found.add(grouped[-(-start * 8 // 6) :].rstrip(b"=")[:-1])
    for value in (int(digits), int(national)):
        found |= {value.to_bytes(8, order) for order in ("big", "little")}
        found.add(value.to_bytes(8, "big").lstrip(b"\0").hex().encode())
    return found


def numbers_in(data: bytes, numbers: Iterable[str]) -> list[bytes]:
    """The forms of numbers that are in the data."""
    wanted = sorted({form for number in numbers for form in forms(number)})
    return re.findall(_any_of(wanted), data) if wanted else []


def _any_of(words: list[bytes]) -> bytes:
    """A pattern for any of some sorted words, each beginning written once: thousands are looked for in one go."""
    if len(words) == 1:
        return re.escape(words[0])
    first, last = words[0], words[-1]
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    start, rest = words[0][:same], [word[same:] for word in words]
    branches = [_any_of(list(group)) for _, group in groupby((one for one in rest if one), key=lambda one: one[:1])]
    pattern = re.escape(start) + b"(?:" + b"|".join(branches) + b")"
    return pattern + b"?" if b"" in rest else pattern
