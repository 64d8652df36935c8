"""One suite over every importer of operators' files."""

from __future__ import annotations

import csv
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.model import EventType, NumberEvent, ReleaseReason, Reminder
from hub.errors import OperatorError
from hub.sdk.operators.event_fields import COLUMNS
from hub.sdk.operators.importer import (
    IMPORTERS,
    LINE_BYTES_MAX,
    CsvImporter,
    ImportedEvent,
    Row,
    UnreadableRow,
    importer_for,
)

EVENT_ID = "5ebf0e9c-05fa-47a0-a4aa-4dd026237d65"
NUMBER = "+8615566721379"
PLAIN = {"event_id": EVENT_ID, "number": NUMBER, "type": "SUSPENDED", "occurred_at": "2026-01-10T13:52:20Z"}
FULL = PLAIN | {
    "type": "COOLING",
    "occurred_at": "2026-01-10T21:52:20.123456+08:00",
    "published_at": "2026-01-10T14:09:37Z",
    "cooling_until": "2026-03-20T00:00:00Z",
    "reissue_not_before": "2026-03-21T00:00:00Z",
    "bound_before": "2026-01-09T00:00:00Z",
    "reason": "ARREARS",
    "ported": True,
    "reminders": [{"at": "2026-01-08T00:00:00Z", "channel": "SMS"}, {"at": "2026-01-09T00:00:00Z", "channel": "语音"}],
    "supersedes": "cc3da1b1-c75f-4b97-a197-fc993cec58e3",
    "clearance_id": "c-1",
}

Fields = dict[str, Any]
Writer = Callable[[Iterable[Fields]], bytes]


def _csv_cell(name: str, value: Any) -> str:
    if name == "reminders" and isinstance(value, list):
        return ";".join(f"{one['at']} {one['channel']}" for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _as_csv(rows: Iterable[Fields]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_csv_cell(name, fields.get(name)) for name in COLUMNS] for fields in rows)
    return out.getvalue().encode()


def _as_json_lines(rows: Iterable[Fields]) -> bytes:
    return b"".join(json.dumps(fields, ensure_ascii=False).encode() + b"\n" for fields in rows)


WRITERS: dict[str, Writer] = {".csv": _as_csv, ".jsonl": _as_json_lines}
LINES_BEFORE = {".csv": 1, ".jsonl": 0}
every_format = pytest.mark.parametrize("ending", list(WRITERS))


def _read(tmp_path: Path, ending: str, data: bytes) -> list[Row]:
    path = tmp_path / f"lake{ending}"
    path.write_bytes(data)
    return list(importer_for(path, "lake").read(path))


def _read_fields(tmp_path: Path, ending: str, *rows: Fields) -> list[Row]:
    return _read(tmp_path, ending, WRITERS[ending](rows))


def test_every_importer_is_in_this_suite() -> None:
    """A format that an operator may send is one that this suite checks."""
    assert set(WRITERS) == set(IMPORTERS)


@every_format
def test_a_full_row(tmp_path: Path, ending: str) -> None:
    """Every field of a row arrives in the event, times to the millisecond and in UTC."""
    (row,) = _read_fields(tmp_path, ending, FULL)
    assert row == ImportedEvent(
        line=1 + LINES_BEFORE[ending],
        event=NumberEvent(
            event_id=UUID(EVENT_ID).bytes,
            operator="lake",
            number=NUMBER,
            type=EventType.COOLING,
            occurred_at=1768053140123,
            cooling_until=1773964800000,
            reissue_not_before=1774051200000,
            bound_before=1767916800000,
            reason=ReleaseReason.ARREARS,
            ported=True,
            reminders=(Reminder(1767830400000, "SMS"), Reminder(1767916800000, "语音")),
            clearance_id="c-1",
            supersedes=UUID("cc3da1b1-c75f-4b97-a197-fc993cec58e3").bytes,
        ),
        published_at=1768054177000,
    )


@every_format
def test_blank_is_null(tmp_path: Path, ending: str) -> None:
    """A blank field says nothing, a blank `ported` that the number was not ported."""
    blanks: Fields = {name: "" for name in COLUMNS if name not in PLAIN} | {"ported": None, "reminders": None}
    for fields in (PLAIN, PLAIN | blanks):
        (row,) = _read_fields(tmp_path, ending, fields)
        assert isinstance(row, ImportedEvent)
        assert row.published_at is None
        assert row.event == NumberEvent(
            UUID(EVENT_ID).bytes, "lake", NUMBER, EventType.SUSPENDED, occurred_at=1768053140000
        )


