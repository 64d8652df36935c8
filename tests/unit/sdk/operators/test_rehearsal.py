"""What an operator is told of its file before it sends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.operator import LINES_SHOWN, app
from hub.core.model import DAY_MS, REFUSAL_TODO, EventType, Names, NumberEvent, Operator, Refusal
from hub.errors import OperatorError
from hub.sdk.operators import rehearsal
from hub.sdk.operators.importer import ImportedEvent
from hub.sdk.operators.rehearsal import check

HEADER = (
    "event_id,number,type,occurred_at,published_at,cooling_until,reissue_not_before,"
    "bound_before,reason,ported,reminders,supersedes"
)
ROSTER = """
- id: lake
  name: {zh: 湖, en: Lake}
  ranges: ['+86155']
  cooling_days: {min: 30, max: 90}
"""
MINE, OTHERS = "+8615500000007", "+8613500000007"
NOW = 1_780_000_000_000


def _row(nth: int, number: str, kind: str, day: int, rest: str = ",,,,,,") -> str:
    at = f"2026-01-{day:02d}T00:00:00Z"
    return f"00000000-0000-4000-8000-{nth:012d},{number},{kind},{at},{at},{rest}"


def _cooling(nth: int, number: str, until: str) -> str:
    return _row(nth, number, "COOLING", 1, f"2026-{until}T00:00:00Z,2026-04-20T00:00:00Z,,USER_REQUEST,,,")


FILE = [
    HEADER,
    _row(2, MINE, "RELEASED", 5),  # line 2, sent after line 3 by its time
    _cooling(1, MINE, "02-05"),  # 35 days
    _cooling(1, MINE, "02-05"),  # a repeat
    _cooling(3, OTHERS, "03-10"),
    _row(4, MINE, "DELETED", 6),
    _row(5, MINE, "RESTORED", 7),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lake.csv"
    path.write_text("\n".join(FILE) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "operators.yaml"
    path.write_text(ROSTER, encoding="utf-8")
    return path


def _run(*args: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", *map(str, args)])
    return result.exit_code, result.stdout, result.stderr


def _json(*args: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_run(*args, "--json")[1])
    return answer


def test_the_whole_answer(file: Path, roster: Path) -> None:
    """An operator is told, line by line, what would be accepted, repeated, refused, unreadable, or a breach."""
    answer = _json(file, "--operators", roster)
    assert [answer[name] for name in ("accepted", "duplicate", "refused", "unreadable")] == [2, 1, 2, 1]
    assert {reason: one["lines"] for reason, one in answer["rejected"].items()} == {
        "NOT_YOUR_RANGE": [5],
        "OUT_OF_ORDER": [7],
    }
    assert {kind: one["lines"] for kind, one in answer["breaches"].items()} == {
        "EARLY_RELEASE": [2],
        "FEW_REMINDERS": [2],
        "SHORT_NOTICE": [2],
    }
    assert [row["line"] for row in answer["unreadable_rows"]] == [6]


def test_what_would_be_held(file: Path, roster: Path) -> None:
    """An operator sees before it sends that a file goes over its daily limit, and which lines would wait."""
    assert "Held over" not in _run(file, "--operators", roster)[1]
    roster.write_text(ROSTER + "  limit_daily: 0\n", encoding="utf-8")
    answer = _json(file, "--operators", roster)
    assert [answer[name] for name in ("accepted", "held", "refused", "unreadable")] == [0, 4, 1, 1]
    assert {why: one["lines"] for why, one in answer["held_for"].items()} == {
        "DAILY_LIMIT": [3],
        "BEHIND": [2, 4, 7],
    }
    code, text, _ = _run(file, "--operators", roster)
    assert (code, "Held over a daily limit" in text) == (1, True)
    assert MINE[3:] not in text


def test_without_a_roster(file: Path) -> None:
    """Without a roster any range and 60 to 90 days of cooling are taken for the operator's, and the answer says so."""
    answer = _json(file)
    assert "NOT_YOUR_RANGE" not in answer["rejected"]
    assert answer["breaches"]["COOLING_LENGTH"]["lines"] == [3]
    assert any("--operators" in line for line in answer["cannot_know"])


def test_what_people_see(file: Path, roster: Path) -> None:
    """The text says what to do about each reason, what cannot be known, and never a number."""
    code, text, _ = _run(file, "--operators", roster)
    assert code == 1
    assert REFUSAL_TODO[Refusal.OUT_OF_ORDER] in text
    assert "line 6: type is not a known word" in text
    assert "Nothing was sent" in text
    assert all(line in text for line in rehearsal.CANNOT_KNOW)
    assert MINE[3:] not in text
    assert OTHERS[3:] not in text


def test_long_lists_are_cut(tmp_path: Path) -> None:
    """A file full of errors gives a short text; only --json lists every line."""
    path = tmp_path / "lake.csv"
    bad = [_row(n, MINE, "DELETED", 6) for n in range(25)] + [_row(n, MINE, "RELEASED", 6) for n in range(25)]
    path.write_text("\n".join([HEADER, *bad]), encoding="utf-8")
    text = _run(path)[1]
    assert f"and {25 - LINES_SHOWN} more" in text
    assert "36, …" in text
    assert len(_json(path)["unreadable_rows"]) == 25


def test_a_clean_file(tmp_path: Path) -> None:
    """A file that would be accepted whole ends with 0."""
    path = tmp_path / "lake.csv"
    path.write_text(f"{HEADER}\n{_cooling(1, MINE, '03-10')}\n", encoding="utf-8")
    assert _run(path)[0] == 0


def test_without_record_times(tmp_path: Path) -> None:
    """If a row does not say when it was sent, all are taken in the file's order, as of now."""
    path = tmp_path / "lake.csv"
    first, second = (row.split(",") for row in FILE[1:3])
    first[4] = ""
    path.write_text("\n".join([HEADER, ",".join(first), ",".join(second)]), encoding="utf-8")
    answer = _json(path)
    assert answer["by_time"] is False
    assert answer["rejected"]["OUT_OF_ORDER"]["lines"] == [2]
    assert answer["breaches"]["LATE_EVENT"]["lines"] == [3]


def test_what_cannot_be_checked(tmp_path: Path, file: Path, roster: Path) -> None:
    """A missing file, a file that is no event file and an operator nobody knows end with 2 and what to do."""
    for args in ((tmp_path / "none.csv",), (roster,), (file, "--operators", roster, "--operator", "sea")):
        code, out, err = _run(*args)
        assert (code, out) == (2, "")
        assert "What to do" in err


def test_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of more rows than fit in memory is refused, not half checked."""
    monkeypatch.setattr(rehearsal, "ROWS_MAX", 2)
    event = NumberEvent(bytes(16), "lake", MINE, EventType.SUSPENDED, NOW)
    rows = [ImportedEvent(line, event, NOW) for line in (1, 2, 3)]
    lake = Operator("lake", Names("湖", "Lake"), ("+86155",))
    assert len(check(rows[:2], lake, NOW).judged) == 2
    with pytest.raises(OperatorError, match="more than 2 rows"):
        check(rows, lake, NOW)


def test_an_event_too_large_to_send() -> None:
    """An event beyond the size of a message is refused as the hub would refuse it."""
    event = NumberEvent(bytes(16), "lake", MINE, EventType.SUSPENDED, NOW, clearance_id="x" * 70_000)
    lake = Operator("lake", Names("湖", "Lake"), ("+86155",))
    found = check([ImportedEvent(2, event, NOW + DAY_MS)], lake, NOW)
    assert found.refused() == {Refusal.UNDECODABLE: [2]}
