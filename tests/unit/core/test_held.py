"""Limits and held events: what waits, what never does, in which order, and that counting is not disturbed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.breaches import OperatorBook
from hub.core.held import HELD_SOURCE_HEADER, HeldBook, kept_headers, named_source
from hub.core.model import (
    DAY_MS,
    HOUR_MS,
    Breach,
    Decision,
    EventType,
    HeldDecided,
    HeldEvent,
    HeldRelease,
    HeldVerdict,
    HeldWhy,
    Receipt,
    Record,
    Refusal,
    Source,
)
from hub.wire.contracts import encode
from tests.unit.intake_driver import (
    FOREIGN,
    HOME,
    LAKE,
    NORTH,
    NOW,
    PORTS,
    RESTORED,
    A,
    C,
    IntakeDriver,
    N,
    R,
    S,
    W,
    event_of,
)


def said(receipts: list[Receipt]) -> list[tuple[Decision, Refusal | None]]:
    return [(one.decision, one.reason) for one in receipts]


def test_over_the_daily_limit_an_event_is_held_until_the_day_is_over() -> None:
    """The limit's worth passes, the next is neither refused nor published, and another day begins anew."""
    driver = IntakeDriver(LAKE)
    heard = driver.send(*(event_of(N[i], C, i) for i in range(4)))
    assert [one.decision for one in heard] == [Decision.ACCEPTED] * 2 + [Decision.HELD] * 2
    assert [one.position for one in heard[2:]] == [None, None]
    assert len(driver.hub.known.cases) == 2
    (tomorrow,) = driver.send(event_of(N[4], C, 9), at=NOW + DAY_MS)
    assert tomorrow.decision is Decision.ACCEPTED


def test_a_restored_number_is_never_held_for_a_limit() -> None:
    """People get their number and accounts back whatever their operator has sent that day; and so with WITHDRAWN."""
    driver = IntakeDriver(LAKE)
    opened = event_of(N[1], C, 1)
    driver.send(event_of(N[0], C, 0), opened)
    heard = driver.send(
        event_of(N[0], RESTORED, 5), event_of(N[1], W, 6, supersedes=opened.event_id), event_of(N[0], C, 7)
    )
    assert [one.decision for one in heard] == [Decision.ACCEPTED, Decision.ACCEPTED, Decision.HELD]


def test_only_ported_numbers_count_to_the_limit_of_ported_ones() -> None:
    """An operator may release all its own numbers and still be held for those out of others' ranges."""
    driver = IntakeDriver(PORTS, NORTH)
    heard = driver.send(
        *(event_of(N[i], C, i) for i in range(3)),
        event_of(FOREIGN[0], C, 5, ported=True),
        event_of(FOREIGN[1], C, 6, ported=True),
        event_of(N[4], C, 7, ported=True),
    )
    assert [one.decision for one in heard] == [Decision.ACCEPTED] * 4 + [Decision.HELD, Decision.ACCEPTED]
    row = driver.hub.held.of(heard[4].source)
    assert row is not None
    assert row.why is HeldWhy.PORTED_LIMIT


def test_what_comes_after_a_held_event_of_its_number_waits_behind_it() -> None:
    """Order is kept, RESTORED included; another operator's events and other numbers go on."""
    driver = IntakeDriver(LAKE, NORTH)
    driver.send(event_of(N[0], C, 0), event_of(N[1], C, 1))
    heard = driver.send(
        event_of(N[2], C, 2),
        event_of(N[2], RESTORED, 3),
        event_of(N[2], C, 4, operator="north", ported=True),
        event_of(N[0], RESTORED, 5),
    )
    assert [one.decision for one in heard] == [Decision.HELD, Decision.HELD, Decision.ACCEPTED, Decision.ACCEPTED]
    rows = [driver.hub.held.of(one.source) for one in heard[:2]]
    assert [row.why for row in rows if row is not None] == [HeldWhy.DAILY_LIMIT, HeldWhy.BEHIND]


def test_what_is_refused_is_not_held() -> None:
    """The limit is asked last: an event that would be refused anyway is refused at once."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    heard = driver.send(event_of(FOREIGN[0], C, 0), event_of(N[0], C, 1, cooling_until=None), event_of(N[0], R, 2))
    assert [one.reason for one in heard] == [Refusal.NOT_YOUR_RANGE, Refusal.MISSING_FIELD, Refusal.OUT_OF_ORDER]


def test_released_events_are_judged_in_order_and_beyond_the_limit() -> None:
    """What a person releases is accepted as it came, and counts in no limit: else releasing would hold the next."""
    driver = IntakeDriver(LAKE)
    driver.send(
        event_of(N[0], C, 0), event_of(N[1], C, 1), event_of(N[2], C, 2), event_of(N[3], C, 3), event_of(N[2], R, 4)
    )
    answers = driver.judge(*driver.held())
    assert [one.decision for one in answers] == [Decision.ACCEPTED] * 3
    assert [one.held_source for one in answers] == driver.held()
    fresh = driver.send(event_of(N[4], C, 9), event_of(N[5], C, 10), at=NOW + DAY_MS)
    assert [one.decision for one in fresh] == [Decision.ACCEPTED] * 2
    (behind,) = driver.send(event_of(N[2], A, 11), at=NOW + 2 * DAY_MS)
    assert behind.decision is Decision.ACCEPTED


def test_a_later_event_is_not_released_over_the_head_of_an_earlier_one() -> None:
    """A copy whose predecessor still waits changes nothing: it stays held and can be released again."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    driver.send(event_of(N[0], C, 0), event_of(N[0], R, 1))
    first, second = driver.held()
    (early,) = driver.judge(second)
    assert (early.decision, early.held_source) == (Decision.HELD, second)
    answers = driver.judge(first, second)
    assert [one.decision for one in answers] == [Decision.ACCEPTED] * 2


