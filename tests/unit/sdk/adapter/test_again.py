"""A case looked at again because of a report, and a platform's test case: what they do, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.core.model import Outcome, Source, Stage, Subject, Trial, TrialStep
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.again import TRIAL_STAGES
from hub.sdk.adapter.handling import carry_out, look, try_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.fuses import Decision, HeldState
from hub.sdk.stores.memory import MemoryAccount, MemoryStore
from tests.unit.adapter_driver import (
    NEW,
    NOW,
    NUMBER,
    OLD,
    OTHER,
    Log,
    answers,
    by_ending,
    hear,
    openers,
    said_in,
    take_acks,
)
from tests.unit.store_harnesses import HARNESSES, Harness

RULES = Rules(by_ending)
TRIAL = Trial(b"t" * 16, "shop", Subject("e164", NUMBER), NEW + 1)


def handled(store: MemoryStore, *stages: Stage) -> Log:
    """A case that went through these stages, handled and acknowledged."""
    log = Log()
    opener = log.add(stages[0])
    for stage in stages[1:]:
        log.add(stage, opener.offset)
    hear(store, log)
    take_acks(store)
    return log


def test_looking_again_finds_what_was_bound_since() -> None:
    """A binding that was not there, or not found, at the time is dealt with as the case's stage asks, and said."""
    store = MemoryStore([("a", None, None)])
    log = handled(store, Stage.COOLING, Stage.SCHEDULED)
    store.put("a", MemoryAccount(NUMBER, OLD))
    looked = look(store, log.notices[0], "aa", RULES)
    assert looked.outcome is Outcome.UNBOUND
    assert store.get("a") == MemoryAccount(None, OLD)
    assert answers(store, log) == {Source(0, 0): {Outcome.UNBOUND}}


@pytest.mark.parametrize(
    ("stage", "account", "outcome"),
    [
        (Stage.COOLING, "a", Outcome.FROZEN),
        (Stage.RELEASED, "a", Outcome.UNBOUND),
        (Stage.RELEASED, "f", Outcome.FAILED),
        (Stage.RELEASED, "d", Outcome.DECLINED),
        (Stage.RESTORED, "a", Outcome.NOT_BOUND),
        (Stage.WITHDRAWN, "a", Outcome.NOT_BOUND),
    ],
)
def test_the_answer_is_what_was_found_and_done(stage: Stage, account: str, outcome: Outcome) -> None:
    """Looking again answers by the case's present stage; an undone case is left as it is."""
    store = MemoryStore([(account, NUMBER, OLD)])
    stages = [Stage.COOLING] if stage is Stage.COOLING else [Stage.COOLING, stage]
    log = handled(store, *stages)
    assert look(store, log.notices[0], "aa", RULES).outcome is outcome


def test_an_answer_is_acknowledged_even_if_nothing_changed() -> None:
    """Who says not bound and is asked again says so again, in an acknowledgement that the hub accepts by itself."""
    store = MemoryStore()
    log = handled(store, Stage.COOLING)
    assert look(store, log.notices[0], "aa", RULES).outcome is Outcome.NOT_BOUND
    (ack,) = take_acks(store)
    assert [(one.partition, one.through, one.digest) for one in ack.received] == [(0, 0, log.notices[0].digest)]
    assert said_in([ack], openers(log)) == {Source(0, 0): {Outcome.NOT_BOUND}}


def test_what_was_heard_since_is_not_unsaid_by_an_older_place() -> None:
    """An answer about an old case waits beside newer notices: how far the platform heard does not go back."""
    store = MemoryStore([("a", NUMBER, OLD)])
    log = handled(store, Stage.COOLING)
    log.add(Stage.COOLING, number=OTHER)
    hear(store, log)
    look(store, log.notices[0], "aa", RULES)
    (ack,) = take_acks(store)
    assert [(one.partition, one.through) for one in ack.received] == [(0, 1)]


def test_the_fuse_holds_when_looking_again() -> None:
    """A report does not get past the fuse: the account is frozen, and that is the answer."""
    store = MemoryStore([("a", None, None)])
    log = handled(store, Stage.COOLING, Stage.SCHEDULED)
    store.put("a", MemoryAccount(NUMBER, OLD))
    looked = look(store, log.notices[0], "aa", Rules(always_done, fuse_unbinds_per_day=0))
    assert looked.plan.counts.held == 1
    assert looked.outcome is Outcome.FROZEN
    assert store.get("a") == MemoryAccount(NUMBER, OLD, frozen=True)
    assert answers(store, log) == {Source(0, 0): {Outcome.FROZEN}}
    store.fuses.decide(Decision("north", HeldState.RELEASE, "Li", "looked at", NOW))
    carry_out(store, [log.notices[0]._replace(again=True)], Rules(always_done, fuse_unbinds_per_day=0))
    assert store.get("a") == MemoryAccount(None, OLD)


