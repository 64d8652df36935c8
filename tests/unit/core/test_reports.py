"""A person's word counts: it names a platform, opens a dispute, asks for an answer, and ends with it."""

from __future__ import annotations

import pytest
from pyroaring import BitMap

from hub.core.cases import Case
from hub.core.coverage import SegmentTile
from hub.core.gaps import TIER_LIMIT_MS, Terms, classify
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    AcceptedAnswer,
    AcceptedReport,
    Decision,
    GapClass,
    Names,
    Operator,
    Outcome,
    Platform,
    PlatformState,
    Refusal,
    Report,
    ReportAnswer,
    ReportKind,
    Source,
    Stage,
)
from hub.core.reports import NAME_CHARS_MAX, Disputes, Ruling, Submitted, decide_report, find_platform
from hub.core.universe import UniverseSegment

NOW_MS = 1_770_000_000_000
NUMBER = "+8613512345678"
NORTH = Operator("north", Names("北方移动", "North Mobile"), ("+86135",))
LOG_ID = b"l" * 16
ROSTER = {
    one.id: one
    for one in (
        Platform("drive", Names("盘盒", "PanBox Drive"), "drive", 1, PlatformState.CONNECTED),
        Platform("gym", Names("健此", "GymNow"), "fitness", 3, PlatformState.KNOWN_UNCONNECTED, guide_url="https://g"),
        Platform("shop", Names("小店", "Shop"), "shopping", 2, PlatformState.CONNECTED),
        Platform("shop2", Names("小店", "Shop Two"), "shopping", 2, PlatformState.CONNECTED),
    )
}
CASE = Source(3, 77)


def report(**changes: object) -> Report:
    return Report(b"r" * 16, "north", NUMBER, "drive", ReportKind.STILL_BOUND, NOW_MS)._replace(**changes)  # type: ignore[arg-type]


def last_case(stage: Stage = Stage.RELEASED) -> Case:
    return Case(CASE, "north", Stage.COOLING, stage, NOW_MS, NOW_MS, None, None, 0, None, NOW_MS, ())


def decide(one: Report, last: Case | None = None, before: AcceptedReport | None = None, offset: int = 5) -> Ruling:
    submitted = Submitted(Source(1, offset), NOW_MS, NORTH, one, at_home=True)
    return decide_report(submitted, ROSTER, last, before, LOG_ID)


def test_a_connected_platform_is_asked_and_owes_an_answer_in_time() -> None:
    """A report of a case reaches the connected platform it names, with the number and a deadline of its tier."""
    ruling = decide(report(), last_case())
    assert ruling.accepted is not None
    assert ruling.request is not None
    assert (ruling.request.platform, ruling.request.case, ruling.request.subject.value) == ("drive", CASE, NUMBER)
    assert ruling.request.deadline_at == ruling.accepted.deadline_at == NOW_MS + TIER_LIMIT_MS[1]
    assert ruling.receipt.decision is Decision.ACCEPTED
    assert ruling.receipt.state is PlatformState.CONNECTED


def test_another_operator_does_not_learn_whether_there_is_a_case() -> None:
    """The platform is asked all the same; the receipt of an operator without a stake in the number looks like any."""
    elsewhere = last_case()._replace(operator="south")
    mine, foreign = decide(report(), elsewhere), decide(report(number="+8613412345678"), elsewhere)
    none = decide(report(number="+8613412345678"), None)
    assert (mine.receipt.case, mine.receipt.deadline_at) == (CASE, NOW_MS + TIER_LIMIT_MS[1]), "it is in its range"
    assert foreign.request is not None
    assert foreign.accepted is not None
    assert foreign.accepted.case == CASE
    assert foreign.receipt == none.receipt
    again = decide(report(number="+8613412345678"), elsewhere, foreign.accepted, offset=6)
    assert (again.receipt.decision, again.receipt.case, again.receipt.deadline_at) == (Decision.DUPLICATE, None, None)


@pytest.mark.parametrize("name", ["gym", "GYMNOW", "gym now", "健此", "ＧｙｍＮｏｗ"])
def test_a_platform_is_known_by_its_id_and_names_however_they_are_written(name: str) -> None:
    """People write names as they like; the platform is found, and the reporter is given its guide."""
    ruling = decide(report(platform=name), last_case())
    assert ruling.receipt.platform == "gym"
    assert ruling.receipt.guide_url == "https://g"
    assert ruling.request is None
    assert ruling.receipt.deadline_at is None


def test_a_name_nobody_knows_is_kept_as_it_was_said() -> None:
    """An unknown platform becomes known by what people report; a name that two share is not guessed at."""
    for name in ("小小健身房", "小店"):
        ruling = decide(report(platform=name), last_case())
        assert ruling.accepted is not None
        assert (ruling.accepted.platform, ruling.accepted.name) == (None, name)
    assert find_platform("shop", ROSTER) is ROSTER["shop"]


