"""This module holds the lifecycle of a case as a table. The diagram of `docs/concepts.md` is drawn from it.

A cell that is not in the table is an illegal move: it is refused and changes nothing. For example, RELEASED takes a
COOLING case to RELEASED, and COOLING does not follow COOLING.
"""

from __future__ import annotations

from hub.core.model import EventType, ReleaseReason, Stage

LIVE = frozenset({Stage.COOLING, Stage.SCHEDULED, Stage.RELEASED})
"""The stages in which the number is between two owners."""

UNDONE = frozenset({Stage.RESTORED, Stage.WITHDRAWN})
"""The stages in which the case no longer counts."""

OPENERS = frozenset({Stage.COOLING, Stage.REASSIGNED})
"""The stages at which a case can open; at REASSIGNED only for the reasons below."""

HANDOVER_REASONS = frozenset({ReleaseReason.TRANSFER, ReleaseReason.BACKFILL})
"""The reasons of a REASSIGNED that opens a case at once. A REASSIGNED with these reasons is allowed nowhere else."""

MOVES: dict[tuple[Stage, EventType], Stage] = {
    (Stage.COOLING, EventType.RELEASE_SCHEDULED): Stage.SCHEDULED,
    (Stage.COOLING, EventType.RELEASED): Stage.RELEASED,
    (Stage.COOLING, EventType.RESTORED): Stage.RESTORED,
    (Stage.COOLING, EventType.WITHDRAWN): Stage.WITHDRAWN,
    (Stage.SCHEDULED, EventType.RELEASED): Stage.RELEASED,
    (Stage.SCHEDULED, EventType.RESTORED): Stage.RESTORED,
    (Stage.SCHEDULED, EventType.WITHDRAWN): Stage.WITHDRAWN,
    (Stage.RELEASED, EventType.REASSIGNED): Stage.REASSIGNED,
    (Stage.RELEASED, EventType.WITHDRAWN): Stage.WITHDRAWN,
    (Stage.REASSIGNED, EventType.WITHDRAWN): Stage.WITHDRAWN,
}
"""The moves within a case."""

OPENS: dict[EventType, Stage] = {
    EventType.COOLING: Stage.COOLING,
    EventType.REASSIGNED: Stage.REASSIGNED,
}
"""The events that open a new case when no case is live."""


def opens(last: Stage | None, event: EventType, *, handover: bool) -> Stage | None:
    """Return the stage at which this event opens a new case, or None if it opens none."""
    if last in LIVE or (event is EventType.REASSIGNED and not handover):
        return None
    return OPENS.get(event)


def moves(last: Stage | None, event: EventType, *, handover: bool) -> Stage | None:
    """Return the stage this event takes the number's last case to, or None if the table has no such move."""
    if last is None or handover:
        return None
    return MOVES.get((last, event))


def follows(last: Stage | None, stage: Stage) -> bool:
    """Return whether a notice of `stage` may follow within a case whose stage is `last`."""
    return any(before is last and after is stage for (before, _), after in MOVES.items())


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += ["    [*] --> COOLING: COOLING", "    [*] --> REASSIGNED: REASSIGNED (TRANSFER, BACKFILL)"]
    lines += [f"    {before} --> {after}: {event}" for (before, event), after in MOVES.items()]
    return "\n".join(lines)
