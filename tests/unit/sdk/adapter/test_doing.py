"""No one's word alone does harm: whatever one operator sends, at a platform two things never happen."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.model import DAY_MS, Stage
from hub.sdk.accounts import HeardNotice
from hub.sdk.adapter.acting import Rules
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.settings import always_done
from hub.sdk.deeds import RetryPlan
from hub.sdk.fuses import Decision, HeldState
from hub.sdk.stores.memory import MemoryAccount, MemoryStore
from tests.unit.adapter_driver import NOW, OLD, Log

NUMBERS = ("+8613800138000", "+8613912345678")
ACCOUNTS = "abcd"
WEEK = 7 * DAY_MS
RULES = Rules(always_done, 2, RetryPlan(first_ms=1_000, longest_ms=1_000, attempts_max=9), fuse_put_backs_per_day=2)


class Notice(NamedTuple):
    """What the operator sends: any stage, of any case, with any times, in days from now."""

    stage: Stage
    opener: int | None
    number: str
    occurred: int
    bound_before: int


class Proof(NamedTuple):
    """The holder enters a code on a known device."""

    account: str


class Bind(NamedTuple):
    """A person binds a number that nobody holds to an account."""

    account: str
    number: str


class Pass(NamedTuple):
    """Days go by."""

    days: int


class Decide(NamedTuple):
    """A person at the platform decides about what the fuses hold."""

    state: HeldState


class Hear(NamedTuple):
    """The adapter hears all that was sent, and what is due."""


DAYS = st.integers(-500, 500)


def now(stage: Stage, opener: int | None = None) -> Notice:
    """A notice of the first number with times as an honest operator would have them; -1 is the newest case."""
    return Notice(stage, opener, NUMBERS[0], 0, 0)


ANY: st.SearchStrategy[object] = st.one_of(
    st.builds(Notice, st.sampled_from(Stage), st.none() | st.integers(-1, 4), st.sampled_from(NUMBERS), DAYS, DAYS),
    st.builds(Proof, st.sampled_from(ACCOUNTS)),
    st.builds(Pass, st.integers(0, 12)),
    st.builds(Decide, st.sampled_from([HeldState.RELEASE, HeldState.GIVE_UP])),
    st.just(Hear()),
)
"""Steps that each may be anything."""

MOVES: st.SearchStrategy[list[object]] = st.sampled_from(
    [
        [now(Stage.REASSIGNED), Hear()],
        [now(Stage.COOLING), now(Stage.SCHEDULED, -1), Hear()],
        [now(Stage.RELEASED, -1), Hear()],
        [now(Stage.RESTORED, -1), Hear()],
        [now(Stage.WITHDRAWN, -1), Hear()],
    ]
)
"""Steps that go through a case, so that the harm that was done is likely among what is tried."""

BINDS = st.builds(Bind, st.sampled_from(ACCOUNTS), st.just(NUMBERS[0]))
STEPS = st.lists(st.one_of(ANY.map(lambda one: [one]), MOVES, BINDS.map(lambda one: [one])), max_size=25)


class Platform:
    """A platform with one account a number at most by its own doing, and an adapter on it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.log = Log()
        self.now_ms = NOW
        self._heard = 0
        for name, number in zip(ACCOUNTS, NUMBERS, strict=False):
            self.store.put(name, MemoryAccount(number, OLD))

    def accounts(self) -> dict[str, MemoryAccount]:
        found = {name: self.store.get(name) for name in ACCOUNTS}
        return {name: one for name, one in found.items() if one is not None}

    def holders(self) -> dict[str, set[str]]:
        accounts = self.accounts().items()
        return {number: {name for name, one in accounts if one.number == number} for number in NUMBERS}

    def do(self, step: object) -> None:
        match step:
            case Notice():
                self._send(step)
            case Proof(name):
                one = self.store.get(name)
                if one is not None and one.number is not None:
                    self.store.put(name, replace(one, proven_at=self.now_ms))
            case Bind(name, number):
                one = self.store.get(name) or MemoryAccount(None)
                if one.number is None and not self.holders()[number]:
                    self.store.put(name, replace(one, number=number, bound_at=self.now_ms))
            case Pass(days):
                self.now_ms += days * DAY_MS
            case Decide(state):
                self.store.fuses.decide(Decision("north", state, "Li", "as it fell", self.now_ms))
            case Hear():
                self._hear()

    def _send(self, notice: Notice) -> None:
        openers = [one for one in self.log.notices if one.notice.opened_at is None]
        opener = None if notice.opener is None or not openers else openers[notice.opener % len(openers)]
        self.log.add(
            notice.stage,
            None if opener is None else opener.position.offset,
            notice.number if opener is None else opener.notice.subject.value,
            occurred_at=self.now_ms + notice.occurred * DAY_MS,
            bound_before=self.now_ms + notice.bound_before * DAY_MS,
            published_at=self.now_ms,
        )

    def _hear(self) -> None:
        fresh = self.log.notices[self._heard :]
        self._heard = len(self.log.notices)
        places = {one.position for one in self.store.due(self.now_ms, 99)}
        places |= {one.position for one in self.store.fuses.decided(99)}
        again = [one._replace(again=True) for one in self.log.notices if one.position in places]
        for batch in (fresh, again):
            self._carry_out(batch)

    def _carry_out(self, batch: list[HeardNotice]) -> None:
        before, held = self.accounts(), self.holders()
        carry_out(self.store, batch, RULES, self.now_ms)
        after = self.accounts()
        for name, one in before.items():
            if one.number is not None and one.proven_at is not None and one.proven_at > self.now_ms - WEEK:
                assert after[name].number == one.number, "it was proven within the last 7 days"
            if one.number is None and after[name].number is not None:
                assert not held[str(after[name].number)] - {name}, "another held the number"
        assert all(len(names) <= 1 for names in self.holders().values())


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_whatever_one_operator_sends(steps: list[list[object]]) -> None:
    """In any order, with any times: no account proven within 7 days is unbound, no number is put on one of two."""
    platform = Platform()
    for step in [*chain.from_iterable(steps), Hear()]:
        platform.do(step)
