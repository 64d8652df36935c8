"""Clean-ups of numbers already in new hands: what a line becomes, and that no number is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.core.model import Decision, EventType, Receipt, Refusal, ReleaseReason, Source
from hub.errors import OperatorError
from hub.sdk.operators.backfill import _told, event_of, one, read_file, shown

NUMBER = "+8613500000007"
AT = "2023-04-01T00:00:00+08:00"
NOW = 1_780_000_000_000


def test_the_same_clean_up_has_the_same_event_id_everywhere() -> None:
    """Asking twice, from two machines or on two days, is asking once; another contract is another clean-up."""
    first = event_of("north", one(NUMBER, AT), None, NOW)
    again = event_of("north", one(NUMBER, "2023-03-31T16:00:00Z"), None, NOW + 1)
    other = event_of("north", one(NUMBER, "2024-03-31T16:00:00Z"), None, NOW)
    assert first.event_id == again.event_id != other.event_id
    assert event_of("south", one(NUMBER, AT), None, NOW).event_id != first.event_id
    assert (first.type, first.reason, first.bound_before) == (
        EventType.REASSIGNED,
        ReleaseReason.BACKFILL,
        1_680_278_400_000,
    )


def test_a_number_outside_the_ranges_was_ported() -> None:
    """Only if the operator says which its ranges are."""
    assert not event_of("north", one(NUMBER, AT), None, NOW).ported
    assert not event_of("north", one(NUMBER, AT), ["+86135"], NOW).ported
    assert event_of("north", one(NUMBER, AT), ["+86136"], NOW).ported


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    """A line that cannot be read says so and stops none of the others."""
    path = tmp_path / "numbers.csv"
    lines = ["number,bound_before", f"{NUMBER},{AT}", "", f"123,{AT}", f"{NUMBER},yesterday", NUMBER]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read_file(path)
    assert [(each.line, each.wrong is None) for each in found] == [(2, True), (4, False), (5, False), (6, False)]
    assert NUMBER not in "".join(each.wrong or "" for each in found)


@pytest.mark.parametrize("text", ["number\n", "", "bound_before,number\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file with other columns is not guessed at."""
    path = tmp_path / "numbers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OperatorError, match="other columns"):
        read_file(path)
    with pytest.raises(OperatorError, match="cannot be read"):
        read_file(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("decision", "reason", "done"),
    [
        (Decision.ACCEPTED, None, True),
        (Decision.DUPLICATE, None, True),
        (Decision.REFUSED, Refusal.EVENT_ID_REUSED, True),
        (Decision.REFUSED, Refusal.OUT_OF_ORDER, False),
        (Decision.HELD, None, False),
    ],
)
def test_what_came_of_a_line_is_said_without_its_number(decision: Decision, reason: Refusal | None, done: bool) -> None:
    """Two digits tell a line from its neighbours, and no more."""
    told = _told(one(NUMBER, AT), Receipt(Source(1, 2), b"", decision, reason, Source(1, 3), (), NOW))
    assert (told.done, told.number) == (done, "…07")
    assert NUMBER[4:] not in str(told)
    assert shown("12") == "…"