def test_a_dropped_event_is_refused_and_what_waited_behind_it_is_free() -> None:
    """The operator is told DROPPED; the next event of the number is judged as if that one had not been sent."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    driver.send(event_of(N[0], C, 0), event_of(N[0], R, 1))
    first, second = driver.held()
    assert said(driver.judge(first, verdict=HeldVerdict.DROPPED)) == [(Decision.REFUSED, Refusal.DROPPED)]
    assert said(driver.judge(second)) == [(Decision.REFUSED, Refusal.OUT_OF_ORDER)]
    assert driver.hub.held.waiting("lake", N[0]) == []


def test_the_first_verdict_and_the_first_copy_count() -> None:
    """A second verdict changes nothing, and a copy too many is a duplicate that counts nowhere."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    driver.send(event_of(N[0], C, 0))
    (source,) = driver.held()
    assert said(driver.judge(source)) == [(Decision.ACCEPTED, None)]
    again = driver.judge(source, verdict=HeldVerdict.DROPPED)
    assert said(again) == [(Decision.DUPLICATE, None)]
    assert again[0].held_source == source


def test_a_header_without_a_verdict_is_nobodys_way_around_a_limit() -> None:
    """An operator that sends its own event with such a header is held as before, and so are other bytes."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    driver.send(event_of(N[0], C, 0), event_of(N[1], C, 1))
    book, (first, second) = driver.hub.held, driver.held()
    record = driver.log[0].record._replace(offset=50, headers=((HELD_SOURCE_HEADER, str(first).encode()),))
    assert book.copy_of(record) is None
    book.judge(HeldRelease("lake", (first,), HeldVerdict.RELEASED, "Li", NOW, ""))
    assert book.copy_of(record) is not None
    assert book.copy_of(record._replace(value=b"other")) is None
    assert book.copy_of(record._replace(partition=HOME + 1)) is None
    other = record._replace(headers=((HELD_SOURCE_HEADER, str(second).encode()),))
    assert book.copy_of(other) is None


def test_a_verdict_for_another_operators_event_counts_for_nothing() -> None:
    """Who releases north's events cannot release lake's by mistake."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    driver.send(event_of(N[0], C, 0))
    (source,) = driver.held()
    driver.hub.held.judge(HeldRelease("north", (source,), HeldVerdict.RELEASED, "Li", NOW, ""))
    row = driver.hub.held.of(source)
    assert row is not None
    assert row.verdict is None


def test_the_hubs_own_delay_is_no_breach_of_the_operators() -> None:
    """LATE_EVENT and the clock's rules are judged by when the event first came; its notice by when it went out."""
    driver = IntakeDriver(LAKE._replace(limit_daily=0))
    driver.send(event_of(N[0], C, 0))
    later = NOW + 10 * DAY_MS
    (answer,) = driver.judge(*driver.held(), at=later)
    assert (answer.decision, answer.breaches) == (Decision.ACCEPTED, ())
    (case,) = driver.hub.known.cases.values()
    assert case.published_at == later


@pytest.mark.parametrize("order", [1, -1])
def test_copies_do_not_disturb_the_daily_count(order: int) -> None:
    """The operator's report says how many events it sent; what the hub sent once more is not among them."""
    driver = IntakeDriver(LAKE)
    driver.send(*(event_of(N[i], C, i) for i in range(5)))
    driver.judge(*driver.held(), at=NOW + HOUR_MS)
    book = OperatorBook()
    day = NOW // DAY_MS
    sent = [0] * 12
    sent[HOME] = 5
    report = Receipt(Source(HOME, 99), None, Decision.REPORTED, None, None, (), NOW + 2 * HOUR_MS, day, tuple(sent))
    for receipt in [*driver.receipts, report, *driver.receipts][::order]:
        book.add(receipt)
    found = book.breaches_at(LAKE._replace(since=day * DAY_MS), (day + 1) * DAY_MS + 2 * HOUR_MS)
    assert Breach.COUNT_MISMATCH not in found
    assert {one: n for one, n in book.decisions.items() if n} == {Decision.ACCEPTED: 5, Decision.REPORTED: 1}
    # And the check can fail: the same with copies taken for events of the operator's own.
    naive = OperatorBook()
    for receipt in [*driver.receipts, report]:
        naive.add(receipt._replace(held_source=None))
    assert Breach.COUNT_MISMATCH in naive.breaches_at(LAKE._replace(since=0), (day + 1) * DAY_MS + 2 * HOUR_MS)