@pytest.mark.parametrize("last", [None, last_case(Stage.RESTORED), last_case(Stage.WITHDRAWN)])
def test_without_a_case_in_force_a_report_counts_for_the_platform_alone(last: Case | None) -> None:
    """A number that no operator released here opens no dispute, and the report is not lost."""
    ruling = decide(report(), last)
    assert ruling.accepted is not None
    assert ruling.accepted.case is None
    assert ruling.request is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"operator": "lake"}, Refusal.WRONG_OPERATOR),
        ({"number": "13512345678"}, Refusal.INVALID_NUMBER),
        ({"platform": " 　"}, Refusal.MISSING_FIELD),
        ({"platform": "x" * (NAME_CHARS_MAX + 1)}, Refusal.UNDECODABLE),
        ({"happened_at": NOW_MS + HOUR_MS + 1}, Refusal.BAD_TIME),
    ],
)
def test_a_report_that_breaks_a_rule_is_refused_for_it(changes: dict[str, object], reason: Refusal) -> None:
    """Each rule has a report that breaks it; the operator's receipt says which, and nothing else happens."""
    ruling = decide(report(**changes), last_case())
    assert ruling.receipt.reason is reason
    assert (ruling.accepted, ruling.request) == (None, None)


def test_a_report_in_the_wrong_partition_is_refused() -> None:
    """A number's reports have one order, in the partition of the number."""
    submitted = Submitted(Source(1, 5), NOW_MS, NORTH, report(), at_home=False)
    assert decide_report(submitted, ROSTER, None, None, LOG_ID).receipt.reason is Refusal.WRONG_PARTITION


def test_a_repeat_is_a_duplicate_and_an_id_used_twice_is_refused() -> None:
    """The same source again is a retry with the same answer; the same bytes elsewhere a duplicate; others refused."""
    first = decide(report(), last_case())
    retry = decide(report(), last_case(), first.accepted)
    assert (retry.receipt, retry.accepted, retry.request) == (
        first.receipt._replace(state=PlatformState.CONNECTED),
        None,
        first.request,
    )
    copy = decide(report(), last_case(), first.accepted, offset=6)
    assert (copy.receipt.decision, copy.accepted, copy.request) == (Decision.DUPLICATE, None, None)
    reused = decide(report(kind=ReportKind.DEBT_CALLS), last_case(), first.accepted, offset=7)
    assert reused.receipt.reason is Refusal.EVENT_ID_REUSED


def accepted(number: int, platform: str = "drive") -> AcceptedReport:
    ruling = decide(report(report_id=bytes([number]) * 16, platform=platform), last_case(), offset=number)
    assert ruling.accepted is not None
    return ruling.accepted


def answer(number: int, platform: str = "drive") -> AcceptedAnswer:
    return AcceptedAnswer(Source(0, number), bytes([number]) * 16, platform, Outcome.NOT_BOUND, NOW_MS)


def test_a_dispute_is_open_until_every_report_of_it_is_answered() -> None:
    """Two reports of one pair need two answers; a third after them opens it again."""
    disputes = Disputes()
    for number in (1, 2):
        disputes.add(accepted(number))
    disputes.add(accepted(1))
    disputes.add(answer(1))
    assert CASE.offset in disputes.open_in("drive", 3, 0)
    disputes.add(answer(2))
    assert not disputes.open_in("drive", 3, 0)
    disputes.add(answer(1))
    disputes.add(accepted(3))
    assert list(disputes.open_in("drive", 3, 0)) == [CASE.offset]
    assert not disputes.open_in("gym", 3, 0)


def test_only_the_platform_that_was_asked_can_answer() -> None:
    """An answer of another platform, or to a report there is none of, counts nowhere and is refused."""
    disputes = Disputes()
    disputes.add(accepted(1))
    disputes.add(answer(1, "gym"))
    assert disputes.open_in("drive", 3, 0)
    wrong = ReportAnswer(bytes([1]) * 16, "gym", Outcome.UNBOUND, NOW_MS)
    assert disputes.refusal_of(wrong) is Refusal.WRONG_PLATFORM
    assert disputes.refusal_of(wrong._replace(report_id=bytes(16))) is Refusal.UNKNOWN_EVENT
    assert disputes.refusal_of(wrong._replace(platform="drive")) is None


def test_silence_is_known_once_the_deadline_has_passed() -> None:
    """A platform that was asked and says nothing is silent from its deadline on, until it answers."""
    disputes = Disputes()
    disputes.add(accepted(1))
    assert disputes.silent("drive", NOW_MS + DAY_MS - 1) == []
    assert [one.report_id for one in disputes.silent("drive", NOW_MS + DAY_MS)] == [bytes([1]) * 16]
    disputes.add(answer(1))
    assert disputes.silent("drive", NOW_MS + DAY_MS) == []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_report_disputes_whatever_was_said(outcome: Outcome) -> None:
    """Against anything the platform said a report is a dispute, so the gap does not tell what that was."""
    segment = UniverseSegment()
    segment.open(77, Stage.RELEASED, NOW_MS, None)
    tile = SegmentTile()
    tile.add(outcome, BitMap([77]))
    terms = Terms.of(ROSTER["drive"])
    pairs = classify(segment, tile, terms, 77, NOW_MS, BitMap([77, 78]))
    disputed = outcome is not Outcome.REINSTATED  # which is nothing said of a case that stands
    assert (77 in pairs.disputes) == disputed
    assert (77 in pairs.gaps[GapClass.DISPUTED]) == disputed
    assert 77 not in pairs.resolved
    assert sum(len(bits) for bits in pairs.gaps.values()) + len(pairs.resolved) == 1
