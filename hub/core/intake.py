"""Intake decides on each message of an operator.

It makes these checks in this order, and the first that fails gives the reason: decode (UNDECODABLE), signature
(BAD_SIGNATURE), signer is `operator` (WRONG_OPERATOR), number (INVALID_NUMBER), partition (WRONG_PARTITION), `event_id`
seen (duplicate, or EVENT_ID_REUSED), range (NOT_YOUR_RANGE), fields (MISSING_FIELD), times (BAD_TIME), whose case
(NOT_YOUR_CASE), what is withdrawn (UNKNOWN_EVENT), the lifecycle table (OUT_OF_ORDER), an opener at REASSIGNED against
the number's last known handover (BAD_TIME), order in time (TIME_REVERSED).
Decoding and checking signatures happen before, in `hub.wire.checking`; everything else is here. An event behind a held
one of its number is held before its case is looked at, and one over a limit after all checks (`hub.core.held`); a
dropped one is refused before all other checks (DROPPED). For example, a RELEASED for a number without a case passes all
checks before the table, and is refused as OUT_OF_ORDER.

Where the rules of authority hold (`hub.core.limits`), the operator of a number's range may undo a case that another has
of it: RESTORED at any time, WITHDRAWN within 14 days by naming an event of that case. That is an objection. It is never
held, and it locks the number.

The receipt of NOT_YOUR_CASE says OUT_OF_ORDER (`RECEIPTED_AS`): its sender must not learn that the number has a live
case of another operator. The dead letter keeps the true reason.

A fact is never refused because it is a breach. Refused events and SUSPENDED notes are not remembered.

A batch is made durable in this order: held events, and the decisions on those sent again; receipts of refusals,
duplicates, notes and held events; notices; receipts of acceptance. A position is known only once its notice was folded,
so a plan ends before the first event that needs the position of a notice of the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from hub.core import breaches, lifecycle, numbers
from hub.core.cases import Case, fold
from hub.core.held import HeldBook, HeldCopy, kept_headers
from hub.core.limits import (
    OBJECTION_MS,
    Counted,
    Published,
    Situation,
    adds,
    counts_for,
    hour_of,
    is_quarantined,
    why_held,
)
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    PLAUSIBLE_MS,
    Breach,
    Decision,
    EventType,
    Header,
    HeldDecided,
    HeldEvent,
    HeldVerdict,
    HeldWhy,
    HubLog,
    NumberEvent,
    Operator,
    OperatorReport,
    Receipt,
    Record,
    Refusal,
    Rejected,
    ReleaseNotice,
    Source,
    Stage,
    Subject,
)

CLOCK_SKEW_MS = HOUR_MS
OWNED_UNTIL_MS = 400 * DAY_MS
"""How long before a COOLING the last binding of its number's owner may lie: a year without use, and some."""
KEPT_BYTES = 512 * 1024
"""How much of a refused value is kept: a compressed message may be far larger than a message of the hub may be. The
whole message stays in its topic."""

KEY_KEPT_BYTES = 1_024
HEADERS_KEPT = 32
REPORT_PARTITIONS_MAX = 1_024
"""How many totals a report may hold: its receipt repeats them, and has to fit into its limit too."""

PENDING = Source(-1, -1)
"""Stands for a position that will be known once its notice was folded."""

RECEIPTED_AS = {Refusal.NOT_YOUR_CASE: Refusal.OUT_OF_ORDER}
"""Maps a reason that a receipt does not tell to what it says instead."""


class Arrival(NamedTuple):
    """A message of `events` that was decoded and whose signature was checked.

    `sender` is the operator whose signature holds; for BAD_SIGNATURE it is the one that the key id names, if any.
    `home` is the partition that the key of this content belongs to. `held` is set if this is a held event sent again.
    `clearance` is what the clearance id says, if it is this hub's and the event needs one.
    """

    record: Record
    sender: Operator | None
    content: NumberEvent | OperatorReport | Refusal
    digest: bytes
    home: int
    held: HeldCopy | None = None
    clearance: breaches.Clearance | None = None

    @property
    def source(self) -> Source:
        """Return where the message lies in `events`."""
        return Source(self.record.partition, self.record.offset)

    @property
    def judged_at(self) -> int:
        """Return the record time by which the sender is judged: the one at which the event was first sent."""
        return self.record.record_time if self.held is None else self.held.recorded_at


