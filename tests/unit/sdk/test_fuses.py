"""The fuses of an adapter, in every store: what they hold, what a person decides, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.model import HOUR_MS, Outcome, Source, Stage
from hub.sdk.accounts import AccountStore
from hub.sdk.adapter.acting import Plan, Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.fuses import Decision, FuseKind, HeldState, HeldSum, blown
from tests.unit.adapter_driver import NOW, OLD, Log, answers
from tests.unit.store_harnesses import HARNESSES, Harness, InHttp, Seen

NUMBERS = tuple(f"+86138001380{one:02d}" for one in range(6))
WRONG, RIGHT = "north", "south"


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = HARNESSES[request.param](tmp_path)
    for number in NUMBERS:
        made.bind(number[-1], made.form.written(number)[0], OLD)
    yield made
    if isinstance(made, InHttp):
        made.close()


def hear(harness: Harness, log: Log, unbinds: int | None = None, put_backs: int | None = None) -> Plan:
    rules = Rules(always_done, unbinds, fuse_put_backs_per_day=put_backs)
    return carry_out(harness.open(), log.notices, rules)


def decided(harness: Harness, log: Log, state: HeldState) -> Plan:
    """Decide about everything of the wrong operator, and hear again what that is about, as the adapter does."""
    store = harness.open()
    assert store.fuses.decide(Decision(WRONG, state, "Li Na", "looked at", NOW)) > 0
    positions = {one.position for one in store.fuses.decided(100)}
    batch = [one._replace(again=True) for one in log.notices if one.position in positions]
    return carry_out(store, batch, Rules(always_done, 0, fuse_put_backs_per_day=0))


def released(*operators: str) -> Log:
    """A log in which the numbers' cases open and are released, one operator for each number."""
    log = Log()
    for number, operator in zip(NUMBERS, operators, strict=False):
        log.add(Stage.COOLING, number=number, operator=operator)
        log.add(Stage.RELEASED, log.notices[-1].position.offset, number, operator=operator)
    return log


def bound(harness: Harness) -> str:
    return "".join(sorted(name for name, one in harness.see().items() if one.number is not None))


def frozen(harness: Harness) -> str:
    return "".join(sorted(name for name, one in harness.see().items() if one.frozen))


def held(store: AccountStore) -> dict[str, int]:
    return blown(store.fuses.sums())


def test_one_operators_fuse_is_nobody_elses(harness: Harness) -> None:
    """Beyond its fuse an operator's accounts are frozen, over batches too; those of others are unbound."""
    log = released(WRONG, WRONG, RIGHT, WRONG, RIGHT)
    plan = hear(harness, log, unbinds=2)
    assert (plan.counts.unbound, plan.counts.held) == (4, 1)
    assert (bound(harness), frozen(harness)) == ("35", "3")
    assert held(harness.open()) == {WRONG: 1}
    log.add(Stage.REASSIGNED, number=NUMBERS[5], operator=WRONG, published_at=NOW + 30 * HOUR_MS)
    hear(harness, log, unbinds=2)
    assert (bound(harness), frozen(harness), held(harness.open())) == ("35", "35", {WRONG: 2})
    assert answers(harness.open(), log)[Source(0, 6)] == {Outcome.FROZEN}


def test_a_person_lets_through_what_was_held(harness: Harness) -> None:
    """Let through, the held accounts are unbound and said to be; the fuse is whole again; who said so is kept."""
    log = released(WRONG, WRONG, WRONG)
    hear(harness, log, unbinds=1)
    assert (bound(harness), frozen(harness)) == ("12345", "12")
    assert decided(harness, log, HeldState.RELEASE).counts.unbound == 2
    assert (bound(harness), frozen(harness), harness.open().fuses.sums()) == ("345", "", [])
    assert answers(harness.open(), log)[Source(0, 4)] == {Outcome.FROZEN, Outcome.UNBOUND}
    assert harness.open().fuses.decisions() == [Decision(WRONG, HeldState.RELEASE, "Li Na", "looked at", NOW, 2)]
    log.add(Stage.REASSIGNED, number=NUMBERS[3], operator=WRONG)
    assert hear(harness, log, unbinds=1).counts.unbound == 1


def test_a_person_gives_up_what_was_held(harness: Harness) -> None:
    """Given up, the freezes are lifted and declined; the case's later notices leave the accounts alone."""
    log = released(WRONG, WRONG)
    hear(harness, log, unbinds=0)
    assert frozen(harness) == "01"
    decided(harness, log, HeldState.GIVE_UP)
    assert (bound(harness), frozen(harness)) == ("012345", "")
    log.add(Stage.REASSIGNED, 0, NUMBERS[0], operator=WRONG)
    hear(harness, log)
    assert (bound(harness), frozen(harness), held(harness.open())) == ("012345", "", {})
    assert answers(harness.open(), log)[Source(0, 0)] == {Outcome.FROZEN, Outcome.DECLINED}
    states = {(one.state, one.cases) for one in harness.open().fuses.sums()}
    assert states == {(HeldState.GIVEN_UP, 2)}


def test_what_the_operator_takes_back_is_held_no_more(harness: Harness) -> None:
    """Withdrawn by its operator, a held case is thawed and forgotten, and so the fuse is whole again."""
    log = released(WRONG)
    hear(harness, log, unbinds=0)
    log.add(Stage.WITHDRAWN, 0, NUMBERS[0], operator=WRONG)
    hear(harness, log, unbinds=0)
    assert (bound(harness), frozen(harness), harness.open().fuses.sums()) == ("012345", "", [])


def test_putting_back_has_a_fuse_of_its_own(harness: Harness) -> None:
    """Beyond it numbers stay off until a person decides; freezes are lifted all the same."""
    log = released(WRONG, WRONG, WRONG)
    hear(harness, log)
    assert bound(harness) == "345"
    for number in (0, 1, 2):
        log.add(Stage.WITHDRAWN, 2 * number, NUMBERS[number], operator=WRONG)
    plan = hear(harness, log, put_backs=1)
    assert (plan.counts.reinstated, plan.counts.held, bound(harness)) == (1, 2, "0345")
    assert harness.open().fuses.sums() == [HeldSum(WRONG, FuseKind.PUT_BACK, HeldState.HELD, 2, NOW)]
    assert Outcome.REINSTATED not in answers(harness.open(), log)[Source(0, 2)]
    decided(harness, log, HeldState.RELEASE)
    assert (bound(harness), harness.open().fuses.sums()) == ("012345", [])
    assert answers(harness.open(), log)[Source(0, 2)] == {Outcome.REINSTATED}


def test_put_backs_that_are_given_up_leave_the_accounts_without(harness: Harness) -> None:
    """Given up, the case is undone in all but the number, as if somebody else had it by now."""
    log = released(WRONG)
    hear(harness, log)
    log.add(Stage.WITHDRAWN, 0, NUMBERS[0], operator=WRONG)
    hear(harness, log, put_backs=0)
    assert decided(harness, log, HeldState.GIVE_UP).counts.without_number == 1
    assert harness.see()["0"] == Seen(None, frozen=False)
    assert Outcome.REINSTATED in answers(harness.open(), log)[Source(0, 0)]
    assert harness.open().fuses.sums() == []