@every_format
@pytest.mark.parametrize("number", ["", "8613", " +86 155 6672 1379", "+861556672137x", "一三八", '"', "a,b"])
def test_numbers_are_passed_on_as_they_stand(tmp_path: Path, ending: str, number: str) -> None:
    """The importer does not mend or judge a number: the hub does, so that its answer can be counted."""
    (row,) = _read_fields(tmp_path, ending, FULL | {"number": number})
    assert isinstance(row, ImportedEvent)
    assert row.event.number == number


BAD_FIELDS: list[tuple[str, Any]] = [
    ("event_id", ""),
    ("event_id", "7"),
    ("event_id", EVENT_ID.replace("-", "")),
    ("event_id", EVENT_ID[:-1] + "x"),
    ("type", ""),
    ("type", "DELETED"),
    ("type", "UNKNOWN"),
    ("type", "cooling"),
    ("occurred_at", ""),
    ("occurred_at", "yesterday"),
    ("occurred_at", "2026-01-10"),
    ("occurred_at", "2026-01-10T13:52:20"),
    ("occurred_at", "2026-02-30T00:00:00Z"),
    ("published_at", "2026-13-01T00:00:00Z"),
    ("cooling_until", "soon"),
    ("reissue_not_before", "2026-01-10T25:00:00Z"),
    ("bound_before", "1768053140000"),
    ("reason", "UNKNOWN"),
    ("reason", "bored"),
    ("ported", "perhaps"),
    ("supersedes", "none"),
    ("reminders", [{"at": "2026-01-10", "channel": "SMS"}]),
    ("reminders", [{"at": "2026-01-10T00:00:00Z", "channel": ""}]),
    ("reminders", [{"at": "", "channel": "SMS"}]),
]


@every_format
@pytest.mark.parametrize(("name", "value"), BAD_FIELDS)
def test_an_unreadable_field(tmp_path: Path, ending: str, name: str, value: Any) -> None:
    """A field that cannot be read makes its row unreadable, names itself, and leaves the other rows alone."""
    before, bad, after = _read_fields(tmp_path, ending, FULL, FULL | {name: value}, FULL)
    assert isinstance(bad, UnreadableRow)
    assert bad.line == 2 + LINES_BEFORE[ending]
    assert bad.what.startswith(name) or (name == "reminders" and bad.what.startswith(("at", "a reminder")))
    assert bad.todo
    assert isinstance(before, ImportedEvent)
    assert isinstance(after, ImportedEvent)
    assert before.event == after.event


@every_format
def test_a_phone_number_is_never_quoted(tmp_path: Path, ending: str) -> None:
    """Whatever field a phone number strayed into, no message about its row repeats it."""
    strayed = [{name: value} for name, value in FULL.items() if name not in ("number", "clearance_id")]
    rows = _read_fields(tmp_path, ending, *(FULL | dict.fromkeys(one, NUMBER) for one in strayed))
    assert len(rows) == len(strayed)
    for row in rows:
        assert isinstance(row, UnreadableRow)
        assert NUMBER[3:] not in row.what + row.todo


@every_format
def test_encodings(tmp_path: Path, ending: str) -> None:
    """A byte order mark and Windows line ends change nothing; bytes that are not UTF-8 cost their row alone."""
    data = WRITERS[ending]([FULL, FULL, FULL]).replace(b"\r\n", b"\n")
    clean = _read(tmp_path, ending, data)
    assert _read(tmp_path, ending, b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")) == clean
    lines = data.split(b"\n")
    middle = 1 + LINES_BEFORE[ending]
    lines[middle] = lines[middle].replace("语音".encode(), "语音".encode("gbk"))
    rows = _read(tmp_path, ending, b"\n".join(lines))
    assert [type(row) for row in rows] == [ImportedEvent, UnreadableRow, ImportedEvent]
    assert [rows[0], rows[2]] == [clean[0], clean[2]]


@every_format
def test_blank_lines_keep_the_count(tmp_path: Path, ending: str) -> None:
    """Blank lines are no rows, and the line a row is said to be on is the one an editor shows."""
    first, *rest = WRITERS[ending]([PLAIN, PLAIN]).splitlines()
    rows = _read(tmp_path, ending, b"\n\n".join([first, *rest]))
    assert [row.line for row in rows] == ([3, 5] if ending == ".csv" else [1, 3])


@every_format
def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, ending: str) -> None:
    """A row longer than any message is unreadable and is never held whole."""
    lines = WRITERS[ending]([PLAIN, PLAIN, PLAIN]).splitlines()
    at = LINES_BEFORE[ending] + 1
    lines[at] = lines[at] + b"x" * (200 * LINE_BYTES_MAX)
    path = tmp_path / f"lake{ending}"
    path.write_bytes(b"\n".join(lines))
    del lines
    tracemalloc.start()
    rows = list(importer_for(path, "lake").read(path))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(row) for row in rows] == [ImportedEvent, UnreadableRow, ImportedEvent]
    assert peak_bytes < 20 * LINE_BYTES_MAX


