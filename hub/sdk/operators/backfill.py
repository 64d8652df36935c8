"""This module sends clean-ups for numbers that have a new holder already: REASSIGNED with reason BACKFILL.

What was bound before the present holder's contract began is the old owner's, and platforms unbind it. For example, the
row `+8613800138000,2026-03-01T00:00:00+08:00` asks to unbind what was bound to that number before 1 March. The event's
id follows from operator, number and that time: asking twice counts once, also from another machine and after a crash.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid5

from hub.core.model import REFUSAL_TODO, Decision, EventType, NumberEvent, Receipt, Refusal, ReleaseReason
from hub.core.numbers import is_e164
from hub.errors import OperatorError
from hub.sdk.operators.publisher import OperatorPublisher
from hub.sdk.times import time_ms

NAMESPACE = UUID("5c0c3f62-6a59-4e0f-9d5c-2a4c8d0b7a11")
"""The ids of clean-ups are in this namespace, which was made once, at random."""

COLUMNS = ["number", "bound_before"]
ROWS_MAX = 1_000_000
AT_ONCE = 500
SHOWN_DIGITS = 2


class Wanted(NamedTuple):
    """This is one clean-up: its line, its number and time, or what is wrong with the line."""

    line: int
    number: str
    bound_before: int
    wrong: str | None = None


class Told(NamedTuple):
    """This is the result of one clean-up. `number` shows the last digits only."""

    line: int
    number: str
    done: bool
    said: str
    todo: str | None = None


def one(number: str, bound_before: str) -> Wanted:
    """Return the clean-up of one number."""
    return _wanted(1, number, bound_before)


def read_file(path: Path) -> list[Wanted]:
    """Return the clean-ups of a CSV file with the columns `number` and `bound_before`.

    Raises:
        OperatorError: the file cannot be opened, is no such file, or is too long.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return read_rows(file, path.name)
    except (OSError, UnicodeDecodeError) as wrong:
        raise OperatorError(f"{path.name} cannot be read as CSV", todo="Check the path; write UTF-8.") from wrong


def read_rows(lines: Iterable[str], name: str, rows_max: int = ROWS_MAX) -> list[Wanted]:
    """Return the clean-ups of the lines of such a file.

    Raises:
        OperatorError: these are no lines of such a file, or too many.
    """
    try:
        rows = csv.reader(lines)
        if next(rows, None) != COLUMNS:
            raise OperatorError(f"{name} has other columns", todo=f"Begin it with {','.join(COLUMNS)}.")
        found = list(islice(_rows(rows), rows_max + 1))
    except csv.Error as wrong:
        raise OperatorError(f"{name} cannot be read as CSV", todo="Write RFC 4180, in UTF-8.") from wrong
    if len(found) > rows_max:
        raise OperatorError(f"more than {rows_max} rows", todo="Split the file.")
    return found


def _rows(rows: Iterator[list[str]]) -> Iterator[Wanted]:
    for line, row in enumerate(rows, 2):
        if row:
            yield _wanted(line, *row) if len(row) == len(COLUMNS) else Wanted(line, "", 0, "not two columns")


def _wanted(line: int, number: str, bound_before: str) -> Wanted:
    number = number.strip()
    if not is_e164(number):
        return Wanted(line, number, 0, "not a valid number in E.164 form")
    try:
        return Wanted(line, number, time_ms(bound_before.strip()))
    except ValueError:
        return Wanted(line, number, 0, "bound_before is not an ISO 8601 time with a zone")


def event_of(operator: str, wanted: Wanted, ranges: Sequence[str] | None, now_ms: int) -> NumberEvent:
    """Return the event that asks for a clean-up. A number outside the operator's `ranges` was ported."""
    name = f"{operator} {wanted.number} {wanted.bound_before}"
    return NumberEvent(
        event_id=uuid5(NAMESPACE, name).bytes,
        operator=operator,
        number=wanted.number,
        type=EventType.REASSIGNED,
        occurred_at=now_ms,
        bound_before=wanted.bound_before,
        reason=ReleaseReason.BACKFILL,
        ported=ranges is not None and not wanted.number.startswith(tuple(ranges)),
    )


async def backfill(
    publisher: OperatorPublisher,
    asked: Sequence[Wanted],
    now_ms: int,
    *,
    ranges: Sequence[str] | None = None,
    timeout_s: float = 60.0,
) -> list[Told]:
    """Send clean-ups and wait for their receipts; return the result of each, in order.

    Raises:
        HubError: receipts do not come in time. Nothing is lost: the same call goes on where this one ended.
    """
    told = []
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        told += await asyncio.gather(*(_ask(publisher, one, ranges, now_ms, timeout_s) for one in part))
    return told


async def _ask(
    publisher: OperatorPublisher, wanted: Wanted, ranges: Sequence[str] | None, now_ms: int, timeout_s: float
) -> Told:
    if wanted.wrong is not None:
        return Told(wanted.line, shown(wanted.number), False, f"not sent: {wanted.wrong}", "Correct the line.")
    event = event_of(publisher.operator, wanted, ranges, now_ms)
    try:
        receipt = await publisher.receipt(event.event_id, timeout_s)  # it was asked before, from this outbox
    except OperatorError:
        receipt = None
    if receipt is None or receipt.decision is Decision.REFUSED:  # a refused one is sent again: things may have changed
        await publisher.send(event)
        receipt = await publisher.receipt(event.event_id, timeout_s)
    return _told(wanted, receipt)


def _told(wanted: Wanted, receipt: Receipt) -> Told:
    number = shown(wanted.number)
    if receipt.reason is Refusal.EVENT_ID_REUSED:
        return Told(wanted.line, number, True, "asked before, and accepted then")
    if receipt.decision is Decision.REFUSED:
        todo = None if receipt.reason is None else REFUSAL_TODO[receipt.reason]
        return Told(wanted.line, number, False, f"refused: {receipt.reason}", todo)
    if receipt.decision is Decision.HELD:
        return Told(wanted.line, number, False, "held over a limit", "The hub's staff has to release it.")
    return Told(wanted.line, number, True, f"{receipt.decision.lower()} as case {receipt.position}")


def shown(number: str) -> str:
    """Return a number's last digits, for messages in which the number is not needed."""
    return "…" + number[-SHOWN_DIGITS:] if len(number) > 2 * SHOWN_DIGITS else "…"
