"""Intake's rules: every reason, every cell of the lifecycle, and that splits, crashes and redelivery change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core import breaches, intake, numbers
from hub.core.breaches import OperatorBook
from hub.core.held import HeldCopy
from hub.core.intake import Arrival
from hub.core.memory import MemoryCases
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Breach,
    Decision,
    EventType,
    HeldVerdict,
    Names,
    NumberEvent,
    Operator,
    OperatorReport,
    Receipt,
    Refusal,
    Rejected,
    ReleaseNotice,
    ReleaseReason,
    Source,
    Stage,
)
from hub.sdk.operators.rehearsal import REHEARSED_LOG, Heard, Rehearsal
from hub.wire.contracts import partition_of

HOME = 3
YEAR_1990, YEAR_2100 = 631_152_000_000, 4_102_444_800_000
NOW = 1_780_000_000_000
LAKE = Operator("lake", Names("湖", "Lake"), ("+86155",))
NORTH = Operator("north", Names("北", "North"), ("+86135",))
OPERATORS = {one.id: one for one in (LAKE, NORTH)}


def _numbers_at_home(prefix: str, wanted: int) -> list[str]:
    every = (f"{prefix}{n:08d}" for n in count())
    return list(islice((n for n in every if numbers.is_e164(n) and partition_of(n.encode(), 12) == HOME), wanted))


NUMBERS = _numbers_at_home("+86155", 3)
NUMBER = NUMBERS[0]
FOREIGN = _numbers_at_home("+86135", 1)[0]


def _event(number: str, kind: EventType, *, nth: int, **fields: Any) -> NumberEvent:
    """An event with what its type needs; `nth` makes its id, and its time an hour apart from its neighbours'."""
    at = NOW - 20 * HOUR_MS + nth * HOUR_MS // 10
    needed: dict[str, Any] = {}
    if kind is EventType.COOLING:
        needed = {"cooling_until": at + 60 * DAY_MS, "reissue_not_before": at + 70 * DAY_MS}
    base = NumberEvent(event_id=nth.to_bytes(16), operator="lake", number=number, type=kind, occurred_at=at)
    return base._replace(**(needed | fields))


def _hear(rehearsal: Rehearsal, *events: NumberEvent) -> list[Receipt]:
    return list(rehearsal.hear([rehearsal.arrive(event, NOW) for event in events]).receipts)


# --- the lifecycle, every cell ---------------------------------------------------------------------------------

C, S, R, A, X, W = (
    EventType.COOLING,
    EventType.RELEASE_SCHEDULED,
    EventType.RELEASED,
    EventType.REASSIGNED,
    EventType.RESTORED,
    EventType.WITHDRAWN,
)
HANDOVER = "HANDOVER"
COLUMNS = (C, S, R, A, HANDOVER, X, W)
NO = "OUT_OF_ORDER"
UNKNOWN = "UNKNOWN_EVENT"  # there is nothing to withdraw; this is checked before the table
TABLE: dict[str, tuple[str, ...]] = {
    # from         COOLING    SCHEDULED    RELEASED    REASSIGNED    *TRANSFER..   RESTORED    WITHDRAWN
    "none": ("+COOLING", NO, NO, NO, "+REASSIGNED", NO, UNKNOWN),
    "RESTORED": ("+COOLING", NO, NO, NO, "+REASSIGNED", NO, UNKNOWN),
    "WITHDRAWN": ("+COOLING", NO, NO, NO, "+REASSIGNED", NO, UNKNOWN),
    "COOLING": (NO, "SCHEDULED", "RELEASED", NO, NO, "RESTORED", "WITHDRAWN"),
    "SCHEDULED": (NO, NO, "RELEASED", NO, NO, "RESTORED", "WITHDRAWN"),
    "RELEASED": (NO, NO, NO, "REASSIGNED", NO, NO, "WITHDRAWN"),
    "REASSIGNED": ("+COOLING", NO, NO, NO, "+REASSIGNED", NO, "WITHDRAWN"),
}
"""Typed by hand from the lifecycle's table: `+` opens a case, otherwise the number's last case moves on."""

