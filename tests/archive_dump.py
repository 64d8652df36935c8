"""Looking for numbers in a whole database: every table as bytes, every form a number could be read in."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from sqlalchemy import Engine, text

BASE64_STEPS = 3


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


def forms(number: str) -> set[bytes]:
    """Everything by which a number could be told: its digits, in hex, base64 and UTF-16, and as an integer."""
    digits = number.removeprefix("+")
    national = digits[2:]
    found = {national.encode(), national.encode().hex().encode(), national.encode().hex().upper().encode()}
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
    found = []
    for start in range(0, len(wanted), 2_000):
        found += re.findall(b"|".join(map(re.escape, wanted[start : start + 2_000])), data)
    return found
