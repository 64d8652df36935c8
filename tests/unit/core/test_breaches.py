"""Duties of operators: every breach there is has a story that shows it, and a story without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.core.breaches import Clearance, OperatorBook
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Breach,
    ClearanceAnswer,
    Decision,
    EventType,
    Names,
    NumberEvent,
    Operator,
    Receipt,
    Reminder,
    Source,
)
from hub.sdk.operators.rehearsal import Rehearsal
from hub.wire.contracts import partition_of

NUMBER = "+8615500000000"
BEGAN = 20_000 * DAY_MS
LAKE = Operator("lake", Names("湖", "Lake"), ("+86155",), since=BEGAN)
ASKING = LAKE._replace(clearance_required=True)
TWICE = (Reminder(BEGAN, "SMS"),) * 2
COOLING, SCHEDULED, RELEASED, REASSIGNED = (
    EventType.COOLING,
    EventType.RELEASE_SCHEDULED,
    EventType.RELEASED,
    EventType.REASSIGNED,
)


def happens(kind: EventType, day: int, **fields: Any) -> NumberEvent:
    """An event on a day of the case, with what keeps every duty."""
    at = BEGAN + day * DAY_MS
    usual: dict[EventType, dict[str, Any]] = {
        COOLING: {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS},
        RELEASED: {"reminders": TWICE},
        REASSIGNED: {"reminders": TWICE},
    }
    return NumberEvent(day.to_bytes(16), "lake", NUMBER, kind, at, **{**usual.get(kind, {}), **fields})


OPENED, TOLD = happens(COOLING, 0), happens(SCHEDULED, 30)
GONE, HANDED_OVER = happens(RELEASED, 60), happens(REASSIGNED, 70)


def shown(
    *events: NumberEvent, late_ms: int = 0, operator: Operator = LAKE, clearance: Clearance | None = None
) -> set[Breach]:
    """The breaches on the receipts of events, each recorded so long after it happened."""
    rehearsal, found = Rehearsal([operator]), set[Breach]()
    for event in events:
        arrival = rehearsal.arrive(event, event.occurred_at + late_ms)._replace(clearance=clearance)
        (receipt,) = rehearsal.hear([arrival]).receipts
        assert receipt.decision is Decision.ACCEPTED, receipt.reason
        found |= set(receipt.breaches)
    return found


def reported(*sent: int) -> set[Breach]:
    """The breaches of days, after two days with one event and a report for each count that is given."""
    book = OperatorBook()
    book.add(Receipt(Source(0, 0), bytes(16), Decision.ACCEPTED, None, Source(0, 0), (), BEGAN + HOUR_MS))
    for day, count in enumerate(sent):
        at = BEGAN + (day + 1) * DAY_MS
        book.add(
            Receipt(Source(0, 1 + day), None, Decision.REPORTED, None, None, (), at, 20_000 + day, (count,) + (0,) * 11)
        )
    return set(book.breaches_at(LAKE, BEGAN + 2 * DAY_MS + 2 * HOUR_MS))


def blocked() -> Clearance:
    """The hub's word that the case may not be handed over."""
    return Clearance(
        "lake", f"{partition_of(NUMBER.encode(), 12)}-0", ClearanceAnswer.BLOCKED, BEGAN, BEGAN + 100 * DAY_MS
    )


RAISED: dict[Breach, Callable[[], set[Breach]]] = {
    Breach.COOLING_LENGTH: lambda: shown(happens(COOLING, 0, cooling_until=BEGAN + 59 * DAY_MS)),
    Breach.EARLY_RELEASE: lambda: shown(OPENED, TOLD, happens(RELEASED, 59)),
    Breach.FEW_REMINDERS: lambda: shown(OPENED, TOLD, happens(RELEASED, 60, reminders=TWICE[:1])),
    Breach.SHORT_NOTICE: lambda: shown(OPENED, GONE),
    Breach.EARLY_REISSUE: lambda: shown(OPENED, TOLD, GONE, happens(REASSIGNED, 69)),
    Breach.NEW_OWNER_NOT_TOLD: lambda: shown(OPENED, TOLD, GONE, happens(REASSIGNED, 70, reminders=())),
    Breach.LATE_EVENT: lambda: shown(OPENED, late_ms=DAY_MS + 1),
    Breach.SILENT: lambda: reported(1),
    Breach.COUNT_MISMATCH: lambda: reported(1, 2),
    Breach.NOT_CLEARED: lambda: shown(OPENED, TOLD, GONE, HANDED_OVER, operator=ASKING),
    Breach.REISSUED_WHILE_BLOCKED: lambda: shown(OPENED, TOLD, GONE, HANDED_OVER, operator=ASKING, clearance=blocked()),
}
"""By breach, a story in which a rule raises it and no other."""


def test_every_breach_has_a_story() -> None:
    """A breach that no rule of the hub raises is a word without a meaning: each has a story here."""
    missing = sorted(set(Breach) - set(RAISED))
    assert not missing, f"give RAISED in {__name__} a story of {missing}, and hub/core/breaches.py its rule"


@pytest.mark.parametrize("breach", RAISED)
def test_a_breach_is_raised_by_its_own_story_alone(breach: Breach) -> None:
    """What an operator did not do as it should is called by its name, and nothing else is held against it."""
    assert RAISED[breach]() == {breach}


def test_who_keeps_every_duty_has_no_breach() -> None:
    """A whole case, in time, told, reported and counted rightly, shows nothing."""
    assert shown(OPENED, TOLD, GONE, HANDED_OVER) == set()
    assert shown(OPENED, late_ms=DAY_MS) == set()
    assert reported(1, 1) == set()
