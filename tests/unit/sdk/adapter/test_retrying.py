"""What a platform could not do is tried again by the clock, up to a bound, in every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.core.model import HOUR_MS, Outcome, Source, Stage
from hub.sdk.accounts import Done, HeardNotice
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.deeds import Deed
from hub.sdk.fuses import Decision, HeldState
from hub.sdk.stores import MemoryStore
from tests.unit.adapter_driver import NOW, NUMBER, OLD, RETRIES, Log, answers, try_again
from tests.unit.store_harnesses import HARNESSES, Harness, InHttp, Seen

CASE = Source(0, 0)


@pytest.fixture(params=["memory", "sql-file", "postgres", "mariadb", "http"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = HARNESSES[request.param](tmp_path)
    yield made
    if isinstance(made, InHttp):
        made.close()


class Moody:
    """A platform that fails or declines until it is in the mood."""

    def __init__(self, mood: Done) -> None:
        self.mood = mood
        self.asked: list[Deed] = []

    def __call__(self, deed: Deed, account_id: str, notice: Any) -> Done:  # noqa: ARG002 - an `Act`
        self.asked.append(deed)
        return self.mood


def test_what_failed_is_tried_again_by_the_clock(harness: Harness) -> None:
    """A freeze that failed is tried again after a while, also by a store opened anew, and then said."""
    harness.bind("1", NUMBER, OLD)
    log, act = Log(), Moody(Done.FAILED)
    log.add(Stage.COOLING)
    carry_out(harness.open(), log.notices, Rules(act, retries=RETRIES), NOW)
    assert answers(harness.open(), log) == {CASE: {Outcome.FAILED}}
    assert try_again(harness.open(), log, act, NOW + 999) is None
    act.mood = Done.DONE
    plan = try_again(harness.open(), log, act, NOW + 1_000)
    assert plan is not None
    assert (plan.counts.frozen, plan.counts.notices) == (1, 0)
    assert harness.see() == {"1": Seen(NUMBER, frozen=True)}
    assert answers(harness.open(), log) == {CASE: {Outcome.FROZEN}}
    assert harness.open().due(NOW + HOUR_MS, 10) == []


def test_a_failed_reinstatement_is_tried_again(harness: Harness) -> None:
    """What could not be put back is put back later; REINSTATED is said only then."""
    harness.bind("1", NUMBER, OLD)
    before, log, act = harness.see(), Log(), Moody(Done.DONE)
    log.add(Stage.REASSIGNED)
    log.add(Stage.WITHDRAWN, 0)
    carry_out(harness.open(), log.notices[:1], Rules(act, retries=RETRIES), NOW)
    act.mood = Done.FAILED
    carry_out(harness.open(), log.notices, Rules(act, retries=RETRIES), NOW)
    assert answers(harness.open(), log) == {CASE: {Outcome.UNBOUND}}
    act.mood = Done.DONE
    try_again(harness.open(), log, act, NOW + 1_000)
    assert harness.see() == before
    assert answers(harness.open(), log) == {CASE: {Outcome.REINSTATED}}


def test_retries_grow_apart_and_end() -> None:
    """The waits grow up to the longest; after the last attempt only the next stage asks again."""
    store, log, act = MemoryStore([("1", NUMBER, OLD)]), Log(), Moody(Done.FAILED)
    log.add(Stage.COOLING)
    carry_out(store, log.notices, Rules(act, retries=RETRIES), NOW)
    now, waits = NOW, []
    while due := store.due(now + HOUR_MS, 10):
        waits.append(due[0].due_at - now)
        now = due[0].due_at
        try_again(store, log, act, now)
    assert waits == [1_000, 2_000, 3_000, 3_000]
    log.add(Stage.SCHEDULED, 0)
    carry_out(store, log.notices, Rules(act, retries=RETRIES), now)
    assert len(store.due(now + 1_000, 10)) == 1


def test_the_next_stage_takes_the_place_of_a_retry() -> None:
    """A retry of a notice that the case has moved beyond does nothing."""
    store, log, act = MemoryStore([("1", NUMBER, OLD)]), Log(), Moody(Done.FAILED)
    log.add(Stage.COOLING)
    carry_out(store, log.notices, Rules(act, retries=RETRIES), NOW)
    stale = [HeardNotice(one.position, one.notice, one.digest, again=True) for one in log.notices]
    act.mood = Done.DONE
    log.add(Stage.SCHEDULED, 0)
    carry_out(store, log.notices, Rules(act, retries=RETRIES), NOW)
    act.asked.clear()
    carry_out(store, stale, Rules(act, retries=RETRIES), NOW + 1_000)
    assert (act.asked, store.due(NOW + HOUR_MS, 10)) == ([], [])


def test_beyond_the_fuse_a_retry_waits_for_a_person() -> None:
    """A retry never goes beyond the fuse: it freezes, and waits for a person; let through, it is done."""
    store, log, act = MemoryStore([("1", NUMBER, OLD)]), Log(), Moody(Done.FAILED)
    log.add(Stage.REASSIGNED)
    carry_out(store, log.notices, Rules(act, 1, RETRIES), NOW)
    act.mood = Done.DONE
    again = [log.notices[0]._replace(again=True)]
    plan = carry_out(store, again, Rules(act, 0, RETRIES), NOW + 1_000)
    assert (plan.counts.held, plan.counts.unbound, plan.counts.frozen) == (1, 0, 1)
    assert store.due(NOW + HOUR_MS, 1) == []
    store.fuses.decide(Decision("north", HeldState.RELEASE, "Li", "looked at", NOW))
    assert carry_out(store, again, Rules(act, 0, RETRIES), NOW + 3_000).counts.unbound == 1


def test_what_was_declined_waits_for_the_next_stage() -> None:
    """A retry asks again where the platform failed, never where it declined."""

    def act(deed: Deed, account_id: str, notice: Any) -> Done:  # noqa: ARG001 - an `Act`
        asked.append(account_id)
        return Done.DECLINED if account_id == "d" else Done.FAILED

    asked: list[str] = []
    store, log = MemoryStore([("d", NUMBER, OLD), ("f", NUMBER, OLD)]), Log()
    log.add(Stage.COOLING)
    carry_out(store, log.notices, Rules(act, retries=RETRIES), NOW)
    try_again(store, log, act, NOW + 1_000)
    assert asked == ["d", "f", "f"]