PATHS: dict[str, tuple[EventType, ...]] = {
    "none": (),
    "COOLING": (C,),
    "SCHEDULED": (C, S),
    "RELEASED": (C, S, R),
    "REASSIGNED": (C, S, R, A),
    "RESTORED": (C, X),
    "WITHDRAWN": (C, W),
}
FIRST_ID = (1).to_bytes(16)
CELLS = [(stage, column, cell) for stage, row in TABLE.items() for column, cell in zip(COLUMNS, row, strict=True)]


def _at_stage(stage: str) -> Rehearsal:
    rehearsal = Rehearsal(OPERATORS.values())
    path = [_event(NUMBER, kind, nth=nth, supersedes=FIRST_ID) for nth, kind in enumerate(PATHS[stage], 1)]
    assert all(one.decision is Decision.ACCEPTED for one in _hear(rehearsal, *path))
    return rehearsal


def _of_column(column: str, nth: int) -> NumberEvent:
    if column == HANDOVER:
        event = _event(NUMBER, A, nth=nth, reason=ReleaseReason.TRANSFER)
        return event._replace(bound_before=event.occurred_at)
    return _event(NUMBER, EventType(column), nth=nth, supersedes=FIRST_ID)


@pytest.mark.parametrize(("stage", "column", "cell"), CELLS)
def test_every_cell_of_the_lifecycle(stage: str, column: str, cell: str) -> None:
    """From each stage each event does what the table typed by hand says, and a refused one changes nothing."""
    rehearsal = _at_stage(stage)
    before = rehearsal.known.case_of(NUMBER)
    (receipt,) = _hear(rehearsal, _of_column(column, 50))
    after = rehearsal.known.case_of(NUMBER)
    if cell in (NO, UNKNOWN):
        assert (receipt.decision, receipt.reason) == (Decision.REFUSED, cell)
        assert after == before
        assert len(rehearsal.known.cases) == (0 if stage == "none" else 1)
        return
    assert receipt.decision is Decision.ACCEPTED
    assert after is not None
    assert after.stage == cell.removeprefix("+")
    opened = after.position == receipt.position
    assert opened == cell.startswith("+")


@pytest.mark.parametrize("stage", list(TABLE))
def test_a_suspension_is_a_note(stage: str) -> None:
    """SUSPENDED is noted when no case is live and refused when one is; either way nothing is remembered of it."""
    rehearsal = _at_stage(stage)
    before = rehearsal.known.case_of(NUMBER)
    note = _event(NUMBER, EventType.SUSPENDED, nth=50)
    live = stage in ("COOLING", "SCHEDULED", "RELEASED")
    for receipt in _hear(rehearsal, note, note):
        assert receipt.decision is (Decision.REFUSED if live else Decision.NOTED)
        assert receipt.position is None
    assert rehearsal.known.case_of(NUMBER) == before


def test_the_whole_table_is_here() -> None:
    """No stage and no type of event is missing from the table that the rules are held against."""
    assert set(TABLE) == {"none", *Stage}
    assert {*COLUMNS, EventType.SUSPENDED} == {*EventType, HANDOVER}


# --- every reason of a refusal ---------------------------------------------------------------------------------


class Bad(NamedTuple):
    """One event that must be refused: what came before it, how it is made wrong, and on arrival how."""

    event: NumberEvent
    before: tuple[NumberEvent, ...] = ()
    sender: str | None = None
    spoil: Callable[[Arrival], Arrival] = lambda arrival: arrival


OPEN = _event(NUMBER, C, nth=1)
LATER = _event(NUMBER, X, nth=9)
THEIRS = OPEN._replace(operator="north", ported=True)
TAKEN_BACK = _event(NUMBER, W, nth=8, supersedes=FIRST_ID)
HANDED_OVER = _event(NUMBER, A, nth=1, reason=ReleaseReason.BACKFILL, bound_before=NOW - 30 * DAY_MS)

COOLED = OPEN._replace(event_id=bytes(15) + b"c", occurred_at=HANDED_OVER.occurred_at + 1)
RESTORED = _event(NUMBER, EventType.RESTORED, nth=12, occurred_at=HANDED_OVER.occurred_at + 2)
AGAIN = HANDED_OVER._replace(
    event_id=bytes(15) + b"a",
    occurred_at=HANDED_OVER.occurred_at + 3,
    bound_before=HANDED_OVER.occurred_at - 1,
)
"""A second clean-up that names as old what the first has dealt with."""


def _moved(arrival: Arrival) -> Arrival:
    return arrival._replace(home=HOME + 1)


