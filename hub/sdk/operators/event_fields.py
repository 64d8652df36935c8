"""This module turns the fields of an event in a file into a `NumberEvent`, or says what is wrong with them.

No message quotes a value, because in a shifted row any field may hold a phone number. For example, `occurred_at`
2026-01-31 08:00:00 gives "occurred_at has no zone".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from hub.core.model import EventType, NumberEvent, ReleaseReason, Reminder
from hub.sdk.times import NoZone, time_ms

S = TypeVar("S", EventType, ReleaseReason)
V = TypeVar("V")

COLUMNS = (
    "event_id",
    "number",
    "type",
    "occurred_at",
    "published_at",
    "cooling_until",
    "reissue_not_before",
    "bound_before",
    "reason",
    "ported",
    "reminders",
    "supersedes",
    "clearance_id",
)
OPTIONAL = frozenset({"published_at", "clearance_id"})
"""A file may do without these columns."""
REMINDER_TODO = "Write each reminder as a time and a channel."


class Unreadable(Exception):
    """The row cannot be read: `what` is wrong, and `todo` says what to do about it."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo


def event_of(operator: str, fields: Mapping[str, Any]) -> NumberEvent:
    """Return the event in a row's fields: they are text or null, `ported` a bool, `reminders` a list of {at, channel}.

    Raises:
        Unreadable: a field is not what it must be.
    """
    return NumberEvent(
        event_id=_required(_uuid(fields, "event_id"), "event_id"),
        operator=operator,
        number=_plain(fields["number"], "number"),
        type=_required(_symbol(fields, "type", EventType), "type"),
        occurred_at=_required(time_of(fields, "occurred_at"), "occurred_at"),
        cooling_until=time_of(fields, "cooling_until"),
        reissue_not_before=time_of(fields, "reissue_not_before"),
        bound_before=time_of(fields, "bound_before"),
        reason=_symbol(fields, "reason", ReleaseReason),
        ported=fields["ported"],
        reminders=_reminders(fields.get("reminders")),
        clearance_id=None if fields.get("clearance_id") is None else _plain(fields["clearance_id"], "clearance_id"),
        supersedes=_uuid(fields, "supersedes"),
    )


def _required(value: V | None, name: str) -> V:
    if value is None:
        raise Unreadable(f"{name} is blank", f"Every event needs {name}.")
    return value


def _plain(value: Any, name: str) -> str:
    """Return text that UTF-8 can carry; JSON can hold half of a surrogate pair, which no message can."""
    if isinstance(value, str) and value.encode("utf-8", errors="ignore").decode() == value:
        return value
    raise Unreadable(f"{name} is not text", "Write it as text, in quotes.")


def _uuid(fields: Mapping[str, Any], name: str) -> bytes | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        if str(known := UUID(text)) == text.lower():
            return known.bytes
    except (ValueError, TypeError, AttributeError):
        pass
    raise Unreadable(f"{name} is not a UUID", "Write 32 hexadecimal digits and four hyphens (RFC 9562).")


def _symbol(fields: Mapping[str, Any], name: str, kind: type[S]) -> S | None:
    """Return a symbol that an operator may send; UNKNOWN only stands for symbols of later versions."""
    text = fields.get(name)
    if text is None:
        return None
    known = {symbol.value: symbol for symbol in kind if symbol.value != "UNKNOWN"}
    if not isinstance(text, str) or text not in known:
        raise Unreadable(f"{name} is not a known word", f"Use one of {', '.join(known)}.")
    return known[text]


def time_of(fields: Mapping[str, Any], name: str) -> int | None:
    """Return the time in a field, UTC milliseconds.

    Raises:
        Unreadable: it is no ISO 8601 time with a zone.
    """
    text = fields.get(name)
    if text is None:
        return None
    try:
        return time_ms(text)
    except NoZone as wrong:
        raise Unreadable(f"{name} has no zone", "End it with Z, or with an offset such as +08:00.") from wrong
    except (ValueError, TypeError) as wrong:
        raise Unreadable(f"{name} is not a time", "Write ISO 8601, such as 2026-01-31T08:00:00Z.") from wrong


def _reminders(raw: Any) -> tuple[Reminder, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not all(isinstance(one, dict) and set(one) == {"at", "channel"} for one in raw):
        raise Unreadable("reminders cannot be read", REMINDER_TODO)
    return tuple(_reminder(one) for one in raw)


def _reminder(raw: Mapping[str, Any]) -> Reminder:
    at, channel = time_of(raw, "at"), _plain(raw["channel"], "channel")
    if at is None or not channel.strip():
        raise Unreadable("a reminder has no time or no channel", REMINDER_TODO)
    return Reminder(at, channel)