class SeenEvent(NamedTuple):
    """An accepted event: the digest of its bytes, and where its notice lies."""

    digest: bytes
    position: Source


class KnownCases(Protocol):
    """What intake knows about the past of a partition: the fold of `releases`."""

    def case_of(self, number: str) -> Case | None:
        """Return the last case of a number."""

    def event_of(self, partition: int, operator: str, event_id: bytes) -> SeenEvent | None:
        """Return the accepted event of that id from that operator in that partition."""

    def last_source(self, partition: int) -> int:
        """Return the offset of the last folded source of a partition, -1 before the first."""

    @property
    def days(self) -> Counted:
        """Return how many notices the operators had."""


class Addressed(NamedTuple):
    """A receipt and the operator it goes to; `key` is as in the topic's contract."""

    operator: str
    key: bytes
    receipt: Receipt


class Accepted(NamedTuple):
    """An event that becomes a notice; its receipt follows once the notice was folded.

    `adds` is what the notice adds to its operator's counts.
    """

    arrival: Arrival
    notice: ReleaseNotice
    breaches: tuple[Breach, ...]
    adds: Published


class Holding(NamedTuple):
    """An event that will wait for a person, and the receipt that says so once the event is durable in `held`."""

    arrival: Arrival
    event: HeldEvent
    receipt: Addressed


@dataclass
class Plan:
    """What to make durable for the first `taken` arrivals of a batch."""

    taken: int = 0
    receipts: list[Addressed] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    held: list[Holding] = field(default_factory=list)
    settled: list[HeldDecided] = field(default_factory=list)
    """The decisions on held events that were sent again and are not accepted."""


HolderOf = Callable[[str], str | None]
"""Returns the operator whose range has a number (`hub.core.roster_life.range_holder`); None if none has."""


class Rules(NamedTuple):
    """What decides beside the past: how the topics were made, and whose range a number is of."""

    log: HubLog
    holder_of: HolderOf


class _Needs(Exception):
    """Raised if an event needs a position that is known only once the plan so far is folded."""


