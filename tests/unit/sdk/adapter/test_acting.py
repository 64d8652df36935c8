"""What a platform does about a notice and what it answers: `hub.sdk.adapter.acting`, on the memory store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyroaring import BitMap

from hub.core.coverage import SEGMENTS_MAX
from hub.core.model import DAY_MS, HOUR_MS, SEGMENT, Action, Outcome, ReleaseNotice, Source, Stage, Subject
from hub.errors import PlatformError
from hub.sdk.accounts import Done, Outbox, SaidKey, Waiting
from hub.sdk.adapter.acking import acknowledgements
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.asking import REFUSED
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.deeds import Deed
from hub.sdk.fuses import FuseKind, HeldState
from hub.sdk.stores.memory import MemoryAccount, MemoryStore
from hub.wire.contracts import encode
from tests.unit.adapter_driver import (
    LOG_ID,
    NEW,
    NOW,
    NUMBER,
    OLD,
    OTHER,
    Log,
    Said,
    answers,
    hear,
    openers,
    said_in,
    take_acks,
)

CASE = Source(0, 0)
BOUND, FROZEN, GONE = (True, False), (True, True), (False, False)
LATER = (Stage.SCHEDULED, Stage.RELEASED, Stage.REASSIGNED)


def one_account(bound_at: int | None = OLD, account_id: str = "a") -> MemoryStore:
    return MemoryStore([(account_id, NUMBER, bound_at)])


def state(store: MemoryStore, account_id: str = "a") -> tuple[bool, bool]:
    """Whether an account is bound, and whether it is frozen."""
    account = store.get(account_id)
    assert account is not None
    return account.number is not None, account.frozen


def through(store: MemoryStore, *stages: Stage) -> Said:
    """One case through stages; everything said of it."""
    log = Log()
    for number, stage in enumerate(stages):
        log.add(stage, None if number == 0 else 0)
    hear(store, log)
    return answers(store, log)


@pytest.mark.parametrize(
    ("stage", "bound_at", "left", "outcome"),
    [
        (Stage.COOLING, OLD, FROZEN, Outcome.FROZEN),
        (Stage.COOLING, None, FROZEN, Outcome.FROZEN),
        (Stage.COOLING, NEW, BOUND, Outcome.NOT_BOUND),
        (Stage.REASSIGNED, OLD, GONE, Outcome.UNBOUND),
        (Stage.REASSIGNED, None, FROZEN, Outcome.FROZEN),
        (Stage.REASSIGNED, NEW, BOUND, Outcome.NOT_BOUND),
        (Stage.REASSIGNED, NOW - 1, GONE, Outcome.UNBOUND),
        (Stage.REASSIGNED, NOW, BOUND, Outcome.NOT_BOUND),
    ],
)
def test_an_opener_by_stage_and_age(
    stage: Stage, bound_at: int | None, left: tuple[bool, bool], outcome: Outcome
) -> None:
    """COOLING freezes, REASSIGNED unbinds: only what is strictly older than `bound_before`, nothing of unknown age."""
    store = one_account(bound_at)
    assert through(store, stage) == {CASE: {outcome}}
    assert state(store) == left


@pytest.mark.parametrize("later", LATER[:2])
def test_what_cooling_froze_is_unbound_later(later: Stage) -> None:
    """A frozen account of the old owner is unbound once release is scheduled or done, and thawed with it."""
    store = one_account()
    assert through(store, Stage.COOLING, later) == {CASE: {Outcome.FROZEN, Outcome.UNBOUND}}
    assert state(store) == GONE


def test_an_unknown_age_is_never_unbound() -> None:
    """Through a whole case, to the stranger's first day, a binding of unknown age stays frozen."""
    store = one_account(None)
    said = through(store, Stage.COOLING, *LATER)
    assert said == {CASE: {Outcome.FROZEN}}
    assert state(store) == FROZEN