def _dropped(arrival: Arrival) -> Arrival:
    return arrival._replace(held=HeldCopy(Source(HOME, 0), NOW, HeldVerdict.DROPPED, decided=False))


def _content(content: Refusal, arrival: Arrival) -> Arrival:
    return arrival._replace(content=content)


REFUSED: list[tuple[Refusal, Bad]] = [
    (Refusal.UNDECODABLE, Bad(OPEN, spoil=partial(_content, Refusal.UNDECODABLE))),
    (Refusal.UNDECODABLE, Bad(OPEN._replace(clearance_id="x" * 70_000))),
    (Refusal.BAD_SIGNATURE, Bad(OPEN, spoil=partial(_content, Refusal.BAD_SIGNATURE))),
    (Refusal.WRONG_OPERATOR, Bad(OPEN, sender="north")),
    (Refusal.INVALID_NUMBER, Bad(OPEN._replace(number="+8612"))),
    (Refusal.INVALID_NUMBER, Bad(OPEN._replace(number=NUMBER[1:]))),
    (Refusal.INVALID_NUMBER, Bad(OPEN._replace(number=""))),
    (Refusal.WRONG_PARTITION, Bad(OPEN, spoil=_moved)),
    (Refusal.EVENT_ID_REUSED, Bad(OPEN._replace(ported=True), before=(OPEN,))),
    (Refusal.EVENT_ID_REUSED, Bad(OPEN._replace(number=NUMBERS[1]), before=(OPEN,))),
    (Refusal.NOT_YOUR_RANGE, Bad(OPEN._replace(number=FOREIGN))),
    (Refusal.MISSING_FIELD, Bad(OPEN._replace(cooling_until=None))),
    (Refusal.MISSING_FIELD, Bad(OPEN._replace(reissue_not_before=None))),
    (Refusal.MISSING_FIELD, Bad(_event(NUMBER, W, nth=9), before=(OPEN,))),
    (Refusal.MISSING_FIELD, Bad(_event(NUMBER, A, nth=9, reason=ReleaseReason.TRANSFER))),
    (Refusal.MISSING_FIELD, Bad(_event(NUMBER, A, nth=9, reason=ReleaseReason.BACKFILL))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(bound_before=OPEN.occurred_at + 1))),
    (Refusal.BAD_TIME, Bad(_event(NUMBER, EventType.SUSPENDED, nth=1, occurred_at=NOW + HOUR_MS + 1))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(cooling_until=OPEN.occurred_at))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(reissue_not_before=OPEN.occurred_at + 60 * DAY_MS - 1))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(bound_before=OPEN.occurred_at - 400 * DAY_MS - 1))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(bound_before=0))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(reissue_not_before=YEAR_2100))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(cooling_until=YEAR_2100, reissue_not_before=YEAR_2100))),
    (Refusal.BAD_TIME, Bad(OPEN._replace(occurred_at=YEAR_1990 - 1))),
    (Refusal.BAD_TIME, Bad(HANDED_OVER._replace(bound_before=YEAR_1990 - 1))),
    (Refusal.BAD_TIME, Bad(AGAIN, before=(HANDED_OVER,))),
    (Refusal.BAD_TIME, Bad(AGAIN, before=(HANDED_OVER, COOLED, RESTORED))),
    (Refusal.NOT_YOUR_CASE, Bad(LATER, before=(THEIRS,))),
    (Refusal.UNKNOWN_EVENT, Bad(TAKEN_BACK)),
    (Refusal.UNKNOWN_EVENT, Bad(TAKEN_BACK._replace(supersedes=LATER.event_id), before=(OPEN,))),
    (Refusal.UNKNOWN_EVENT, Bad(TAKEN_BACK._replace(event_id=bytes(16)), before=(OPEN, TAKEN_BACK))),
    (Refusal.UNKNOWN_EVENT, Bad(TAKEN_BACK, before=(HANDED_OVER._replace(operator="north", ported=True),))),
    (Refusal.OUT_OF_ORDER, Bad(LATER)),
    (Refusal.TIME_REVERSED, Bad(LATER._replace(occurred_at=OPEN.occurred_at - 1), before=(OPEN,))),
    (Refusal.TIME_REVERSED, Bad(OPEN._replace(event_id=bytes(16)), before=(OPEN, LATER))),
    (Refusal.DROPPED, Bad(OPEN, spoil=_dropped)),
]
ACKS_ONLY = {
    *(Refusal.WRONG_PLATFORM, Refusal.OTHER_LOG, Refusal.BEYOND_LOG, Refusal.WRONG_DIGEST, Refusal.TOO_LARGE),
    Refusal.HUB_FAULT,
}