@every_format
def test_a_file_is_read_as_a_stream(tmp_path: Path, ending: str) -> None:
    """The first row is there before the rest of the file is: memory does not grow with the file."""
    pipe = tmp_path / f"lake{ending}"
    os.mkfifo(pipe)
    keep = os.open(pipe, os.O_RDWR)
    try:
        os.write(keep, WRITERS[ending]([PLAIN] * 200))
        assert isinstance(next(importer_for(pipe, "lake").read(pipe)), ImportedEvent)
    finally:
        os.close(keep)


@every_format
@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_make_rows(tmp_path_factory: pytest.TempPathFactory, ending: str, data: bytes) -> None:
    """Whatever bytes are in a file, every line comes out as a row and nothing is raised."""
    before = WRITERS[ending]([PLAIN])
    rows = _read(tmp_path_factory.mktemp("any"), ending, before + data)
    assert isinstance(rows[0], ImportedEvent)
    assert len(rows) == 1 + sum(1 for line in data.split(b"\n") if line.strip())


@pytest.mark.parametrize(
    "change", [lambda row: row + b",x", lambda row: row.rsplit(b",", 1)[0], lambda row: row.replace(b",c-1", b',"c-1')]
)
def test_csv_rows_of_another_width(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """A row with too many or too few fields, or a quote that is not closed, is unreadable and swallows no other."""
    header, row, after = _as_csv([FULL, FULL]).splitlines()
    rows = _read(tmp_path, ".csv", b"\n".join([header, change(row), after]))
    assert [type(row) for row in rows] == [UnreadableRow, ImportedEvent]


def test_csv_columns_in_any_order(tmp_path: Path) -> None:
    """Columns are known by their names, not their places, and the two optional ones may be left out."""
    names = sorted(name for name in COLUMNS if name not in ("published_at", "clearance_id"))
    cells = ",".join(_csv_cell(name, PLAIN.get(name)) for name in names)
    (row,) = _read(tmp_path, ".csv", f"{','.join(names)}\n{cells}\n".encode())
    assert isinstance(row, ImportedEvent)
    assert row.event.number == NUMBER


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "event_id, number, type"),
        (",".join(name for name in COLUMNS if name != "supersedes"), "supersedes"),
        (",".join(COLUMNS) + ",clearence", "1 unknown"),
        (",".join(COLUMNS) + ",number", "1 repeated"),
    ],
)
def test_a_bad_csv_header(tmp_path: Path, header: str, says: str) -> None:
    """A file whose first line is not the column names is refused whole, naming what is missing."""
    with pytest.raises(OperatorError, match=says):
        _read(tmp_path, ".csv", header.encode() + b"\n")


NO_NUMBERS: list[Any] = [7, 0, False, ["+86"], "\ud800"]
NO_REMINDERS: list[Any] = [{}, "x", [7], [{"at": "2026-01-10T00:00:00Z"}]]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "7",
        "{",
        '{"number": 7}',
        '{"event": ""}',
        "[" * 9000,
    ]
    + [json.dumps(FULL | {"number": value}) for value in NO_NUMBERS]
    + [json.dumps(FULL | {"reminders": value}) for value in NO_REMINDERS]
    + [json.dumps(FULL | {name: 7}) for name in FULL],
)
def test_json_that_is_no_event(tmp_path: Path, line: str) -> None:
    """JSON of another shape makes its row unreadable and leaves the next alone."""
    rows = _read(tmp_path, ".jsonl", line.encode() + b"\n" + _as_json_lines([FULL]))
    assert [type(row) for row in rows] == [UnreadableRow, ImportedEvent]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there or of an unknown kind is the operator's error, with what to do."""
    with pytest.raises(OperatorError, match="cannot be opened"):
        next(CsvImporter("lake").read(tmp_path / "none.csv"))
    with pytest.raises(OperatorError, match=r"\.jsonl"):
        importer_for(tmp_path / "events.xlsx", "lake")