@pytest.mark.parametrize("undone", [Stage.RESTORED, Stage.WITHDRAWN])
@pytest.mark.parametrize("between", [(), (Stage.SCHEDULED,)])
def test_a_case_undone_puts_everything_back(undone: Stage, between: tuple[Stage, ...]) -> None:
    """The old owner who comes back finds the account as it was, frozen or unbound in between, and the hub is told."""
    store = one_account()
    said = through(store, Stage.COOLING, *between, undone)
    assert Outcome.REINSTATED in said[CASE]
    assert store.get("a") == MemoryAccount(NUMBER, OLD)


def test_a_case_undone_that_touched_nothing_says_nothing_more() -> None:
    """Where nothing was frozen or unbound there is nothing to reinstate, nor to say so."""
    assert through(one_account(NEW), Stage.COOLING, Stage.RESTORED) == {CASE: {Outcome.NOT_BOUND}}


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        ("of", Outcome.FAILED),
        ("odf", Outcome.FAILED),
        ("od", Outcome.DECLINED),
        ("o?", Outcome.FROZEN),
        ("d?", Outcome.DECLINED),
        ("o", Outcome.UNBOUND),
    ],
)
def test_several_accounts_answer_together(names: str, outcome: Outcome) -> None:
    """One pair has one answer: the first of FAILED, DECLINED, FROZEN, UNBOUND over its accounts (?: unknown age)."""
    store = MemoryStore([(name, NUMBER, None if name == "?" else OLD) for name in names])
    assert through(store, Stage.REASSIGNED) == {CASE: {outcome}}


SAID: dict[Outcome, Callable[[], Said]] = {
    Outcome.UNBOUND: lambda: through(one_account(), Stage.REASSIGNED),
    Outcome.NOT_BOUND: lambda: through(one_account(NEW), Stage.COOLING),
    Outcome.FROZEN: lambda: through(one_account(), Stage.COOLING),
    Outcome.DECLINED: lambda: through(one_account(account_id="d"), Stage.COOLING),
    Outcome.FAILED: lambda: through(one_account(account_id="f"), Stage.COOLING),
    Outcome.REINSTATED: lambda: through(one_account(), Stage.COOLING, Stage.RESTORED),
}
"""By outcome, a case in which an adapter says it."""


def test_every_outcome_is_said_by_an_adapter() -> None:
    """There is no outcome that no platform could ever come to: each has a case here."""
    missing = sorted(set(Outcome) - set(SAID))
    assert not missing, f"give SAID in {__name__} a case of {missing}, and hub/sdk/adapter/acting.py what says it"
    for outcome, case in SAID.items():
        assert outcome in case()[CASE]


def test_what_fails_is_left_alone_and_tried_again() -> None:
    """An account the platform failed at stays as it is, and the next stage tries again and says how it went."""
    store, log, tried = one_account(), Log(), []

    def act(deed: Deed, account_id: str, notice: ReleaseNotice) -> Done:
        tried.append((deed, account_id, notice.stage))
        return Done.FAILED if notice.stage is Stage.COOLING else Done.DONE

    log.add(Stage.COOLING)
    hear(store, log, act)
    assert state(store) == BOUND
    log.add(Stage.SCHEDULED, 0)
    hear(store, log, act)
    assert state(store) == GONE
    assert tried == [(Deed.FREEZE, "a", Stage.COOLING), (Deed.UNBIND, "a", Stage.SCHEDULED)]
    assert answers(store, log) == {CASE: {Outcome.FAILED, Outcome.UNBOUND}}


def test_what_could_not_be_put_back_is_not_said_to_be() -> None:
    """A platform that fails to reinstate does not say REINSTATED, so the hub goes on showing the restore as pending."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.RESTORED, 0)
    hear(store, log, lambda deed, _, __: Done.FAILED if deed is Deed.REINSTATE else Done.DONE)
    assert answers(store, log) == {CASE: {Outcome.FROZEN}}
    assert state(store) == FROZEN


@pytest.mark.parametrize("together", [True, False])
def test_a_freeze_left_behind_passes_to_the_next_case(together: bool) -> None:
    """A freeze of an earlier case is the next one's to undo, and undoing it brings back the account before both."""
    store, log = one_account(None), Log()
    log.add(Stage.REASSIGNED)
    if not together:
        hear(store, log)
    log.add(Stage.COOLING)
    log.add(Stage.RESTORED, 1)
    hear(store, log)
    assert answers(store, log) == {CASE: {Outcome.FROZEN}, Source(0, 1): {Outcome.FROZEN, Outcome.REINSTATED}}
    assert store.get("a") == MemoryAccount(NUMBER, None)


