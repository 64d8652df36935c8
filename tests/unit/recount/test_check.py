"""The recount on handmade logs: what it counts, and that it notices every false figure."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import hub.recount
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    AcceptedAnswer,
    AcceptedReport,
    Coverage,
    GapClass,
    GapCount,
    Outcome,
    OutcomeCount,
    PartitionThrough,
    PlatformState,
    ReportKind,
    Source,
    Stage,
)
from hub.recount import compare, compute
from hub.recount.check import Truth
from hub.wire.contracts import COVERAGE, REPORTED, encode
from tests.unit.handmade_logs import BANK, T0, HandmadeLogs, ack_of, platform_of, record_of, ten_cases


@pytest.fixture
def made() -> HandmadeLogs:
    """Ten open cases, a bank and a shop."""
    return ten_cases()


def test_silence_is_a_gap_everywhere(made: HandmadeLogs) -> None:
    """A platform that said nothing has a gap for every case, not received and overdue."""
    figures = made.figures()
    assert figures["in_force"] == 10
    assert figures["gaps"] == {"NOT_RECEIVED": 10}
    assert figures["overdue"] == 10
    assert figures["received"] == {}


def reported(number: int, offset: int, platform: str = "bank") -> AcceptedReport:
    """A report that counts, of the case at an offset of partition 0."""
    case = Source(0, offset)
    name = (platform, platform, ReportKind.STILL_BOUND)
    return AcceptedReport(Source(0, number), bytes([number]) * 16, "north", "+8613512345678", *name, case, T0, T0, None)


def test_a_report_not_yet_answered_is_a_dispute(made: HandmadeLogs) -> None:
    """The recount folds reports and answers by itself: a resolved pair is a gap until each report has its answer."""
    made.say(Outcome.NOT_BOUND, *range(10))
    for one in (reported(1, 0), reported(2, 0), reported(3, 4), reported(4, 5, "shop")):
        made.reported.append(record_of(REPORTED, 0, len(made.reported), b"id", encode(one)))
    assert made.figures()["gaps"] == {"DISPUTED": 2}
    assert made.figures()["disputes"] == 2
    for number, platform in ((1, "bank"), (3, "bank"), (4, "bank"), (2, "shop")):
        answer = AcceptedAnswer(Source(0, number), bytes([number]) * 16, platform, Outcome.NOT_BOUND, T0)
        made.reported.append(record_of(REPORTED, 0, len(made.reported), b"id", encode(answer)))
    assert made.figures()["gaps"] == {"DISPUTED": 1}
    assert made.figures()["resolved"] == 9


SAID = [
    # said, shown, gap, disputes
    ({"UNBOUND"}, "UNBOUND", None, 0),
    ({"NOT_BOUND"}, "NOT_BOUND", None, 0),
    ({"FROZEN"}, "FROZEN", "FROZEN", 0),
    ({"DECLINED"}, "DECLINED", "DECLINED", 0),
    ({"FAILED"}, "FAILED", "FAILED", 0),
    ({"FROZEN", "UNBOUND"}, "UNBOUND", None, 0),
    ({"FAILED", "NOT_BOUND"}, "NOT_BOUND", None, 0),
    ({"FAILED", "FROZEN", "DECLINED"}, "FROZEN", "FROZEN", 0),
    ({"NOT_BOUND", "UNBOUND"}, "UNBOUND", None, 1),
    ({"NOT_BOUND", "FROZEN"}, "FROZEN", "DISPUTED", 1),
    ({"NOT_BOUND", "DECLINED"}, "DECLINED", "DISPUTED", 1),
    ({"NOT_BOUND", "DECLINED", "UNBOUND"}, "UNBOUND", None, 1),
    ({"REINSTATED"}, None, "NO_OUTCOME", 0),
]


@pytest.mark.parametrize(("said", "shown", "gap", "disputes"), SAID)
def test_what_is_shown(made: HandmadeLogs, said: set[str], shown: str | None, gap: str | None, disputes: int) -> None:
    """What was ever said of a pair decides what is shown, whether it is a gap, and whether it is disputed."""
    for outcome in sorted(said):
        made.say(Outcome(outcome), 4)
    figures = made.figures()
    assert figures["outcomes"] == ({shown: 1} if shown else {})
    assert figures["disputes"] == disputes
    gaps = {"NO_OUTCOME": 9} if gap != "NO_OUTCOME" else {"NO_OUTCOME": 10}
    assert figures["gaps"] == gaps | ({gap: 1} if gap not in (None, "NO_OUTCOME") else {})
    assert figures["resolved"] == (0 if gap else 1)


@pytest.mark.parametrize("stage", [Stage.RESTORED, Stage.WITHDRAWN])
@pytest.mark.parametrize(("said", "shown", "pending"), [("FROZEN", "FROZEN", 1), ("NOT_BOUND", "NOT_BOUND", 0)])
def test_an_undone_case_waits_for_reinstatement(
    made: HandmadeLogs, stage: Stage, said: str, shown: str, pending: int
) -> None:
    """An undone case is no longer in force; what was frozen waits until the platform says it is given back."""
    made.say(Outcome(said), 4)
    made.tell("+8613400000004", stage, 4)
    figures = made.figures()
    assert (figures["in_force"], figures["outcomes"], figures["restore_pending"]) == (9, {shown: 1}, pending)
    made.say(Outcome.REINSTATED, 4)
    figures = made.figures()
    assert (figures["outcomes"], figures["restore_pending"]) == ({"REINSTATED": 1}, 0)


def test_released_is_exposed_and_reassigned_an_incident(made: HandmadeLogs) -> None:
    """A gap whose number is free is exposed; one whose number a stranger has is an incident."""
    made.tell("+8613400000001", Stage.RELEASED, 1)
    made.tell("+8613400000002", Stage.RELEASED, 2)
    made.tell("+8613400000002", Stage.REASSIGNED, 2)
    assert (made.figures()["exposed"], made.figures()["incident"]) == (1, 1)
    made.say(Outcome.UNBOUND, 1, 2)
    assert (made.figures()["exposed"], made.figures()["incident"]) == (0, 0)


@pytest.mark.parametrize(("off_ms", "overdue"), [(-1, 0), (0, 1)])
@pytest.mark.parametrize(("tier", "days"), [(1, 1), (2, 3), (3, 7)])
def test_overdue_to_the_millisecond(made: HandmadeLogs, tier: int, days: int, off_ms: int, overdue: int) -> None:
    """A gap is overdue from its tier's limit on, that millisecond included."""
    made.enrol(platform_of(BANK, tier=tier))
    made.now_ms = T0 + days * DAY_MS + off_ms
    assert made.figures()["overdue"] == overdue