@pytest.mark.parametrize(("reason", "bad"), REFUSED)
def test_every_reason(reason: Refusal, bad: Bad) -> None:
    """Each reason is what its own wrong event is refused for, whole and without being remembered."""
    rehearsal = Rehearsal(OPERATORS.values())
    for event in bad.before:
        (earlier,) = _hear(rehearsal, event)
        assert earlier.decision is Decision.ACCEPTED
    cases = dict(rehearsal.known.cases)
    arrival = bad.spoil(rehearsal.arrive(bad.event, NOW, bad.sender))
    heard = rehearsal.hear([arrival])
    assert [letter.reason for letter in heard.rejected] == [reason]
    assert heard.rejected[0].value == arrival.record.value
    assert [one.decision for one in heard.receipts] == [Decision.REFUSED]
    assert rehearsal.known.cases == cases
    assert not heard.notices


def test_every_reason_of_intake_has_its_bad_event() -> None:
    """No reason that intake can give is without an event that triggers it."""
    assert {reason for reason, _ in REFUSED} == set(Refusal) - ACKS_ONLY


@pytest.mark.parametrize(
    "event",
    [
        OPEN._replace(bound_before=OPEN.occurred_at),
        OPEN._replace(cooling_until=OPEN.occurred_at + 1, reissue_not_before=OPEN.occurred_at + 1),
        OPEN._replace(bound_before=OPEN.occurred_at - 400 * DAY_MS),
        OPEN._replace(reissue_not_before=YEAR_2100 - 1),
        HANDED_OVER._replace(bound_before=YEAR_1990),
        OPEN._replace(occurred_at=NOW + HOUR_MS),
        OPEN._replace(number=FOREIGN, ported=True),
    ],
)
def test_the_bounds_of_the_rules_are_within_them(event: NumberEvent) -> None:
    """An event that lies exactly on a bound is accepted."""
    (receipt,) = _hear(Rehearsal(OPERATORS.values()), event)
    assert receipt.decision is Decision.ACCEPTED


@pytest.mark.parametrize(
    "events",
    [
        (OPEN, LATER._replace(occurred_at=OPEN.occurred_at)),
        (OPEN, LATER, _event(NUMBER, C, nth=20, operator="north", ported=True)),
    ],
)
def test_what_follows_may_be_at_once_or_anothers(events: tuple[NumberEvent, ...]) -> None:
    """An event may happen in the same millisecond as the last, and a number with no live case be another operator's."""
    assert [one.decision for one in _hear(Rehearsal(OPERATORS.values()), *events)] == [Decision.ACCEPTED] * len(events)


def test_a_copied_handover_opens_nothing() -> None:
    """A notice folded twice in a row counts once, also where the table would let its stage follow itself."""
    (notice,) = Rehearsal(OPERATORS.values()).hear([_log([HANDED_OVER])[0]]).notices
    known = MemoryCases()
    assert known.fold(notice, Source(HOME, 0)) is not None
    assert known.fold(notice, Source(HOME, 1)) is None
    assert known.case_of(NUMBER) == known.cases[Source(HOME, 0)]


def test_an_unproven_sender_gets_no_receipt() -> None:
    """A message nobody signed is a dead letter and nobody's receipt."""
    rehearsal = Rehearsal(OPERATORS.values())
    heard = rehearsal.hear([rehearsal.arrive(OPEN, NOW, "nobody")])
    assert [(letter.sender, letter.reason) for letter in heard.rejected] == [(None, Refusal.WRONG_OPERATOR)]
    assert heard.receipts == ()


def test_a_receipt_does_not_tell_of_another_operators_case() -> None:
    """The receipt of NOT_YOUR_CASE says OUT_OF_ORDER; the hub's own figures know the true reason."""
    rehearsal = Rehearsal(OPERATORS.values())
    _hear(rehearsal, THEIRS)
    heard = rehearsal.hear([rehearsal.arrive(LATER, NOW)])
    assert [one.reason for one in heard.receipts] == [Refusal.OUT_OF_ORDER]
    book = OperatorBook()
    for receipt in heard.receipts * 2:
        book.add(receipt)
    assert book.refusals == {Refusal.OUT_OF_ORDER: 1}
    for letter in heard.rejected * 2:
        book.add_rejected(letter)
    assert book.refusals == {Refusal.NOT_YOUR_CASE: 1}