def test_what_an_earlier_case_unbound_is_not_bound_any_more() -> None:
    """The next case of a number finds nothing where the last one unbound."""
    store, log = one_account(), Log()
    log.add(Stage.REASSIGNED)
    log.add(Stage.REASSIGNED)
    hear(store, log)
    assert answers(store, log) == {CASE: {Outcome.UNBOUND}, Source(0, 1): {Outcome.NOT_BOUND}}


@pytest.mark.parametrize("together", [True, False])
def test_what_a_case_reinstated_the_next_one_finds_again(together: bool) -> None:
    """A number restored and given up again is dealt with again, even within one batch."""
    store, log = one_account(), Log()
    log.add(Stage.REASSIGNED)
    log.add(Stage.WITHDRAWN, 0)
    if not together:
        hear(store, log)
    log.add(Stage.COOLING)
    hear(store, log)
    assert answers(store, log)[Source(0, 2)] == {Outcome.FROZEN}
    assert store.get("a") == MemoryAccount(NUMBER, OLD, frozen=True)


@pytest.mark.parametrize(
    ("account_id", "before"), [("a", Outcome.FROZEN), ("f", Outcome.FAILED), ("d", Outcome.DECLINED)]
)
def test_what_vanishes_by_itself_counts_as_unbound(account_id: str, before: Outcome) -> None:
    """An account its user deleted after the first notice is gone, and the answer says so."""
    store, log = one_account(account_id=account_id), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    store.put(account_id, None)
    log.add(Stage.SCHEDULED, 0)
    hear(store, log)
    assert answers(store, log) == {CASE: {before, Outcome.UNBOUND}}


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_frozen_account_that_changes_its_number_is_thawed(scheduled: bool) -> None:
    """A user who moved a frozen account to another number gets it back, and the next case does not find it."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    store.put("a", MemoryAccount(OTHER, NEW, frozen=True))
    if scheduled:
        log.add(Stage.SCHEDULED, 0)
    log.add(Stage.RESTORED, 0)
    following = log.add(Stage.COOLING)
    hear(store, log)
    assert store.get("a") == MemoryAccount(OTHER, NEW)
    unbound = {Outcome.UNBOUND} if scheduled else set()
    assert answers(store, log) == {
        CASE: {Outcome.FROZEN, Outcome.REINSTATED} | unbound,
        following: {Outcome.NOT_BOUND},
    }


def test_reinstating_never_overwrites_a_new_binding() -> None:
    """An unbound account that its user has bound to another number keeps that one; the next case does not find it."""
    store, log = one_account(), Log()
    log.add(Stage.REASSIGNED)
    hear(store, log)
    store.put("a", MemoryAccount(OTHER, NEW))
    log.add(Stage.WITHDRAWN, 0)
    following = log.add(Stage.COOLING)
    hear(store, log)
    assert store.get("a") == MemoryAccount(OTHER, NEW)
    assert answers(store, log)[following] == {Outcome.NOT_BOUND}


def test_an_age_learnt_in_the_meantime_outlives_the_freeze() -> None:
    """An age the platform fills in while an account is frozen is not overwritten when the freeze is lifted."""
    store, log = one_account(None), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    store.put("a", MemoryAccount(NUMBER, OLD, frozen=True))
    log.add(Stage.RESTORED, 0)
    hear(store, log)
    assert store.get("a") == MemoryAccount(NUMBER, OLD)


def test_a_freeze_that_passed_on_is_not_the_earlier_cases_to_lift() -> None:
    """Once the next case holds a freeze, undoing the earlier one lifts nothing and says nothing."""
    store, log = one_account(None), Log()
    log.add(Stage.REASSIGNED)
    log.add(Stage.COOLING)
    log.add(Stage.WITHDRAWN, 0)
    hear(store, log)
    assert answers(store, log) == {CASE: {Outcome.FROZEN}, Source(0, 1): {Outcome.FROZEN}}
    assert state(store) == FROZEN


def test_a_second_case_in_one_batch_undoes_to_the_very_beginning() -> None:
    """Restored, given up and restored again within one batch, an account ends as before the first freeze."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    log.add(Stage.RESTORED, 0)
    following = log.add(Stage.COOLING)
    log.add(Stage.RESTORED, following.offset)
    hear(store, log)
    assert store.get("a") == MemoryAccount(NUMBER, OLD)


