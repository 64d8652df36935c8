"""The login check on the record that an adapter keeps: in memory and in SQL, from one thread and from many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hub.core.model import DAY_MS, Stage
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.last_cases import Index
from hub.sdk.login.check import EVERYBODY, LoginCheck, LoginCheckSettings, Verdict
from hub.sdk.login.words import Advice, Operation, Reason, Recycled, Signals
from hub.sdk.numbering import usual_forms
from hub.wire.contracts import partition_of
from tests.unit.adapter_driver import NEW, NOW, NUMBER, OLD, OTHER, Log, hear
from tests.unit.store_harnesses import HARNESSES, Harness, InSql

PARTITIONS = 3
LOGIN = NEW + DAY_MS
"""When people log in: the adapter heard the last of it a moment before."""

SETTINGS = LoginCheckSettings(clock=lambda: LOGIN, evidence_kept_s=0, served=EVERYBODY)
BEGAN = OLD - DAY_MS
HOME, THERE = (partition_of(one.encode(), PARTITIONS) for one in (NUMBER, OTHER))


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return HARNESSES[request.param](tmp_path)


def lived(harness: Harness) -> AccountStore:
    """A store that heard of one handover, from a log that began before the old owner's binding."""
    store, log = harness.open(), Log()
    beat(store, BEGAN, range(PARTITIONS))
    log.add(Stage.REASSIGNED, partition=HOME)
    hear(store, log)
    beat(store, LOGIN, range(PARTITIONS))
    return store


def check_of(store: AccountStore, settings: LoginCheckSettings = SETTINGS) -> LoginCheck:
    assert isinstance(store, Index)
    return LoginCheck(store, settings)


def test_the_person_with_the_number_is_told_apart(harness: Harness) -> None:
    """The old owner's account is not opened by the number, the new owner's own one and other people's are."""
    check = check_of(lived(harness))
    stranger = check.check(NUMBER, OLD, Operation.LOG_IN, Signals(new_device=True))
    assert stranger.advice is Advice.TREAT_AS_NEW_USER
    assert stranger.answer[1:] == (Stage.REASSIGNED, BEGAN, LOGIN)
    assert check.check(NUMBER, NEW, Operation.LOG_IN).advice is Advice.PROCEED
    assert check.check(OTHER, OLD, Operation.PAY).advice is Advice.PROCEED
    assert check.is_recycled(NUMBER, NOW - 1).recycled is Recycled.YES
    assert check.is_recycled(NUMBER, NOW).recycled is Recycled.NO


def test_nothing_is_known_before_an_adapter_ran(harness: Harness) -> None:
    """Without a record, and without word that it is whole, nobody is told no."""
    store, log = harness.open(), Log()
    check = check_of(store)
    assert check.is_recycled(NUMBER, NEW).reason is Reason.ADAPTER_BEHIND
    log.add(Stage.REASSIGNED, partition=HOME)
    hear(store, log)
    assert check.is_recycled(NUMBER, NEW).reason is Reason.ADAPTER_BEHIND
    assert check.is_recycled(NUMBER, OLD).reason is Reason.REISSUED


def test_an_adapter_that_fell_silent_answers_no_more(harness: Harness) -> None:
    """A minute after the adapter last heard everything, no becomes unknown; the next word makes it no again."""
    store = lived(harness)
    late = replace(SETTINGS, clock=lambda: LOGIN + 60_001)
    assert check_of(store, late).is_recycled(NUMBER, NEW).reason is Reason.ADAPTER_BEHIND
    beat(store, LOGIN + 60_000, range(PARTITIONS))
    assert check_of(store, late).is_recycled(NUMBER, NEW).recycled is Recycled.NO


def test_evidence_is_of_the_numbers_own_partition(harness: Harness) -> None:
    """A number is answered by how far back its own partition was heard."""
    assert HOME != THERE
    store, log = harness.open(), Log()
    log.add(Stage.COOLING, number="+8613712345678", partition=THERE, published_at=NOW)
    hear(store, log)
    beat(store, LOGIN, range(PARTITIONS))
    check = check_of(store)
    assert [check.is_recycled(one, NOW).reason for one in (OTHER, NUMBER)] == [
        Reason.SAME_OWNER,
        Reason.BEFORE_EVIDENCE,
    ]
    assert [check.is_recycled(one, NOW).evidence_from for one in (OTHER, NUMBER)] == [NOW, LOGIN]