class _Overlay:
    """The known cases, and in addition what this plan has already decided."""

    def __init__(self, known: KnownCases, held: HeldBook) -> None:
        self._known = known
        self._book = held
        self._held: set[tuple[str, str]] = set()
        self._settled: set[Source] = set()
        self._days: dict[tuple[str, int], Published] = {}
        self._hours: dict[tuple[str, int], Published] = {}
        self._cases: dict[str, Case] = {}
        self._events: set[tuple[str, bytes]] = set()

    def case_of(self, number: str) -> Case | None:
        case = self._cases.get(number)
        return self._known.case_of(number) if case is None else case

    def event_of(self, partition: int, operator: str, event_id: bytes) -> SeenEvent | None:
        if (operator, event_id) in self._events:
            raise _Needs
        return self._known.event_of(partition, operator, event_id)

    def situation(self, arrival: Arrival, sender: Operator, last: Case | None) -> Situation:
        """Return what a decision about the sender's limits rests on, as far as it follows from counts and the case."""
        at = arrival.record.record_time
        day, hour = at // DAY_MS, hour_of(at)
        return Situation(
            today=self._known.days.published(sender.id, day).plus(self._days.get((sender.id, day), Published())),
            this_hour=self._known.days.published_in_hour(sender.id, hour).plus(
                self._hours.get((sender.id, hour), Published())
            ),
            quarantined=is_quarantined(self._known.days.tripped_at(sender.id), sender),
            stage=None if last is None else last.stage,
            stage_at=at if last is None else last.last_at,
            at=at,
            opened_at=at if last is None else last.published_at,
            locked_by=None if last is None else last.locked_by,
        )

    def is_behind(self, arrival: Arrival, event: NumberEvent) -> bool:
        """Return whether an earlier event of this operator and number waits for a person."""
        if (event.operator, event.number) in self._held and arrival.held is None:
            return True
        place = (arrival.source if arrival.held is None else arrival.held.source).offset
        partition = arrival.record.partition
        waiting = self._book.waiting(event.operator, event.number)
        return any(one < place and Source(partition, one) not in self._settled for one in waiting)

    def hold(self, event: NumberEvent) -> None:
        self._held.add((event.operator, event.number))

    def settle(self, source: Source) -> None:
        self._settled.add(source)

    def accept(self, arrival: Arrival, notice: ReleaseNotice, one: Published) -> None:
        if arrival.held is not None:
            self.settle(arrival.held.source)
        else:
            day = (notice.operator, notice.published_at // DAY_MS)
            hour = (notice.operator, hour_of(notice.published_at))
            self._days[day] = self._days.get(day, Published()).plus(one)
            self._hours[hour] = self._hours.get(hour, Published()).plus(one)
        position = Source(notice.source.partition, PENDING.offset)
        folded = fold(notice, position, -1, self.case_of)
        assert folded is not None, "the rules accept only what the fold accepts"
        self._cases[folded.number] = folded.case
        self._events.add((notice.operator, notice.event_id))


def decide(
    arrivals: Sequence[Arrival],
    known: KnownCases,
    log: HubLog,
    held: HeldBook | None = None,
    holder_of: HolderOf = lambda _: None,
) -> Plan:
    """Decide on a batch of one partition, in order.

    Args:
        arrivals: opened messages, none decided before (see `KnownCases.last_source` and the receipts).
        known: the fold of `releases`, at its end.
        log: how this hub's topics were made; it says since when the rules of authority hold.
        held: the fold of `held`, at its end; nothing is held without one.
        holder_of: tells whose range a number is of.

    Returns:
        A plan for at least the first arrival. The rest needs another call once the plan is folded.
    """
    plan = Plan()
    overlay = _Overlay(known, HeldBook() if held is None else held)
    for arrival in arrivals:
        try:
            _decide_one(arrival, overlay, plan, Rules(log, holder_of))
        except _Needs:
            break
        plan.taken += 1
    return plan


def _decide_one(arrival: Arrival, known: _Overlay, plan: Plan, rules: Rules) -> None:
    content = arrival.content
    copy = None if arrival.sender is None else arrival.held
    if copy is not None and copy.decided:
        _answer(arrival, _receipt(arrival, Decision.DUPLICATE), plan, known)
    elif copy is not None and copy.verdict is HeldVerdict.DROPPED:
        _refuse(arrival, Refusal.DROPPED, plan, known)
    elif isinstance(content, Refusal):
        _refuse(arrival, content, plan, known)
    elif isinstance(content, OperatorReport):
        refusal = _check_report(arrival, content)
        if refusal is None:
            plan.receipts.append(_receipt(arrival, Decision.REPORTED))
        else:
            _refuse(arrival, refusal, plan, known)
    else:
        _decide_event(arrival, content, known, plan, rules)


def _decide_event(arrival: Arrival, event: NumberEvent, known: _Overlay, plan: Plan, rules: Rules) -> None:
    refusal = _check_sender(arrival, event)
    if refusal is not None:
        return _refuse(arrival, refusal, plan, known)
    seen = known.event_of(arrival.record.partition, event.operator, event.event_id)
    if seen is not None:
        if seen.digest == arrival.digest:
            return _answer(arrival, _receipt(arrival, Decision.DUPLICATE, position=seen.position), plan, known)
        return _refuse(arrival, Refusal.EVENT_ID_REUSED, plan, known)
    refusal = _check_content(arrival, event)
    if refusal is not None:
        return _refuse(arrival, refusal, plan, known)
    if known.is_behind(arrival, event):
        return _hold(arrival, event, HeldWhy.BEHIND, plan, known)
    last = known.case_of(event.number)
    assert arrival.sender is not None, "WRONG_OPERATOR comes before"
    authority = rules.log.has_authority(arrival.record.record_time)
    objects = authority and _objects(arrival, event, last, rules.holder_of)
    refusal = _check_case(event, last, objects=objects)
    if refusal is not None:
        return _refuse(arrival, refusal, plan, known)
    late = breaches.of_event(event, arrival.judged_at)
    if event.type is EventType.SUSPENDED:
        return _answer(arrival, _receipt(arrival, Decision.NOTED, breaches=late), plan, known)
    notice = _notice(arrival, event, last, rules.log.log_id)
    one = adds(notice, arrival.sender, last)
    if arrival.held is None and counts_for(arrival.sender, authority=authority):
        so_far = known.situation(arrival, arrival.sender, last)._replace(
            opens=notice.opened_at is None,
            objects=objects,
            holder=rules.holder_of(event.number) if authority and one.ported else None,
        )
        why = why_held(event, arrival.sender, one, so_far, authority=authority)
        if why is not None:
            return _hold(arrival, event, why, plan, known)
    known.accept(arrival, notice, one)
    case = None if notice.opened_at is None else Source(arrival.record.partition, notice.opened_at)
    plan.accepted.append(Accepted(arrival, notice, late + _of_clearance(arrival, event, case), one))
    return None


def shown_by(arrival: Arrival, case: Source | None) -> tuple[Breach, ...]:
    """Return the breaches an accepted event shows by itself. `case` is the opener of the case it moves, if any."""
    assert isinstance(arrival.content, NumberEvent), "only events become notices"
    late = breaches.of_event(arrival.content, arrival.judged_at)
    return late + _of_clearance(arrival, arrival.content, case)


def _of_clearance(arrival: Arrival, event: NumberEvent, case: Source | None) -> tuple[Breach, ...]:
    assert arrival.sender is not None, "WRONG_OPERATOR comes before"
    return breaches.of_clearance(event, arrival.sender, case, arrival.clearance)


def _hold(arrival: Arrival, event: NumberEvent, why: HeldWhy, plan: Plan, known: _Overlay) -> None:
    """Hold an event. An event that is held already stays as it is."""
    receipt = _receipt(arrival, Decision.HELD)
    if arrival.held is not None:
        plan.receipts.append(receipt)
        return
    record = arrival.record
    held = HeldEvent(
        source=arrival.source,
        operator=event.operator,
        event_id=event.event_id,
        why=why,
        recorded_at=record.record_time,
        value=record.value or b"",
        headers=kept_headers(record.headers),
    )
    known.hold(event)
    plan.held.append(Holding(arrival, held, receipt))


def _answer(arrival: Arrival, receipt: Addressed, plan: Plan, known: _Overlay) -> None:
    """Add a receipt for a decision that makes no notice. If the message is a held event sent again, this decides it."""
    plan.receipts.append(receipt)
    if arrival.held is not None:
        known.settle(arrival.held.source)
        plan.settled.append(HeldDecided(arrival.held.source, arrival.source, receipt.receipt.decision))


def _check_report(arrival: Arrival, report: OperatorReport) -> Refusal | None:
    if arrival.sender is None or arrival.sender.id != report.operator:
        return Refusal.WRONG_OPERATOR
    if len(report.sent) > REPORT_PARTITIONS_MAX:
        return Refusal.UNDECODABLE
    return None if arrival.record.partition == arrival.home else Refusal.WRONG_PARTITION


def _check_sender(arrival: Arrival, event: NumberEvent) -> Refusal | None:
    if arrival.sender is None or arrival.sender.id != event.operator:
        return Refusal.WRONG_OPERATOR
    if not numbers.is_e164(event.number):
        return Refusal.INVALID_NUMBER
    return None if arrival.record.partition == arrival.home else Refusal.WRONG_PARTITION


def opens_case(event: NumberEvent) -> bool:
    """Return whether an event opens a case wherever it is accepted."""
    return event.type is EventType.COOLING or _is_handover(event)


def _is_handover(event: NumberEvent) -> bool:
    return event.type is EventType.REASSIGNED and event.reason in lifecycle.HANDOVER_REASONS


def _check_content(arrival: Arrival, event: NumberEvent) -> Refusal | None:
    assert arrival.sender is not None, "WRONG_OPERATOR comes before"
    if not event.ported and not numbers.in_ranges(event.number, arrival.sender.ranges):
        return Refusal.NOT_YOUR_RANGE
    if _has_missing_field(event):
        return Refusal.MISSING_FIELD
    return None if _times_fit(event, arrival.judged_at) else Refusal.BAD_TIME


def _has_missing_field(event: NumberEvent) -> bool:
    if event.type is EventType.COOLING:
        return event.cooling_until is None or event.reissue_not_before is None
    if event.type is EventType.WITHDRAWN:
        return event.supersedes is None
    return _is_handover(event) and event.bound_before is None


def _times_fit(event: NumberEvent, record_time: int) -> bool:
    times = (event.occurred_at, event.bound_before, event.cooling_until, event.reissue_not_before)
    if any(one is not None and one not in PLAUSIBLE_MS for one in times):
        return False
    if event.bound_before is not None and event.bound_before > event.occurred_at:
        return False
    if event.occurred_at > record_time + CLOCK_SKEW_MS:
        return False
    if event.type is not EventType.COOLING:
        return True
    assert event.cooling_until is not None, "MISSING_FIELD comes before"
    assert event.reissue_not_before is not None, "MISSING_FIELD comes before"
    if _bound_before(event) < event.occurred_at - OWNED_UNTIL_MS:
        return False
    return event.occurred_at < event.cooling_until <= event.reissue_not_before


def _objects(arrival: Arrival, event: NumberEvent, last: Case | None, holder_of: HolderOf) -> bool:
    """Return whether the operator of a number's range undoes a case that another operator has of the number.

    It may always restore its own number, and withdraws within `OBJECTION_MS` of the opener by naming one of its events.
    """
    if last is None or last.operator == event.operator or last.undone:
        return False
    if event.type is EventType.WITHDRAWN:
        in_time = arrival.judged_at <= last.published_at + OBJECTION_MS
        return in_time and event.supersedes in last.event_ids and holder_of(event.number) == event.operator
    return event.type is EventType.RESTORED and holder_of(event.number) == event.operator


def _check_case(event: NumberEvent, last: Case | None, *, objects: bool) -> Refusal | None:
    if last is not None and last.live and last.operator != event.operator and not objects:
        return Refusal.NOT_YOUR_CASE
    if event.type is EventType.WITHDRAWN and not (objects or _withdraws(event, last)):
        return Refusal.UNKNOWN_EVENT
    if not _table_allows(event, last):
        return Refusal.OUT_OF_ORDER
    if _is_handover(event) and _precedes_handover(event, last):
        return Refusal.BAD_TIME
    if last is not None and event.occurred_at < last.last_at and not objects:
        return Refusal.TIME_REVERSED
    return None


def _precedes_handover(event: NumberEvent, last: Case | None) -> bool:
    """Return whether an opener names as old owner's what an earlier owner's case has dealt with already."""
    return last is not None and last.handed_over_at is not None and _bound_before(event) < last.handed_over_at


def _withdraws(event: NumberEvent, last: Case | None) -> bool:
    return (
        last is not None and not last.undone and last.operator == event.operator and event.supersedes in last.event_ids
    )


def _table_allows(event: NumberEvent, last: Case | None) -> bool:
    if event.type is EventType.SUSPENDED:
        return last is None or not last.live
    return _stage_after(event, last) is not None


def _stage_after(event: NumberEvent, last: Case | None) -> Stage | None:
    stage = None if last is None else last.stage
    handover = _is_handover(event)
    return lifecycle.opens(stage, event.type, handover=handover) or lifecycle.moves(
        stage, event.type, handover=handover
    )


def _notice(arrival: Arrival, event: NumberEvent, last: Case | None, log_id: bytes) -> ReleaseNotice:
    stage = _stage_after(event, last)
    assert stage is not None, "OUT_OF_ORDER comes before"
    handover = _is_handover(event)
    opens = lifecycle.opens(None if last is None else last.stage, event.type, handover=handover) is not None
    if not opens and last is not None and last.position.offset == PENDING.offset:
        raise _Needs
    case = None if opens else last
    return ReleaseNotice(
        stage=stage,
        opened_at=None if case is None else case.position.offset,
        subject=Subject("e164", event.number),
        operator=event.operator,
        occurred_at=event.occurred_at,
        published_at=arrival.record.record_time,
        bound_before=_bound_before(event) if case is None else case.bound_before,
        cooling_until=event.cooling_until if case is None else case.cooling_until,
        reissue_not_before=event.reissue_not_before if case is None else case.reissue_not_before,
        reminders=len(event.reminders) + (0 if case is None else case.reminders),
        event_id=event.event_id,
        event_digest=arrival.digest,
        source=arrival.source,
        log_id=log_id,
    )


def _bound_before(event: NumberEvent) -> int:
    return event.occurred_at if event.bound_before is None else event.bound_before


def _refuse(arrival: Arrival, reason: Refusal, plan: Plan, known: _Overlay) -> None:
    plan.rejected.append(rejected(arrival.record, reason, arrival.sender.id if arrival.sender else None))
    if arrival.sender is not None:
        told = RECEIPTED_AS.get(reason, reason)
        _answer(arrival, _receipt(arrival, Decision.REFUSED, reason=told), plan, known)


def rejected(record: Record, reason: Refusal, sender: str | None) -> Rejected:
    """Return the dead letter of a message: its value up to `KEPT_BYTES`, and always the place where it lies."""
    return Rejected(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        sender=sender,
        recorded_at=record.record_time,
        key=None if record.key is None else record.key[:KEY_KEPT_BYTES],
        value=None if record.value is None else record.value[:KEPT_BYTES],
        headers=tuple(
            Header(name[:KEY_KEPT_BYTES], (value or b"")[:KEY_KEPT_BYTES])
            for name, value in record.headers[:HEADERS_KEPT]
        ),
    )


def _receipt(
    arrival: Arrival,
    decision: Decision,
    *,
    reason: Refusal | None = None,
    position: Source | None = None,
    breaches: tuple[Breach, ...] = (),
) -> Addressed:
    assert arrival.sender is not None, "a receipt goes to a known operator"
    content = arrival.content
    reported = content if isinstance(content, OperatorReport) and decision is Decision.REPORTED else None
    receipt = Receipt(
        source=arrival.source,
        event_id=content.event_id if isinstance(content, NumberEvent) else None,
        decision=decision,
        reason=reason,
        position=position,
        breaches=breaches,
        recorded_at=arrival.record.record_time,
        report_day=None if reported is None else reported.day,
        report_sent=() if reported is None else reported.sent,
        held_source=None if arrival.held is None else arrival.held.source,
    )
    return Addressed(arrival.sender.id, (arrival.record.key or b"")[:KEY_KEPT_BYTES], receipt)


def acceptance(arrival: Arrival, position: Source, shown: Iterable[Breach]) -> Addressed:
    """Return the receipt of an accepted event, from what the fold says of its source."""
    return _receipt(arrival, Decision.ACCEPTED, position=position, breaches=tuple(shown))


def holding(arrival: Arrival) -> Addressed:
    """Return the receipt of a held event, from what the fold says of its source."""
    return _receipt(arrival, Decision.HELD)
