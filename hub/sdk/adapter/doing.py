"""This module does to the accounts of one case what a notice asks for. It is pure.

For example, at RELEASED it unbinds the old owner's accounts of the case's number, or freezes them if the operator's
fuse is blown. The rules are those of `hub.sdk.adapter.acting`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.model import Outcome, OutcomeReason, ReleaseNotice, Source, Stage
from hub.sdk.accounts import Account, Done, Held, Known, Touch
from hub.sdk.adapter.asking import Asking
from hub.sdk.adapter.casebook import Sayings, Stages
from hub.sdk.adapter.fuse import Fuse
from hub.sdk.adapter.holdings import Holdings, deed_for
from hub.sdk.adapter.life import Life
from hub.sdk.adapter.plans import Counts, Rules
from hub.sdk.adapter.retrying import Retries
from hub.sdk.deeds import Ask, AskKey, Deed
from hub.sdk.fuses import FuseKind, HeldState

BEFORE_RELEASE = frozenset({Stage.COOLING, Stage.SCHEDULED})
"""In these stages nobody but its old owner can have received the number."""


class Doing:
    """This holds the accounts and fuses of one batch, and changes both notice by notice."""

    def __init__(self, known: Known, rules: Rules, now_ms: int, refused: Mapping[AskKey, Done], report: str) -> None:
        self.counts = Counts()
        self.unbound_in_day = 0
        self._rules = rules
        self._retries = Retries(known.retries, rules.retries, now_ms)
        self._asking = Asking(rules, refused, self.counts, self._retries, report)
        self._fuse = Fuse(known, rules.limits)
        self._sayings = Sayings()
        self._holdings = Holdings(known.accounts.values(), known.touches.values())
        self._stages = Stages(known.stages)
        self._life = Life(known.life_since, now_ms)
        self._heeds_life = rules.authority
        self._again = False
        self._done_with: set[Source] = set()

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Return the deeds that the store is to have done before the changes are written."""
        return tuple(self._asking.asks)

    def _do(self, case: Source, notice: ReleaseNotice, found: list[Account]) -> None:
        """Do what a notice asks for to the old owner's accounts, as far as the fuse and a person let it."""
        if self._fuse.state_of(case, FuseKind.UNBIND) in (HeldState.GIVE_UP, HeldState.GIVEN_UP):
            for account in found:
                self._leave_alone(case, notice, account)
            self._fuse.give_up(case, self._asking.position)
            return
        given_up = [one for one in found if not self._is_in_use(case, notice, one)]
        asked = sum(not one.may_be and self._demand(case, notice, one) is Deed.UNBIND for one in given_up)
        brake = not self._fuse.lets(case, notice, FuseKind.UNBIND, asked)
        for account in given_up:
            self._touch(case, notice, account, self._demand(case, notice, account, brake=brake))
        self._settle(case, notice, FuseKind.UNBIND, brake=brake)
        self.unbound_in_day = max(self.unbound_in_day, self._fuse.in_day(notice, FuseKind.UNBIND))

    def _is_in_use(self, case: Source, notice: ReleaseNotice, account: Account) -> bool:
        """Leave an account alone that gives signs of life, and say so."""
        if account.may_be or not (self._heeds_life and self._life.speaks_against(case, notice, account)):
            return False
        if self._leave_alone(case, notice, account):
            self.counts.in_use += 1
            self._sayings.say(case, Outcome.DECLINED, OutcomeReason.IN_USE)
        return True

    def _demand(self, case: Source, notice: ReleaseNotice, account: Account, *, brake: bool = False) -> Deed:
        """Return what a notice asks for an account now; one proven in the last days is not unbound until they are over.

        Args:
            brake: a fuse does not let the notice unbind.
        """
        deed = deed_for(notice, account, self._rules.freeze_at, brake=brake)
        spared_until = self._life.spared_until(notice, account, again=self._again)
        if deed is Deed.FREEZE or spared_until is None or not self._heeds_life:
            return deed
        self._retries.wait(case, spared_until)
        return Deed.FREEZE

    def _settle(self, case: Source, notice: ReleaseNotice, kind: FuseKind, *, brake: bool) -> None:
        """Hold a case for a person if the fuse did not let it; otherwise forget that it was held."""
        self.counts.held += brake
        if brake:
            self._fuse.hold(case, self._asking.position, notice, kind)
        else:
            self._fuse.let_go(case)

    def _leave_alone(self, case: Source, notice: ReleaseNotice, account: Account) -> bool:
        """Decline to do anything to an account, and lift what the case froze; return whether that is new and done."""
        before = self._holdings.touch_of(case, account)
        if before is not None and before.held is Held.FREEZE:
            done = self._asking.ask(Deed.REINSTATE, case, notice, before)
            if done is not Done.DONE:
                self._asking.refused(done)
                return False
            self._holdings.put_back(before, taken=False)
        elif before is not None and before.outcome is Outcome.DECLINED:
            return False
        self._holdings.refused(case, notice, account, Outcome.DECLINED)
        self.counts.declined += 1
        return True

    def _lose(self, case: Source, notice: ReleaseNotice, touch: Touch) -> None:
        if self._holdings.still_frozen(touch):
            done = self._asking.ask(Deed.REINSTATE, case, notice, touch)
            if done is not Done.DONE:
                self._asking.refused(done)
                return
        self._holdings.note_vanished(touch)
        self.counts.vanished += 1

    def _touch(self, case: Source, notice: ReleaseNotice, account: Account, deed: Deed) -> None:
        before = self._holdings.touch_of(case, account)
        if deed is Deed.FREEZE and before is not None and before.held is Held.FREEZE:
            return
        if self._again and before is not None and before.outcome is Outcome.DECLINED:
            return
        done = self._asking.ask(deed, case, notice, account)
        if done is not Done.DONE:
            self._holdings.refused(case, notice, account, self._asking.refused(done))
            return
        self._holdings.take(case, notice, account, deed)
        if deed is Deed.FREEZE:
            self.counts.frozen += 1
        else:
            self.counts.unbound += 1
            self._fuse.count(case, notice, FuseKind.UNBIND)

    def _undo(self, case: Source, notice: ReleaseNotice) -> None:
        held = self._holdings.held_by(case)
        wanting = [touch for touch in held if self._holdings.wants_number(touch) and not self._is_taken(touch, notice)]
        given_up = self._fuse.state_of(case, FuseKind.PUT_BACK) is HeldState.GIVE_UP
        brake = not given_up and not self._fuse.lets(case, notice, FuseKind.PUT_BACK, len(wanting))
        now = [touch for touch in held if not (brake and touch in wanting)]
        undone = [self._put_back(touch, notice, given_up=given_up) for touch in now]
        self._settle(case, notice, FuseKind.PUT_BACK, brake=brake)
        if brake or not all(undone):
            return
        if held:
            self._sayings.say(case, Outcome.REINSTATED)
        self._holdings.forget(case)
        self._done_with.add(case)

    def _put_back(self, touch: Touch, notice: ReleaseNotice, *, given_up: bool = False) -> bool:
        """Undo one touch; return whether that is settled.

        Args:
            given_up: a person decided that no number is put back.
        """
        wants_number = self._holdings.wants_number(touch)
        taken = wants_number and (given_up or self._is_taken(touch, notice))
        if touch.held is not Held.VANISHED:
            rebind = touch.held is Held.UNBINDING and not taken
            beside = self._holdings.beside(touch) if rebind else ()
            done = self._asking.ask(Deed.REINSTATE, touch.case, notice, touch, rebind=rebind, beside=beside)
            if done is Done.TAKEN and wants_number:
                taken = True
                done = self._asking.ask(Deed.REINSTATE, touch.case, notice, touch)
            if done is not Done.DONE:
                self._asking.refused(done)
                return False
            self.counts.reinstated += 1
            self.counts.without_number += taken
            if wants_number and not taken:
                self._fuse.count(touch.case, notice, FuseKind.PUT_BACK)
        self._holdings.put_back(touch, taken=taken)
        return True

    def _is_taken(self, touch: Touch, notice: ReleaseNotice) -> bool:
        if not self._rules.authority:
            return False
        at_ms = notice.published_at if self._rules.by_record else None
        return self._holdings.is_taken(touch, at_ms, handed_on=self._stages.of(touch.case) not in BEFORE_RELEASE)
