"""Signs of life: an account that a code on a known device proved is left alone, and a store tells when that was."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hub.core.model import DAY_MS, Outcome, OutcomeReason, ReleaseNotice, Source, Stage
from hub.sdk.accounts import AccountStore, Done
from hub.sdk.adapter.acking import acknowledgements
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out, look
from hub.sdk.adapter.settings import always_done
from hub.sdk.deeds import Deed
from hub.sdk.numbering import International
from hub.sdk.stores import DryRun, MemoryStore, SqlStore, SqlTable
from hub.sdk.stores.memory import MemoryAccount
from tests.account_service import ServiceAccount
from tests.unit.adapter_driver import NOW, NUMBER, OLD, RETRIES, Log, answers, hear, try_again
from tests.unit.store_harnesses import InHttp

DAY, WEEK = DAY_MS, 7 * DAY_MS
CASE = Source(0, 0)


def proven(at: int | None, **more: bool) -> MemoryStore:
    """A store with one account, last proven at a time."""
    store = MemoryStore()
    store.put("a", MemoryAccount(NUMBER, OLD, proven_at=at, **more))
    return store


def left(store: MemoryStore) -> tuple[bool, bool]:
    """Whether the account is bound, and whether it is frozen."""
    one = store.get("a")
    assert one is not None
    return one.number is not None, one.frozen


@pytest.mark.parametrize(
    ("stage", "proven_at", "touched"),
    [
        (Stage.COOLING, NOW + 1, False),
        (Stage.COOLING, NOW, True),
        (Stage.COOLING, None, True),
        (Stage.REASSIGNED, NOW - WEEK + 1, False),
        (Stage.REASSIGNED, NOW - WEEK, True),
        (Stage.REASSIGNED, NOW + DAY, False),
    ],
)
def test_what_is_in_use_is_not_touched(stage: Stage, proven_at: int | None, touched: bool) -> None:
    """Proven after COOLING occurred, or from a week before a handover on: neither frozen nor unbound, and declined."""
    store, log = proven(proven_at), Log()
    log.add(stage)
    plan = hear(store, log)
    assert plan.counts.in_use == plan.counts.declined == (not touched)
    if not touched:
        assert left(store) == (True, False)
        assert answers(store, log) == {CASE: {Outcome.DECLINED}}
    else:
        assert left(store) != (True, False)


def test_the_reason_is_said_and_names_nobody() -> None:
    """The acknowledgement has the case under DECLINED with IN_USE, over a restart as well; nothing else tells of it."""
    store, log = proven(NOW + 1), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    (ack,) = acknowledgements(store.outbox(), "shop", NOW, {})
    said = {(one.outcome, one.reason) for one in ack.outcomes if one.outcome is not Outcome.NOT_BOUND}
    assert said == {(Outcome.DECLINED, OutcomeReason.IN_USE)}


def test_a_sign_of_life_during_a_case_lifts_its_freeze() -> None:
    """Frozen at COOLING and proven since: at the next stage the account is free and bound, whatever the stage asks."""
    store, log = proven(None), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    assert left(store) == (True, True)
    store.put("a", MemoryAccount(NUMBER, OLD, frozen=True, proven_at=NOW + DAY))
    log.add(Stage.RELEASED, 0, occurred_at=NOW + 90 * DAY, published_at=NOW + 90 * DAY)
    hear(store, log)
    assert left(store) == (True, False)
    assert answers(store, log) == {CASE: {Outcome.FROZEN, Outcome.DECLINED}}


def test_an_account_proven_lately_is_frozen_until_the_week_is_over() -> None:
    """Proven a day before COOLING and released two days later: it is unbound by itself once the week has passed."""
    store, log = proven(NOW - DAY), Log()
    log.add(Stage.COOLING)
    log.add(Stage.RELEASED, 0, published_at=NOW + 2 * DAY)
    carry_out(store, log.notices, Rules(always_done, retries=RETRIES), NOW + 2 * DAY)
    assert left(store) == (True, True)
    assert [one.due_at for one in store.due(NOW + 99 * DAY, 9)] == [NOW + 6 * DAY]
    try_again(store, log, always_done, NOW + 6 * DAY)
    assert left(store) == (False, False)


@pytest.mark.parametrize("occurred_at", [0, NOW + 400 * DAY])
def test_no_operator_dates_a_case_beyond_the_proofs(occurred_at: int) -> None:
    """However early or late an operator says that it occurred, a proof after the record of the opener counts."""
    store, log = proven(NOW + DAY), Log()
    log.add(Stage.COOLING, occurred_at=occurred_at, published_at=NOW)
    hear(store, log)
    assert left(store) == (True, False)


def test_a_report_does_not_get_past_a_sign_of_life() -> None:
    """A case looked at again because of a report leaves an account alone that was bound and proven since."""
    store, log = MemoryStore(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.RELEASED, 0)
    hear(store, log)
    store.put("a", MemoryAccount(NUMBER, OLD, proven_at=NOW + DAY))
    assert look(store, log.notices[0], "aa", Rules(always_done)).outcome is Outcome.DECLINED
    assert left(store) == (True, False)


def test_the_platform_is_not_asked_about_what_is_in_use() -> None:
    """No deed is asked for at an account in use, so no procedure of the platform runs for it."""
    asked: list[Deed] = []

    def act(deed: Deed, _: str, __: ReleaseNotice) -> Done:
        asked.append(deed)
        return Done.DONE

    log = Log()
    log.add(Stage.COOLING)
    hear(proven(NOW + 1), log, act)
    assert asked == []


def in_sql(_: Path) -> AccountStore:
    """A table that names the column of the last proof, in seconds."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (account_id TEXT, number TEXT, bound_at INTEGER, proof INTEGER)"))
        row = {"number": NUMBER, "old": OLD // 1_000, "proof": (NOW + DAY) // 1_000}
        connection.execute(text("INSERT INTO users VALUES ('a', :number, :old, :proof)"), row)
    return SqlStore(engine, SqlTable("users", International(), proven_at="proof"))


def in_http(folder: Path) -> AccountStore:
    """A service that tells it."""
    harness = InHttp(folder)
    harness.served.service.accounts["a"] = ServiceAccount(NUMBER, OLD, proven_at=NOW + DAY)
    return harness.open()


@pytest.mark.parametrize("make", [in_sql, in_http])
def test_stores_tell_when_an_account_was_proven(make: object, tmp_path: Path) -> None:
    """Named in the layout or given by the service, the last proof is known, to a dry run too."""
    store, log = make(tmp_path), Log()  # type: ignore[operator]
    log.add(Stage.COOLING)
    assert hear(DryRun(store), log).counts.in_use == 1
    assert hear(store, log).counts.in_use == 1
    assert answers(store, log) == {CASE: {Outcome.DECLINED}}
    log.add(Stage.RELEASED, 0, occurred_at=NOW + 90 * DAY, published_at=NOW + 90 * DAY, bound_before=NOW + 80 * DAY)
    hear(store, log)
    assert answers(store, log) == {}