def test_a_freeze_of_the_platforms_own_outlives_the_case() -> None:
    """What the platform had frozen for its own reasons stays frozen when a case is undone."""
    store = MemoryStore()
    store.put("a", MemoryAccount(NUMBER, OLD, frozen=True))
    through(store, Stage.COOLING, Stage.RESTORED)
    assert store.get("a") == MemoryAccount(NUMBER, OLD, frozen=True)


def test_a_repeated_source_is_ignored() -> None:
    """A notice published once more by a retry or a zombie changes nothing: the first counts."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.REASSIGNED, source=Source(0, 0))
    assert hear(store, log).counts.ignored == 1
    assert state(store) == FROZEN


def test_an_ignored_notice_uses_up_no_source() -> None:
    """Only a folded notice moves the last source on: what another follower would fold is folded here."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.SCHEDULED, None, source=Source(0, 5))
    log.add(Stage.SCHEDULED, 0, source=Source(0, 3))
    assert hear(store, log).counts.ignored == 1
    assert state(store) == GONE


def test_what_was_heard_is_passed_over() -> None:
    """Notices read again from before the store's place are not notices again."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.SCHEDULED, 0)
    hear(store, log)
    log.notices = log.notices[:1]
    assert hear(store, log).counts.notices == 0
    assert store.progress().places[0].next_offset == 2


def test_an_answer_is_given_once() -> None:
    """A later stage that changes nothing adds nothing to what was said."""
    store, log = one_account(None), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    take_acks(store)
    log.add(Stage.SCHEDULED, 0)
    hear(store, log)
    assert answers(store, log) == {}


@pytest.mark.parametrize(
    ("stage", "opened_at"),
    [(Stage.SCHEDULED, None), (Stage.RELEASED, 7), (Stage.REASSIGNED, 0), (Stage.COOLING, 0), (Stage.SCHEDULED, -1)],
)
def test_a_notice_that_breaks_the_table_is_ignored(stage: Stage, opened_at: int | None) -> None:
    """An opener of no opening stage, a case nobody opened, a move the lifecycle does not have: nothing is done."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    log.add(stage, opened_at)
    assert hear(store, log).counts.ignored == 1
    assert state(store) == FROZEN


def test_a_notice_of_another_partition_is_ignored() -> None:
    """A notice tells of its own partition's source, or it is not the hub's."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING, source=Source(3, 0))
    assert hear(store, log).counts.ignored == 1
    assert state(store) == BOUND


def test_what_is_only_received_is_not_answered() -> None:
    """A platform that only receives says how far, and not one outcome, not even NOT_BOUND."""
    store, log = one_account(NEW), Log()
    log.add(Stage.COOLING, acting=False)
    log.add(Stage.SCHEDULED, 0, acting=False)
    hear(store, log)
    (ack,) = take_acks(store)
    assert ack.outcomes == ()
    assert [(one.partition, one.through, one.digest) for one in ack.received] == [(0, 1, log.notices[1].digest)]


def test_a_case_first_acted_on_at_a_later_stage_is_answered_then() -> None:
    """A case whose opener was only received is answered at the next notice that is acted on, NOT_BOUND as well."""
    store, log = one_account(NEW), Log()
    log.add(Stage.COOLING, acting=False)
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.SCHEDULED, 0)
    hear(store, log)
    assert answers(store, log) == {CASE: {Outcome.NOT_BOUND}, Source(0, 1): {Outcome.NOT_BOUND}}


def test_positions_that_open_nothing_are_covered_by_the_range() -> None:
    """NOT_BOUND is said of the whole range, over gaps in it, so that an acknowledgement of nothing found is tiny."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING, number=OTHER)
    log.add(Stage.COOLING, offset=7)
    log.add(Stage.COOLING, number="+8613712345678", offset=SEGMENT + 8)
    log.add(Stage.SCHEDULED, SEGMENT + 8, number="+8613712345678")
    hear(store, log)
    said = store.outbox().said
    assert said[SaidKey(0, 0, Outcome.NOT_BOUND)] == BitMap(range(SEGMENT)) - BitMap([7])
    assert said[SaidKey(0, 1, Outcome.NOT_BOUND)] == BitMap(range(10))