def test_reports_are_receipted() -> None:
    """A daily report is receipted with its totals; one in another's name or partition is refused."""
    rehearsal = Rehearsal(OPERATORS.values())
    arrival = rehearsal.arrive(OPEN, NOW)._replace(content=OperatorReport("lake", 20_000, (0,) * 12))
    (receipt,) = rehearsal.hear([arrival]).receipts
    assert (receipt.decision, receipt.report_day, receipt.report_sent) == (Decision.REPORTED, 20_000, (0,) * 12)
    for bad, reason in ((arrival._replace(sender=NORTH), "WRONG_OPERATOR"), (_moved(arrival), "WRONG_PARTITION")):
        (receipt,) = rehearsal.hear([bad]).receipts
        assert (receipt.decision, receipt.reason, receipt.report_day) == (Decision.REFUSED, reason, None)


# --- splits, crashes, redelivery -------------------------------------------------------------------------------


@st.composite
def _events(draw: st.DrawFn) -> NumberEvent:
    """Any event over few numbers and ids, most of them with what their type needs."""
    nth = draw(st.integers(1, 30))
    event = _event(draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(EventType)), nth=nth)
    return event._replace(
        operator=draw(st.sampled_from(["lake", "lake", "lake", "north"])),
        ported=True,
        reason=draw(st.sampled_from([None, None, ReleaseReason.TRANSFER])),
        bound_before=event.occurred_at if draw(st.booleans()) else None,
        supersedes=draw(st.integers(1, 30)).to_bytes(16),
    )


LOGS = st.lists(_events(), max_size=40)


def _log(events: Sequence[NumberEvent]) -> list[Arrival]:
    rehearsal = Rehearsal(OPERATORS.values())
    return [rehearsal.arrive(event, NOW + place) for place, event in enumerate(events)]