def go_through(store: MemoryStore) -> list[tuple[Stage, Outcome | None, int]]:
    return [tuple(try_out(store, TRIAL, stage, RULES)) for stage in TRIAL_STAGES]  # type: ignore[misc]


def test_a_test_case_is_of_an_account_in_use() -> None:
    """An account of one's own, proven a moment ago, goes through all of a test case: it is put back at its end."""
    store = MemoryStore()
    store.put("a", MemoryAccount(NUMBER, OLD, proven_at=TRIAL.asked_at + 1))
    assert [outcome for _, outcome, _ in go_through(store)] == [Outcome.FROZEN, Outcome.UNBOUND, Outcome.REINSTATED]


def test_a_test_case_shows_the_effect_and_leaves_no_trace() -> None:
    """Frozen, unbound, put back: the account is as before, nothing is said, and the fuse has not counted it."""
    store = MemoryStore([("a", NUMBER, OLD), ("b", OTHER, OLD)])
    before = store.get("a")
    assert go_through(store) == [
        (Stage.COOLING, Outcome.FROZEN, 1),
        (Stage.SCHEDULED, Outcome.UNBOUND, 1),
        (Stage.WITHDRAWN, Outcome.REINSTATED, 1),
    ]
    assert store.get("a") == before
    assert take_acks(store) == []
    assert store.progress().places == {}
    log = Log()
    log.add(Stage.COOLING)
    assert hear(store, log, fuse=1).counts.held == 0
    assert answers(store, log) == {Source(0, 0): {Outcome.FROZEN}}


def test_a_test_case_that_died_half_way_is_gone_through_again() -> None:
    """What the first attempt left frozen or unbound, the next one puts back as it was before the first."""
    for done in (1, 2):
        store = MemoryStore([("a", NUMBER, OLD)])
        before = store.get("a")
        for stage in TRIAL_STAGES[:done]:
            try_out(store, TRIAL, stage, RULES)
        assert store.get("a") != before
        go_through(store)
        assert store.get("a") == before


def test_a_test_case_does_not_lift_a_real_freeze() -> None:
    """Where a real case holds the account a test case is declined, and the account stays frozen."""
    store = MemoryStore([("a", NUMBER, OLD)])
    handled(store, Stage.COOLING)
    frozen = store.get("a")
    assert frozen is not None
    assert frozen.frozen
    assert go_through(store)[0] == (Stage.COOLING, Outcome.DECLINED, 1)
    assert store.get("a") == frozen


def test_a_test_case_says_what_would_go_wrong() -> None:
    """Nothing bound, and an account the platform fails at, are shown as they would be answered."""
    assert go_through(MemoryStore())[0] == (Stage.COOLING, Outcome.NOT_BOUND, 0)
    store = MemoryStore([("f", NUMBER, OLD)])
    assert go_through(store) == [
        (Stage.COOLING, Outcome.FAILED, 1),
        (Stage.SCHEDULED, Outcome.FAILED, 1),
        (Stage.WITHDRAWN, None, 0),
    ]


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return HARNESSES[request.param](tmp_path)


def test_every_store_goes_through_a_test_case_and_looks_again(harness: Harness) -> None:
    """Whatever keeps the accounts: a test case leaves no trace, and a case looked at again is done as it stands."""
    store, log = harness.open(), Log()
    harness.bind("1", harness.form.written(NUMBER)[0], OLD)
    before = harness.see()
    assert [(step.outcome, step.accounts) for step in _steps(store)] == [
        (Outcome.FROZEN, 1),
        (Outcome.UNBOUND, 1),
        (Outcome.REINSTATED, 1),
    ]
    assert harness.see() == before
    assert take_acks(store) == []
    log.add(Stage.COOLING)
    log.add(Stage.SCHEDULED, 0)
    hear(store, log)
    assert harness.see()["1"].number is None
    harness.bind("1", harness.form.written(NUMBER)[0], OLD)
    assert look(harness.open(), log.notices[0], "aa", RULES).outcome is Outcome.UNBOUND
    assert harness.see()["1"].number is None
    assert answers(harness.open(), log) == {Source(0, 0): {Outcome.FROZEN, Outcome.UNBOUND}}


def _steps(store: AccountStore) -> list[TrialStep]:
    return [try_out(store, TRIAL, stage, RULES) for stage in TRIAL_STAGES]
