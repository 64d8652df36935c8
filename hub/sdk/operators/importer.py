"""This module reads operators' event files: it says what a row must look like, and what is wrong with another one.

Rules:
1. One row is one event. A row that cannot be read never stops the rest: it comes out as an `UnreadableRow`.
2. Columns are the fields of NumberEvent without `operator` (it is given with the file), and `published_at`,
   the record time. `published_at` and `clearance_id` may be left out; an unknown column is an error,
   because it may be a misspelt one.
3. Blank is null; a null `ported` is false. Numbers are passed on as they are: the hub judges them.
4. Times are ISO 8601 with a zone, read to the millisecond. A time without a zone is refused.
5. No message quotes a value, because in a shifted row any field may hold a phone number.
6. A row is one line of the file (so a stray quote cannot swallow the rows below it), at most
   `LINE_BYTES_MAX`; a file is read as a stream.

For example, line 3 with 12 fields under a header of 13 gives `UnreadableRow(3, "12 fields where the first line has 13",
…)`, and line 4 is read as usual.

A new format is a class with `read`, and an entry in `IMPORTERS`; `tests/unit/sdk/operators/test_importer.py` runs one
suite over all of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from hub.core.model import NumberEvent
from hub.errors import OperatorError
from hub.sdk.operators.event_fields import COLUMNS, OPTIONAL, Unreadable, event_of, time_of

LINE_BYTES_MAX = 65_536
"""A message takes at most 64 KiB, so a longer row could not be sent anyway."""

BOM = b"\xef\xbb\xbf"


class ImportedEvent(NamedTuple):
    """This is a row that was read. `line` counts from 1; `published_at` is None if the file does not have it."""

    line: int
    event: NumberEvent
    published_at: int | None


class UnreadableRow(NamedTuple):
    """This is a row that cannot be read: `what` is wrong, and `todo` says what to do. Neither quotes the row."""

    line: int
    what: str
    todo: str


Row = ImportedEvent | UnreadableRow


class EventImporter(Protocol):
    """This is a format of event files."""

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of a file, in its order.

        Raises:
            OperatorError: the file cannot be opened, or is not of this format at all.
        """


class CsvImporter:
    """This reads CSV: a header line, then one row a line (RFC 4180 without line breaks in fields)."""

    def __init__(self, operator: str) -> None:
        self.operator = operator

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of a file, in its order; see `EventImporter`."""
        with _open(path) as file:
            lines = _lines(file)
            header = _header(path, next(lines, None))
            for line, raw in lines:
                yield _row(line, self.operator, raw, partial(_csv_fields, header))


class JsonLinesImporter:
    """This reads one JSON object a line (jsonlines.org), with the same names; `reminders` lists {at, channel}."""

    def __init__(self, operator: str) -> None:
        self.operator = operator

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of a file, in its order; see `EventImporter`."""
        with _open(path) as file:
            for line, raw in _lines(file):
                yield _row(line, self.operator, raw, _json_fields)


IMPORTERS: dict[str, type[CsvImporter] | type[JsonLinesImporter]] = {
    ".csv": CsvImporter,
    ".jsonl": JsonLinesImporter,
}
"""This gives the importer of a file, by the end of its name."""


def importer_for(path: Path, operator: str) -> EventImporter:
    """Return the importer for a file, by the end of its name.

    Raises:
        OperatorError: there is no importer for such files.
    """
    kind = IMPORTERS.get(path.suffix.lower())
    if kind is None:
        raise OperatorError(f"{path.name}: not a known kind of file", todo=f"Give one of {', '.join(IMPORTERS)}.")
    return kind(operator)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as wrong:
        raise OperatorError(f"{path.name} cannot be opened ({wrong.strerror})", todo="Check the path.") from wrong


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield every line that is not blank, with its number; yield None in place of one that is too long."""
    line = 0
    while raw := file.readline(LINE_BYTES_MAX):
        line += 1
        cut = len(raw) == LINE_BYTES_MAX and not raw.endswith(b"\n")
        while cut and (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
            pass
        raw = raw.removeprefix(BOM) if line == 1 else raw
        if cut or raw.strip():
            yield line, None if cut else raw.rstrip(b"\r\n")


def _header(path: Path, first: tuple[int, bytes | None] | None) -> tuple[str, ...]:
    columns: tuple[str, ...] = ()
    if first is not None and first[1] is not None:
        columns = tuple(next(csv.reader([first[1].decode("utf-8", errors="replace")]), ()))
    missing = [name for name in COLUMNS if name not in columns and name not in OPTIONAL]
    if missing:
        raise OperatorError(
            f"{path.name}: columns missing in the first line: {', '.join(missing)}",
            todo="Save as UTF-8 with commas, and begin with a line of column names.",
        )
    unknown = sum(1 for name in columns if name not in COLUMNS)
    if unknown or len(set(columns)) < len(columns):
        raise OperatorError(
            f"{path.name}: {unknown} unknown and {len(columns) - len(set(columns))} repeated columns in the first line",
            todo=f"Leave only these, once each: {', '.join(COLUMNS)}.",
        )
    return columns


def _row(line: int, operator: str, raw: bytes | None, fields_of: Callable[[str], Mapping[str, Any]]) -> Row:
    try:
        if raw is None:
            raise Unreadable(f"the row is longer than {LINE_BYTES_MAX} bytes", "Send less in one event.")
        fields = fields_of(_text(raw))
        return ImportedEvent(line, event_of(operator, fields), time_of(fields, "published_at"))
    except Unreadable as wrong:
        return UnreadableRow(line, wrong.what, wrong.todo)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise Unreadable(f"byte {wrong.start + 1} of the row is not UTF-8", "Save the file as UTF-8.") from wrong


def _csv_fields(header: tuple[str, ...], text: str) -> Mapping[str, Any]:
    try:
        (cells,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as wrong:
        raise Unreadable("the row's quotes do not match", "Close every quote on the line it began.") from wrong
    if len(cells) != len(header):
        raise Unreadable(
            f"{len(cells)} fields where the first line has {len(header)}", "Give one field a column, blank for none."
        )
    fields: dict[str, Any] = {name: cell or None for name, cell in zip(header, cells, strict=True)}
    fields["number"] = fields["number"] or ""
    fields["ported"] = _ported(fields["ported"])
    fields["reminders"] = _reminder_cells(fields["reminders"])
    return fields


def _ported(cell: str | None) -> bool:
    known = {None: False, "false": False, "true": True}
    word = None if cell is None else cell.lower()
    if word not in known:
        raise Unreadable("ported is neither true nor false", "Write true or false.")
    return known[word]


def _reminder_cells(cell: str | None) -> list[dict[str, str]]:
    parts = [one.partition(" ") for one in cell.split(";")] if cell else []
    return [{"at": at, "channel": channel} for at, _, channel in parts]


def _json_fields(text: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise Unreadable("the row is not JSON", "Write one JSON object a line.") from wrong
    if not isinstance(fields, dict):
        raise Unreadable("the row is not a JSON object", "Write one JSON object a line.")
    unknown = sum(1 for name in fields if name not in COLUMNS)
    if unknown:
        raise Unreadable(f"{unknown} unknown names in the row", f"Use only these: {', '.join(COLUMNS)}.")
    blank_is_null = {name: None if value == "" else value for name, value in fields.items()}
    ported = blank_is_null.get("ported")
    if not isinstance(ported, bool | None):
        raise Unreadable("ported is neither true nor false", "Write true or false, without quotes.")
    return blank_is_null | {
        "number": "" if fields.get("number") is None else fields["number"],
        "ported": ported or False,
    }