@pytest.mark.parametrize(("off_ms", "overdue"), [(-1, 0), (0, 1)])
def test_frozen_answers_to_the_reissue_date(made: HandmadeLogs, off_ms: int, overdue: int) -> None:
    """A frozen gap has until seven days before reissue; with no such date it has the tier's limit."""
    made.now_ms = T0 + 58 * DAY_MS + off_ms
    made.say(Outcome.FROZEN, *range(10))
    assert made.figures()["overdue"] == overdue
    made.tell("+8613400000010", Stage.REASSIGNED, None, reissue_not_before=None, published_at=T0)
    made.say(Outcome.FROZEN, 10)
    assert made.figures()["overdue"] == overdue + 1


STATES = [
    (PlatformState.KNOWN_UNCONNECTED, None, 10, {"NOT_CONNECTED": 10}),
    (PlatformState.ONBOARDING, None, 10, {"NOT_CONNECTED": 10}),
    (PlatformState.SUSPENDED, None, 10, {"NOT_CONNECTED": 10}),
    (PlatformState.EXEMPT, None, 0, {}),
    (PlatformState.LEFT, T0 + 4 * HOUR_MS, 4, {"NOT_CONNECTED": 4}),
]


@pytest.mark.parametrize(("state", "left_at", "in_force", "gaps"), STATES)
def test_every_state(
    made: HandmadeLogs, state: PlatformState, left_at: int | None, in_force: int, gaps: dict[str, int]
) -> None:
    """Who is not connected has gaps all the same; who left has those from before; who is exempt has none."""
    made.enrol(platform_of(BANK, state=state, left_at=left_at))
    figures = made.figures()
    assert (figures["state"], figures["in_force"], figures["gaps"]) == (state.value, in_force, gaps)


def test_received_is_a_maximum(made: HandmadeLogs) -> None:
    """An older acknowledgement that comes later takes nothing back."""
    made.send(encode(ack_of([], made.received(7))))
    made.send(encode(ack_of([], made.received(3))))
    figures = made.figures()
    assert figures["received"] == {0: 7}
    assert figures["gaps"] == {"NO_OUTCOME": 8, "NOT_RECEIVED": 2}


NO_NOTICE = [
    ("the last source again", Stage.RELEASED, 4, {"source": Source(0, 18)}),
    ("an older source", Stage.RELEASED, 4, {"source": Source(0, 8)}),
    ("another partition's source", Stage.RELEASED, 4, {"source": Source(1, 99)}),
    ("no such case", Stage.RELEASED, 5, {}),
    ("an opener of a live case", Stage.COOLING, None, {}),
    ("an opener at a later stage", Stage.RELEASED, None, {}),
    ("a move not in the table", Stage.REASSIGNED, 4, {}),
]


@pytest.mark.parametrize(("what", "stage", "opened_at", "changes"), NO_NOTICE, ids=[one[0] for one in NO_NOTICE])
def test_notices_that_do_not_count(
    made: HandmadeLogs, what: str, stage: Stage, opened_at: int | None, changes: dict[str, Any]
) -> None:
    """A notice said twice, or one that breaks the table, changes nothing; the true one after it still counts."""
    before = made.figures()
    made.tell("+8613400000004", stage, opened_at, **changes)
    assert made.figures() == before, what
    made.tell("+8613400000004", Stage.RESTORED, 4)
    assert made.figures()["in_force"] == 9


