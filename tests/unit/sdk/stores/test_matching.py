"""Accounts whose number may be one of several, in every store: nobody is unbound, or said not to be bound, on a guess.

The tables are of German national numbers, and the row was meant as +49 15123459160 or is +49 4915123459160.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from hub.core.model import Outcome, Source, Stage
from hub.sdk.accounts import AMBIGUOUS, AccountStore
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.plans import Rules
from hub.sdk.deeds import RetryPlan
from hub.sdk.numbering import AnyOf, International, Keyed, National, usual_forms
from hub.sdk.readings import Told
from hub.sdk.stores import MemoryStore
from hub.sdk.stores.matching import BOUND, bound, kept, kept_number, sought
from hub.sdk.stores.memory import MemoryAccount
from tests.account_service import ServiceAccount
from tests.unit.adapter_driver import NEW, NOW, OLD, Log, answers, by_ending, hear
from tests.unit.store_harnesses import InHttp, InSql, Seen

MOBILE, LAND_LINE, TEXT = "+4915123459160", "+494915123459160", "4915123459160"
BOTH = (LAND_LINE, MOBILE)
SHAPE = "#############: +49############# or +49###########"


class Table(Protocol):
    """A table of German national numbers."""

    def open(self) -> AccountStore: ...

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None: ...

    def see(self) -> dict[str, Seen]: ...


class InGermanMemory:
    """The memory store."""

    def __init__(self, _: Path) -> None:
        self._store = MemoryStore(form=usual_forms("DE"))

    def open(self) -> MemoryStore:
        return self._store

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        self._store.put(account_id, MemoryAccount(number, bound_at))

    def see(self) -> dict[str, Seen]:
        account = self._store.get("1")
        return {} if account is None else {"1": Seen(account.number, account.frozen)}


class InGermanSql(InSql):
    """A file of SQLite."""

    form = usual_forms("DE")


class InGermanWholeNumbers(InGermanSql):
    """A file of SQLite with numbers in a column of whole numbers."""

    columns = "uid INTEGER PRIMARY KEY, phone BIGINT, since INTEGER, locked INTEGER DEFAULT 0"


class InGermanHttp(InHttp):
    """A platform's own service, which says of such a row that it may be either."""

    def bind(self, account_id: str, number: str | None, bound_at: int | None) -> None:
        may_be = BOTH if number == TEXT else ()
        self.served.service.accounts[account_id] = ServiceAccount(number, bound_at, may_be=may_be)


@pytest.fixture(params=[InGermanMemory, InGermanSql, InGermanWholeNumbers, InGermanHttp])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    made = request.param(tmp_path)
    yield made
    if isinstance(made, InHttp):
        made.close()


@pytest.mark.parametrize("number", BOTH)
@pytest.mark.parametrize("stage", [Stage.COOLING, Stage.REASSIGNED])
def test_an_ambiguous_account_is_neither_touched_nor_not_bound(table: Table, number: str, stage: Stage) -> None:
    """Whichever of its numbers a notice is about: the account stays as it is, the case FAILED, nothing else is said."""
    table.bind("1", TEXT, OLD)
    store, before, log = table.open(), table.see(), Log()
    log.add(stage, number=number)
    plan = hear(store, log, fuse=0)
    assert (plan.counts.failed, plan.counts.not_bound, plan.counts.held, plan.asks) == (1, 0, 0, ())
    assert table.see() == before
    assert answers(store, log) == {Source(0, 0): {Outcome.FAILED}}


def test_an_ambiguous_account_is_unreadable(table: Table) -> None:
    """It is counted among the rows that cannot be read, and shown without its digits where the store reads it."""
    table.bind("1", TEXT, OLD)
    shapes = () if isinstance(table, InHttp) else (SHAPE,)
    assert table.open().readability() == (1, 1, 1, shapes)


def test_an_account_bound_later_is_not_the_old_owners_in_any_reading(table: Table) -> None:
    """Bound after the number was given up, the account is not the old owner's whichever number it has."""
    table.bind("1", TEXT, NEW)
    store, log = table.open(), Log()
    log.add(Stage.COOLING, number=MOBILE)
    assert hear(store, log).counts.not_bound == 1
    assert answers(store, log) == {Source(0, 0): {Outcome.NOT_BOUND}}


def test_a_mended_row_is_acted_on_by_the_clock(table: Table) -> None:
    """Once the row says which number it is, the case is tried again and the account unbound."""
    table.bind("1", TEXT, OLD)
    store, log = table.open(), Log()
    log.add(Stage.REASSIGNED, number=MOBILE)
    rules = Rules(by_ending, retries=RetryPlan())
    carry_out(store, log.notices, rules, NOW)
    (retry,) = store.due(NOW + 10 * 60_000, 10)
    whole = isinstance(table, InGermanWholeNumbers)
    table.bind("1", "15123459160" if whole else MOBILE, OLD)
    again = [one._replace(again=True) for one in log.notices if one.position == retry.position]
    assert carry_out(store, again, rules, NOW + 10 * 60_000).counts.unbound == 1
    assert table.see()["1"].number is None
    assert answers(store, log) == {Source(0, 0): {Outcome.FAILED, Outcome.UNBOUND}}


def test_a_batch_about_both_numbers_fails_at_both() -> None:
    """Two numbers that are looked up by one text in one batch do not hide each other."""
    store, log = MemoryStore([("1", TEXT, OLD)], usual_forms("DE")), Log()
    for number in BOTH:
        log.add(Stage.REASSIGNED, number=number)
    assert hear(store, log).counts.failed == 2
    assert answers(store, log) == {Source(0, 0): {Outcome.FAILED}, Source(0, 1): {Outcome.FAILED}}


def test_what_a_record_keeps_is_read_back() -> None:
    """A record of what a case touched names its number for good, by a text of the store's own form if one is plain."""
    german, bare, keyed = National("DE"), AnyOf(National("CN"), International("")), Keyed(b"0123456789abcdef")
    for form, number in ((german, LAND_LINE), (german, MOBILE), (bare, "+13123456789"), (bare, "+8613123456789")):
        assert kept_number(form, kept(form, number), {}) == number
    assert kept_number(german, TEXT, {}) == LAND_LINE  # as such records were kept before
    assert MOBILE[3:] not in kept(keyed, MOBILE)
    assert kept_number(keyed, kept(keyed, MOBILE), sought(keyed, [MOBILE])) == MOBILE


def test_every_word_binds_an_account_to_something() -> None:
    """Whatever a text tells, a store knows what the account is bound to."""
    assert set(BOUND) == set(Told)
    form = usual_forms("DE")
    assert bound(form, TEXT, sought(form, BOTH)) == (AMBIGUOUS, frozenset(BOTH))