def test_a_notice_that_counts_makes_a_source_not_held() -> None:
    """Whatever a worker that was already replaced wrote, its number is not blocked by it."""
    book = HeldBook()
    source = Source(HOME, 7)
    book.hold(HeldEvent(source, "lake", bytes(16), HeldWhy.DAILY_LIMIT, NOW, b"v", ()), N[0])
    assert book.waiting("lake", N[0]) == [7]
    book.void(source)
    assert book.waiting("lake", N[0]) == []
    # A person may still see it and release it: then its copy is known as one, and is a duplicate that is settled.
    book.judge(HeldRelease("lake", (source,), HeldVerdict.RELEASED, "Li", NOW, ""))
    record = Record("events", HOME, 20, NOW, None, b"v", ((HELD_SOURCE_HEADER, str(source).encode()),))
    copy = book.copy_of(record)
    assert copy is not None
    assert copy.decided


def test_headers_are_kept_with_the_seal_first_and_no_claim() -> None:
    """However many headers a message has, its seal is kept; a claim to be a copy is not."""
    many = [(f"x{n}", bytes(1_000)) for n in range(100)]
    kept = kept_headers([*many, (HELD_SOURCE_HEADER, b"1-2"), ("key-id", b"k"), ("signature", bytes(64))])
    assert [one.name for one in kept[:2]] == ["key-id", "signature"]
    assert sum(len(one.value) for one in kept) <= 64 * 1024
    assert HELD_SOURCE_HEADER not in {one.name for one in kept}


@pytest.mark.parametrize("value", [b"", b"-", b"1", b"1-", b"-1", b"a-1", b"1-b", b"\xff-1", b"1-2-3"])
def test_a_malformed_claim_is_no_claim(value: bytes) -> None:
    """What is in the header of a stranger is read with care."""
    record = Record("events", 1, 2, NOW, None, b"", ((HELD_SOURCE_HEADER, value),))
    assert named_source(record) is None


HISTORY = st.lists(
    st.tuples(st.sampled_from(N[:3]), st.sampled_from([C, S, R, RESTORED]), st.integers(0, 1)), max_size=14
)


@given(history=HISTORY, limit=st.integers(0, 3), data=st.data())
@settings(max_examples=200, deadline=None)
def test_once_all_is_released_it_is_as_if_there_had_been_no_limit(
    history: list[tuple[str, EventType, int]], limit: int, data: st.DataObject
) -> None:
    """Whatever was held and however batches fell, after the release every case stands as without a limit."""
    events = [event_of(number, kind, nth) for nth, (number, kind, _) in enumerate(history)]
    log = [event for event, (_, _, again) in zip(events, history, strict=True) for _ in range(1 + again)]
    free, driver = IntakeDriver(LAKE._replace(limit_daily=None)), IntakeDriver(LAKE._replace(limit_daily=limit))
    free.send(*log)
    rest = list(log)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        driver.send(*rest[:size])
        rest = rest[size:]
    copies = driver.copies(driver.held(), HeldVerdict.RELEASED, NOW + DAY_MS)
    while copies:
        size = data.draw(st.integers(1, len(copies)))
        driver.hear(copies[:size])
        copies = copies[size:]
    stands = [
        {case.event_ids[0]: (case.stage, case.event_ids) for case in one.hub.known.cases.values()}
        for one in (free, driver)
    ]
    assert stands[0] == stands[1]
    assert not any(driver.hub.held.waiting("lake", number) for number in N)
    assert {one.source for one in driver.receipts} == {one.source for one in driver.log}


def test_folding_a_record_twice_changes_nothing() -> None:
    """A restart reads some of `held` again."""
    value = encode(event_of(N[0], C, 0))
    event = HeldEvent(Source(HOME, 4), "lake", bytes(16), HeldWhy.DAILY_LIMIT, NOW, value, ())
    word = HeldRelease("lake", (Source(HOME, 4),), HeldVerdict.RELEASED, "Li", NOW, "")
    decided = HeldDecided(Source(HOME, 4), Source(HOME, 9), Decision.ACCEPTED)
    once: dict[bytes, bytes] = {}
    twice: dict[bytes, bytes] = {}
    for rows, times in ((once, 1), (twice, 2)):
        book = HeldBook(rows)
        for _ in range(times):
            book.hold(event, N[0])
        for _ in range(times):
            book.judge(word)
        for _ in range(times):
            book.settle(decided)
        if times == 2:
            book.hold(event, N[0])
            book.judge(word)
    assert once == twice
    assert not HeldBook(once).waiting("lake", N[0])