def test_a_number_comes_round_again(made: HandmadeLogs) -> None:
    """Once its case is over a number's next case counts beside the first, which nothing moves any more."""
    made.tell("+8613400000004", Stage.RELEASED, 4)
    made.tell("+8613400000004", Stage.REASSIGNED, 4)
    made.tell("+8613400000004", Stage.REASSIGNED, None)
    made.tell("+8613400000004", Stage.WITHDRAWN, 4)
    assert (made.figures()["in_force"], made.figures()["incident"]) == (11, 2)


def test_as_of_leaves_out_what_came_later(made: HandmadeLogs) -> None:
    """Figures of a place in the logs know nothing of what lies beyond it."""
    made.say(Outcome.NOT_BOUND, *range(10))
    as_of, before = made.as_of(), made.figures()
    made.tell("+8613400000010", Stage.COOLING)
    made.say(Outcome.FROZEN, 3)
    made.enrol(platform_of(BANK, state=PlatformState.LEFT, left_at=T0))
    assert compute(made.logs(), "bank", as_of) == before
    assert made.figures() != before


def _coverage(made: HandmadeLogs) -> Coverage:
    figures = made.figures()
    return Coverage(
        platform="bank",
        state=PlatformState(figures["state"]),
        outcomes=tuple(OutcomeCount(Outcome(name), pairs) for name, pairs in figures["outcomes"].items()),
        gaps=tuple(GapCount(GapClass(name), pairs) for name, pairs in figures["gaps"].items()),
        received=tuple(PartitionThrough(*one) for one in figures["received"].items()),
        as_of=made.as_of(),
        **{name: figures[name] for name in COUNTS},
    )


COUNTS = ("in_force", "resolved", "overdue", "exposed", "incident", "restore_pending", "disputes")
FALSE: dict[str, Any] = {
    **dict.fromkeys(COUNTS, 77),
    "state": PlatformState.LEFT,
    "outcomes": (OutcomeCount(Outcome.FAILED, 1),),
    "gaps": (GapCount(GapClass.FROZEN, 8),),
    "received": (PartitionThrough(0, 8),),
}


@pytest.fixture
def told(made: HandmadeLogs) -> HandmadeLogs:
    """A made where the bank said this and that."""
    made.say(Outcome.NOT_BOUND, 0, 1, 2)
    made.say(Outcome.UNBOUND, 2, 3)
    return made


def _differences(made: HandmadeLogs, coverage: Coverage) -> set[str]:
    made.coverage = [record_of(COVERAGE, 0, 0, b"bank", encode(coverage))]
    return {one.field for one in compare(made.logs()) if one.platform == "bank"}


def test_true_coverage_shows_no_difference(told: HandmadeLogs) -> None:
    """Coverage that says what the logs say, nought counts written out or not, is in order."""
    coverage = _coverage(told)
    assert _differences(told, coverage) == set()
    noughts = (*coverage.gaps, GapCount(GapClass.DISPUTED, 0))
    assert _differences(told, coverage._replace(gaps=noughts)) == set()


@pytest.mark.parametrize("name", list(FALSE))
def test_every_false_figure_is_noticed(told: HandmadeLogs, name: str) -> None:
    """A false figure in coverage is found, whichever it is, and named."""
    found = _differences(told, _coverage(told)._replace(**{name: FALSE[name]}))
    assert name in found
    assert found - {name} <= {"in_force = resolved + gaps"}


def test_sums_are_checked(told: HandmadeLogs) -> None:
    """In force is resolved and gaps together, whatever the logs say."""
    assert "in_force = resolved + gaps" in _differences(told, _coverage(told)._replace(resolved=77))


def test_a_platform_without_coverage_is_noticed(told: HandmadeLogs) -> None:
    """Every platform on the roster has coverage, or it is a difference."""
    told.coverage = []
    assert [(one.platform, one.field) for one in compare(told.logs())] == [("bank", "coverage"), ("shop", "coverage")]


def test_a_roster_that_is_gone_is_said_to_be(told: HandmadeLogs) -> None:
    """If compaction took the roster of a place in the logs, the recount says so and guesses nothing."""
    coverage = _coverage(told)
    told.platforms = [one._replace(offset=one.offset + 5) for one in told.platforms]
    assert _differences(told, coverage) == {"as_of.platforms"}


def test_the_recount_is_other_code() -> None:
    """The recount imports of the hub's core the values alone, and nothing of its processor."""
    imported = set()
    for path in Path(hub.recount.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hub"):
                imported.add(node.module)
    own = {name for name in imported if name and name.startswith("hub.recount")}
    assert imported - own == {"hub.core.model", "hub.wire.contracts", "hub.errors", "hub.kafka.header_names"}
    assert Truth.__module__ in own