def test_not_bound_is_never_said_beside_another_outcome() -> None:
    """An account that appears after NOT_BOUND was noted and before it was sent takes the word back: no dispute."""
    store, log = MemoryStore(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    store.put("a", MemoryAccount(NUMBER, None))
    log.add(Stage.SCHEDULED, 0)
    hear(store, log)
    assert answers(store, log) == {CASE: {Outcome.FROZEN}}


def test_positions_of_another_log_stop_the_adapter() -> None:
    """Notices with another `log_id` than the store began with are not folded, and the error says what to do."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING)
    log.add(Stage.SCHEDULED, 0, log_id=bytes(16))
    with pytest.raises(PlatformError, match="another log"):
        hear(store, log)
    assert store.progress().places == {}
    assert state(store) == BOUND


def test_a_scheme_that_cannot_be_matched_stops_the_adapter() -> None:
    """Numbers named in a scheme of a later version are no reason to answer NOT_BOUND."""
    store, log = one_account(), Log()
    log.add(Stage.COOLING, subject=Subject("voprf-ristretto255-sha512", "x"))
    with pytest.raises(PlatformError, match="scheme"):
        hear(store, log)


def many(count: int) -> tuple[MemoryStore, Log]:
    """Accounts with an opener at REASSIGNED each."""
    numbers = [f"+86138001{number:05d}" for number in range(count)]
    log = Log()
    for number in numbers:
        log.add(Stage.REASSIGNED, number=number)
    return MemoryStore([(number, number, OLD) for number in numbers]), log


def test_beyond_the_fuse_accounts_are_frozen_and_others_go_on() -> None:
    """What an operator's fuse does not allow is frozen in place of unbound; another operator's notices are unbound."""
    store, log = many(5)
    log.notices[4] = log.notices[4]._replace(notice=log.notices[4].notice._replace(operator="south"))
    asked: list[Deed] = []

    def act(deed: Deed, _: str, __: ReleaseNotice) -> Done:
        asked.append(deed)
        return Done.DONE

    plan = hear(store, log, act, fuse=3)
    assert (plan.counts.unbound, plan.counts.frozen, plan.counts.held) == (4, 1, 1)
    assert asked == [*[Deed.UNBIND] * 3, Deed.FREEZE, Deed.UNBIND]
    assert store.progress().places[0].next_offset == 5
    assert [one[:4] for one in store.fuses.sums()] == [("north", FuseKind.UNBIND, HeldState.HELD, 1)]
    assert answers(store, log)[Source(0, 3)] == {Outcome.FROZEN}


def test_the_fuse_counts_a_day_of_record_time() -> None:
    """Unbinds 24 hours apart do not add up; those within do, over batches as well."""
    for hours, held in ((23, 1), (24, 0)):
        store, log = many(2)
        first, second = log.notices
        log.notices = [first]
        assert hear(store, log, fuse=1).counts.held == 0
        at = second.notice._replace(published_at=NOW + hours * HOUR_MS)
        log.notices = [second._replace(notice=at)]
        assert hear(store, log, fuse=1).counts.held == held


def test_the_fuse_does_not_mind_freezing() -> None:
    """Freezing can be undone, so no fuse holds it up, not even one lowered below what was unbound that day."""
    store, log = many(1)
    hear(store, log)
    log.add(Stage.COOLING)
    assert hear(store, log, fuse=0).counts.held == 0


def test_every_word_of_the_platform_has_an_outcome() -> None:
    """Whatever a platform may say but DONE is an outcome of its own."""
    assert set(REFUSED) == set(Done) - {Done.DONE}


def outbox(through_offset: int, *said: tuple[SaidKey, BitMap]) -> Outbox:
    return Outbox(LOG_ID, {0: Waiting(through_offset, bytes(32), NOW)}, dict(said))


def test_nothing_waiting_is_nothing_sent() -> None:
    """An empty outbox is no acknowledgement."""
    assert acknowledgements(Outbox(None, {}, {}), "shop", NOW, {}) == []


def test_an_acknowledgement_says_what_its_outcomes_amount_to() -> None:
    """The platform's configured actions go with each outcome."""
    box = outbox(9, (SaidKey(0, 0, Outcome.FROZEN), BitMap([3])))
    (ack,) = acknowledgements(box, "shop", NOW, {Outcome.FROZEN: (Action.LOGIN_OFF,)})
    assert [(one.outcome, one.actions) for one in ack.outcomes] == [(Outcome.FROZEN, (Action.LOGIN_OFF,))]


def test_too_many_segments_are_sent_in_several() -> None:
    """More segments than one acknowledgement may hold are split, each part valid by itself, nothing lost."""
    segments = 2 * SEGMENTS_MAX + 1
    keys = [SaidKey(0, segment, Outcome.NOT_BOUND) for segment in range(segments)]
    acks = acknowledgements(outbox(segments * SEGMENT, *((key, BitMap([1])) for key in keys)), "shop", NOW, {})
    assert len(acks) == 3
    cases = {Source(0, key.segment * SEGMENT + 1) for key in keys}
    assert said_in(acks, cases) == {case: {Outcome.NOT_BOUND} for case in cases}


def test_large_bitmaps_are_sent_in_several() -> None:
    """Bitmaps that do not pack fill no acknowledgement beyond its limit, however long the platform's name."""
    bits = BitMap(range(0, SEGMENT, 2))
    keys = [SaidKey(0, segment, Outcome.UNBOUND) for segment in range(70)]
    acks = acknowledgements(outbox(70 * SEGMENT, *((key, bits) for key in keys)), "店" * 4_000, NOW, {})
    assert len(acks) > 1
    assert all(len(encode(ack)) <= 256 * 1024 for ack in acks)
    assert sum(len(one.cases) for ack in acks for one in ack.outcomes) == 70


def test_acknowledged_leaves_what_came_since() -> None:
    """What is committed between sending and forgetting is not forgotten."""
    store, log = MemoryStore(), Log()
    log.add(Stage.COOLING)
    hear(store, log)
    sent = store.outbox()
    log.add(Stage.COOLING, number=OTHER, published_at=NOW - DAY_MS)
    hear(store, log)
    store.acknowledged(sent)
    assert store.outbox().waiting[0].through == 1
    assert said_in(take_acks(store), openers(log)) == {Source(0, 1): {Outcome.NOT_BOUND}}


@pytest.mark.parametrize(
    ("freeze_at", "left", "said"),
    [
        ({Stage.SCHEDULED}, [FROZEN, FROZEN, GONE], {Outcome.FROZEN, Outcome.UNBOUND}),
        ({Stage.SCHEDULED, Stage.RELEASED}, [FROZEN, FROZEN, FROZEN], {Outcome.FROZEN}),
        (set(), [FROZEN, GONE, GONE], {Outcome.FROZEN, Outcome.UNBOUND}),
    ],
)
def test_a_platform_may_freeze_for_longer(
    freeze_at: set[Stage], left: list[tuple[bool, bool]], said: set[Outcome]
) -> None:
    """At stages of its choice a platform freezes instead: for the fuse and for what it says that is no unbinding."""
    store, log, looks = one_account(), Log(), []
    rules = Rules(always_done, 1 if Outcome.UNBOUND in said else 0, freeze_at=frozenset(freeze_at))
    for stage in (Stage.COOLING, Stage.SCHEDULED, Stage.RELEASED):
        log.add(stage, None if stage is Stage.COOLING else 0)
        assert carry_out(store, log.notices, rules).counts.held == 0
        looks.append(state(store))
    assert looks == left
    assert answers(store, log) == {CASE: said}
