"""This module writes tables as CSV (RFC 4180), with the columns of the JSON in the same order.

A value that is neither text, number nor boolean is JSON within its cell. Text that a spreadsheet would take for a
formula gets an apostrophe before it (OWASP, "CSV Injection"): for example, `=1+1` becomes `'=1+1`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(kind: type[BaseModel], rows: Sequence[BaseModel]) -> str:
    """Return rows of one shape as CSV text; it has a header line even if there are no rows."""
    out = io.StringIO()
    columns = list(kind.model_fields)
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        plain = row.model_dump(mode="json")
        writer.writerow([_cell(plain[column]) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "'" + text if text.startswith(FORMULA) else text