def test_numbers_that_nobody_tells_of_are_unknown(harness: Harness) -> None:
    """A number of no operator that tells the hub is unknown; an operator's evidence begins when it joined."""
    served = {"+861": NOW, "+86139": OLD}
    check = check_of(lived(harness), replace(SETTINGS, served=served))
    assert check.is_recycled("+14155552671", NEW).reason is Reason.NOT_SERVED
    assert check.is_recycled(OTHER, OLD).recycled is Recycled.NO
    assert check.is_recycled("+8613712345678", OLD).reason is Reason.BEFORE_EVIDENCE
    assert check.is_recycled("+8613712345678", NOW).recycled is Recycled.NO


@pytest.mark.parametrize("number", ["", "13800138000", "+8613800", NUMBER + " ", "+86138001380001", "x" * 10_000])
def test_what_is_not_a_number_is_unknown(harness: Harness, number: str) -> None:
    """A number written in another way is no other number's no."""
    assert check_of(lived(harness)).is_recycled(number, NEW).reason is Reason.NOT_A_NUMBER


def test_numbers_are_read_as_the_platform_writes_them(harness: Harness) -> None:
    """Given the platform's own way of writing, the same number is found however it is spaced."""
    check = check_of(lived(harness), replace(SETTINGS, form=usual_forms("CN")))
    answers = {
        check.is_recycled(one, OLD).reason for one in (NUMBER, "13800138000", "138 0013 8000", "008613800138000")
    }
    assert answers == {Reason.REISSUED}


def test_the_database_alone_is_enough(tmp_path: Path) -> None:
    """A login service is given the database, not the store: it finds what the adapter wrote, whenever it writes."""
    harness = InSql(tmp_path)
    check = LoginCheck(create_engine(f"sqlite:///{tmp_path / 'shop.db'}"), SETTINGS)
    assert check.is_recycled(NUMBER, OLD).reason is Reason.ADAPTER_BEHIND
    lived(harness)
    assert check.is_recycled(NUMBER, OLD).reason is Reason.REISSUED


def test_a_login_service_that_starts_first_finds_what_comes(tmp_path: Path) -> None:
    """On a database without any table of the adapter's the answer is unknown, and right once the adapter ran."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    check = LoginCheck(engine, SETTINGS)
    assert check.is_recycled(NUMBER, OLD).reason is Reason.ADAPTER_BEHIND
    lived(InSql(tmp_path))
    assert check.is_recycled(NUMBER, OLD).reason is Reason.REISSUED


@pytest.mark.long
def test_many_threads_ask_while_the_adapter_writes(tmp_path: Path) -> None:
    """Answers from many threads are those of one, while another case is written beside them."""
    harness = InSql(tmp_path)
    with harness.engine.connect() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
    store, log = lived(harness), Log()
    numbers = [f"+86138{one:08d}" for one in range(300)]
    check = LoginCheck(harness.engine, SETTINGS)

    def ask(round_: int) -> list[Verdict]:
        asked = [(NUMBER, OLD), (NUMBER, NEW), (OTHER, OLD)]
        return [check.check(number, since, Operation.LOG_IN) for number, since in asked for _ in range(20 + round_ % 3)]

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, one) for one in range(40)]
        for number in numbers:
            log.add(Stage.COOLING, number=number, partition=HOME, offset=len(log.notices) + 1)
        hear(store, log)
        found = {verdict for one in asking for verdict in one.result()}
    assert {(one.answer.recycled, one.advice) for one in found} == {
        (Recycled.YES, Advice.STEP_UP),
        (Recycled.NO, Advice.PROCEED),
    }
    assert check.is_recycled(numbers[-1], OLD).reason is Reason.GIVEN_UP


def test_a_spelling_of_two_numbers_is_unknown(harness: Harness) -> None:
    """A text that may be one of two numbers is never no; if one of them has a new owner, it is doubted as well."""
    store, log = harness.open(), Log()
    mobile, spelt = "+4915123459160", "4915123459160"
    german = replace(SETTINGS, form=usual_forms("DE"))
    beat(store, LOGIN, range(PARTITIONS))
    assert check_of(store, german).is_recycled(spelt, NEW) == (Reason.AMBIGUOUS, None, None, LOGIN)
    assert check_of(store, german).last_case_until(spelt) is None
    log.add(Stage.REASSIGNED, number=mobile, partition=partition_of(mobile.encode(), PARTITIONS))
    hear(store, log)
    doubted = check_of(store, german)
    assert doubted.is_recycled(spelt, OLD) == (Reason.AMBIGUOUS, Stage.REASSIGNED, None, LOGIN)
    assert doubted.check(spelt, OLD, Operation.LOG_IN).advice is Advice.STEP_UP
    assert doubted.is_recycled("015123459160", OLD).reason is Reason.REISSUED