@given(events=LOGS, data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_split_into_batches(events: list[NumberEvent], data: st.DataObject) -> None:
    """However a partition's log is split into batches, its receipts, notices and dead letters are the same."""
    log = _log(events)
    whole, split = Rehearsal(OPERATORS.values()), Rehearsal(OPERATORS.values())
    expected = whole.hear(log)
    receipts: list[Receipt] = []
    notices: list[ReleaseNotice] = []
    letters: list[Rejected] = []
    rest = log
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        heard = split.hear(rest[:size])
        rest = rest[size:]
        receipts += heard.receipts
        notices += heard.notices
        letters += heard.rejected
    assert Heard(tuple(receipts), tuple(notices), tuple(letters)) == expected
    assert split.known.cases == whole.known.cases


class Broker:
    """What is durable, and a worker that may die between any two writes. Both are as `hub.core.intake` says."""

    def __init__(self, log: Sequence[Arrival]) -> None:
        self.log = log
        self.receipts: list[Receipt] = []
        self.releases: list[ReleaseNotice] = []

    def answers(self) -> dict[Source, Receipt]:
        """The first receipt of each source."""
        first: dict[Source, Receipt] = {}
        for receipt in self.receipts:
            first.setdefault(receipt.source, receipt)
        return first

    def run(self, committed: int, batch_max: int, writes_left: int) -> int:
        """Work from a commit on until done or dead; returns the new commit."""
        known, accepted = MemoryCases(), dict[Source, tuple[Source, tuple[Breach, ...]]]()
        folded_to = self._fold(known, accepted, 0)
        while committed < len(self.log):
            batch = self.log[committed : committed + batch_max]
            fresh = [a for a in batch if a.source not in self.answers() and a.source not in accepted]
            plan = intake.decide(fresh, known, REHEARSED_LOG) if fresh else intake.Plan()
            writes: list[Receipt | ReleaseNotice] = [one.receipt for one in plan.receipts]
            writes += [one.notice for one in plan.accepted]
            self._write(writes[: max(writes_left, 0)])
            writes_left -= len(writes)
            if writes_left <= 0:
                return committed
            folded_to = self._fold(known, accepted, folded_to)
            owed = [self._acceptance(a, accepted) for a in batch if a.source in accepted]
            self._write(owed[:writes_left])
            writes_left -= len(owed)
            if writes_left <= 0:
                return committed
            if plan.taken == len(fresh):
                committed += len(batch)
        return committed

    def _write(self, writes: Sequence[Receipt | ReleaseNotice]) -> None:
        self.receipts += [one for one in writes if isinstance(one, Receipt)]
        self.releases += [one for one in writes if isinstance(one, ReleaseNotice)]

    def _fold(
        self, known: MemoryCases, accepted: dict[Source, tuple[Source, tuple[Breach, ...]]], folded_to: int
    ) -> int:
        for offset in range(folded_to, len(self.releases)):
            notice = self.releases[offset]
            before = known.case_of(notice.subject.value)
            if known.fold(notice, Source(HOME, offset)) is not None:
                shown = breaches.of_notice(notice, OPERATORS[notice.operator], before)
                accepted[notice.source] = (Source(HOME, offset), shown)
        return len(self.releases)

    def _acceptance(self, arrival: Arrival, accepted: dict[Source, tuple[Source, tuple[Breach, ...]]]) -> Receipt:
        position, shown = accepted[arrival.source]
        assert isinstance(arrival.content, NumberEvent)
        late = breaches.of_event(arrival.content, arrival.record.record_time)
        return intake.acceptance(arrival, position, late + shown).receipt


def _effective(releases: Sequence[ReleaseNotice]) -> list[Any]:
    """The notices that count. A zombie's copy takes up positions, so positions are told by their order."""
    known = MemoryCases()
    found: list[Any] = []
    order: dict[Source, int] = {}
    for offset, notice in enumerate(releases):
        folded = known.fold(notice, Source(HOME, offset))
        if folded is not None:
            place = order.setdefault(folded.case.position, len(order))
            found.append((notice._replace(opened_at=None), notice.opened_at is None, place))
    return found


@given(
    events=LOGS,
    deaths=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9), st.integers(0, 5)), max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_any_crash_and_redelivery(events: list[NumberEvent], deaths: list[tuple[int, int, int]]) -> None:
    """Killed between any two writes, with any batches and any work delivered again, intake says the same."""
    log = _log(events)
    calm, troubled = Broker(log), Broker(log)
    calm.run(0, 500, 10_000)
    committed = 0
    for writes, batch_max, forgotten in deaths:
        committed = troubled.run(max(0, committed - forgotten), batch_max, writes)
    troubled.run(max(0, committed - 3), 4, 10_000)
    assert troubled.answers() == calm.answers()
    assert _effective(troubled.releases) == _effective(calm.releases)
    assert len(calm.answers()) == len(log)


@given(events=LOGS, copies=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), max_size=6))
@settings(max_examples=200, deadline=None)
def test_a_zombies_copies_are_ignored(events: list[NumberEvent], copies: list[tuple[int, int]]) -> None:
    """Notices published once more, between any two writes, only take up positions: every answer stays the same."""
    calm, haunted = Broker(_log(events)), Broker(_log(events))
    calm.run(0, 500, 10_000)
    committed = 0
    for writes, copied in copies:
        committed = haunted.run(committed, 4, writes)
        if haunted.releases:
            haunted.releases.append(haunted.releases[copied % len(haunted.releases)])
    haunted.run(committed, 4, 10_000)
    assert _effective(haunted.releases) == _effective(calm.releases)
    assert [one._replace(position=None) for _, one in sorted(haunted.answers().items())] == [
        one._replace(position=None) for _, one in sorted(calm.answers().items())
    ]


def test_a_clean_up_goes_back_as_far_as_the_last_handover_that_stands() -> None:
    """From the last handover on an owner's bindings may be named; a handover that was withdrawn is none."""
    from_then_on = AGAIN._replace(bound_before=HANDED_OVER.occurred_at)
    taken_back = _event(NUMBER, W, nth=13, supersedes=HANDED_OVER.event_id)
    taken_back = taken_back._replace(occurred_at=HANDED_OVER.occurred_at + 1)
    for events in ((HANDED_OVER, from_then_on), (HANDED_OVER, taken_back, AGAIN)):
        rehearsal = Rehearsal(OPERATORS.values())
        assert {one.decision for one in _hear(rehearsal, *events)} == {Decision.ACCEPTED}
