"""This module decides what a platform does about a batch of notices: which accounts change, and what it says.

It is pure: what a store knows goes in (`Known`), what it is to write comes out (`Plan`). It asks one thing on the way:
whether the platform allows each deed (`Act`). I/O is in `hub.sdk.adapter.handling`, the stores and the adapter.

For example, a RELEASED notice moves case 7-120033 of +8613800138000: the accounts that were bound to the number before
`bound_before` are unbound, and UNBOUND is said of 7-120033.

Rules:
1. Notices are folded in offset order by the hub's rules (`hub.core.cases`); what those ignore is ignored. If a number's
   cases all began before the record of last cases did (`hub.sdk.last_cases`), the table of stages alone decides.
2. An account is the old owner's if it is bound to the number and `bound_at` is strictly older than `bound_before`
   (the opener's, which every notice of the case carries). An account of unknown age may be frozen, never unbound.
3. COOLING freezes. SCHEDULED, RELEASED and REASSIGNED unbind an account of known age and freeze one of unknown age; a
   platform may choose that some of these stages only freeze (`Rules.freeze_at`), but not the reverse. RESTORED and
   WITHDRAWN put back whatever the case still holds; REINSTATED is said if it held anything and all of it is back. A
   number is put back only where no other account holds it by now; otherwise the account is put back without it.
4. The answer is the first of FAILED, DECLINED, FROZEN, UNBOUND over all accounts the case ever touched; NOT_BOUND if
   there are none. It is said when it changes. What the platform failed at or declined stays untouched.
5. An account that an earlier case left frozen is touched by the next, and the freeze then belongs to that one.
6. A touched account that is no longer the old owner's counts as UNBOUND, and a freeze on it is lifted.
   The touches of an undone case are deleted once it holds nothing; those of others stay, as they can still be undone.
7. NOT_BOUND is said of every position acted on except openers that get another answer: such a range takes almost no
   bytes, and the hub ignores positions that open no case.
8. The fuse is checked before a notice is acted on: what would go beyond it, and all after it, is left undone.
9. Where the platform failed, the case's last notice is heard again by the clock (`RetryPlan`), until its next stage:
   what failed is tried again then, what was declined is not. A retry that would go beyond the fuse waits for its next
   time.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.lifecycle import UNDONE
from hub.core.model import Outcome, ReleaseNotice, Source
from hub.errors import PlatformError
from hub.sdk.accounts import Account, Batch, Changes, Done, HeardNotice, Held, Known, Place, Touch, Waiting
from hub.sdk.adapter.asking import NOTHING_REFUSED, Asking
from hub.sdk.adapter.casebook import Sayings, Stages
from hub.sdk.adapter.holdings import Holdings, deed_for
from hub.sdk.adapter.plans import FUSE_HOURS, Act, Blown, Counts, Plan, Rules, hour_of, wanted
from hub.sdk.adapter.retrying import Retries
from hub.sdk.deeds import Ask, AskKey, Deed
from hub.sdk.last_cases import LastCases

__all__ = ["Act", "Blown", "Counts", "Plan", "Rules", "handle", "wanted"]

SCHEME = "e164"


def handle(
    batch: Batch, known: Known, rules: Rules, now_ms: int = 0, refused: Mapping[AskKey, Done] = NOTHING_REFUSED
) -> Plan:
    """Return what to do about a batch, up to where the fuse stops it.

    Args:
        batch: notices in the order of each partition's offsets; those before a partition's place are ignored.
        known: what the store knows of `wanted(batch)`.
        now_ms: the time by the platform's clock, for what is to be tried again.
        refused: what the store is known to fail at or decline, although `rules.act` allowed it.

    Raises:
        PlatformError: the notices are of another log than the store's, or name their numbers in a way this
            version cannot match.
    """
    work = Work(known, rules, now_ms, refused)
    blown = None
    for heard in batch:
        blown = work.hear(heard)
        if blown is not None:
            break
    return Plan(work.changes(), work.counts, blown, work.asks, work.unbound_in_day)


class Work:
    """This handles one batch: it holds what is known, changes it notice by notice, and gathers what to write."""

    def __init__(
        self, known: Known, rules: Rules, now_ms: int, refused: Mapping[AskKey, Done], report: str = ""
    ) -> None:
        self.counts = Counts()
        self._rules = rules
        self._retries = Retries(known.retries, rules.retries, now_ms)
        self._asking = Asking(rules, refused, self.counts, self._retries, report)
        self._again = False
        self._done_with: set[Source] = set()
        self._log_id = known.log_id
        self._known_places = known.places
        self._places: dict[int, Place] = {}
        self._waiting: dict[int, Waiting] = {}
        self._stages = Stages(known.stages)
        self._sayings = Sayings()
        self._holdings = Holdings(known.accounts.values(), known.touches.values())
        self.unbound_in_day = 0
        self._unbinds = dict(known.unbinds)
        self._known_unbinds = known.unbinds
        self._last_cases = LastCases(known.last_cases)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Return the deeds that the store is to have done before the changes are written."""
        return tuple(self._asking.asks)

    def changes(self) -> Changes:
        """Return what to write so far."""
        return Changes(
            log_id=self._log_id,
            places=self._places,
            stages=self._stages.changed(),
            effects=self._holdings.effects,
            touches=self._holdings.touched,
            unbinds={h: n for h, n in self._unbinds.items() if n != self._known_unbinds.get(h)},
            waiting=self._waiting,
            said={key: bits for key, bits in self._sayings.said.items() if bits},
            last_cases=self._last_cases.changed,
            evidence=self._last_cases.evidence,
            retries=self._retries.changed,
            done_with=frozenset(self._done_with),
        )

    def hear(self, heard: HeardNotice) -> Blown | None:
        """Fold one notice and act on it; if the fuse stops it, nothing of it was done."""
        if heard.again:
            self._hear_again(heard)
            return None
        position, notice = heard.position, heard.notice
        place = self._places.get(position.partition) or self._known_places.get(position.partition, Place())
        if position.offset < place.next_offset:
            return None
        self._check(notice)
        case = self._last_cases.case_of(position, notice, place.last_source, self._stages.of)
        blown = self._blown(position, notice) if case is not None and heard.acting else None
        if blown is not None:
            return blown
        self._receive(heard, place, folded=case is not None)
        if case is not None:
            self._move(case, heard)
        return None

    def _hear_again(self, heard: HeardNotice) -> None:
        """Try again what failed, unless the case has moved on since."""
        position, notice = heard.position, heard.notice
        self._check(notice)
        case = position if notice.opened_at is None else Source(position.partition, notice.opened_at)
        retry = self._retries.at(case, position)
        if retry is None:
            return
        if self._blown(position, notice) is not None:
            self._retries.failed(case)
        else:
            words = self._sayings.words
            self._again = True
            self._act_on(case, heard, answered=True)
            self._again = False
            if self._sayings.words > words:
                waiting = Waiting(position.offset, heard.digest, notice.published_at)
                self._waiting[position.partition] = waiting.after(self._waiting.get(position.partition))
        self._retries.settle(case, position, retry.attempts + 1)

    def _check(self, notice: ReleaseNotice) -> None:
        if self._log_id is None:
            self._log_id = notice.log_id
        if notice.log_id != self._log_id:
            raise PlatformError(
                "the notices are of another log: the store's positions belong to the one it began with",
                todo="Check the hub's address. If the hub was made anew, give the adapter fresh tables.",
            )
        if notice.subject.scheme != SCHEME:
            raise PlatformError(
                "the hub names numbers in a scheme this version cannot match",
                todo="Install a newer unbind-hub; nothing was acknowledged of these notices.",
            )

    def _blown(self, position: Source, notice: ReleaseNotice) -> Blown | None:
        fuse = self._rules.fuse_unbinds_per_day
        if fuse is None or notice.stage in UNDONE:
            return None
        owned, freeze_at = self._holdings.old_owners(notice), self._rules.freeze_at
        asked = sum(deed_for(notice, one, freeze_at) is Deed.UNBIND for one in owned)
        since = hour_of(notice) - FUSE_HOURS
        unbound = self.unbound_in_day = sum(count for hour, count in self._unbinds.items() if hour > since)
        return Blown(position, asked, unbound) if asked and unbound + asked > fuse else None

    def _receive(self, heard: HeardNotice, place: Place, *, folded: bool) -> None:
        partition, offset = heard.position
        source = heard.notice.source.offset if folded else place.last_source
        self._places[partition] = Place(offset + 1, source)
        waiting = Waiting(offset, heard.digest, heard.notice.published_at)
        self._waiting[partition] = waiting.after(self._waiting.get(partition))
        self._last_cases.heard(partition, heard.notice.published_at)
        self.counts.notices += 1
        self.counts.ignored += not folded
        if heard.acting:
            self._sayings.say_not_bound(partition, place.next_offset, offset)

    def _move(self, case: Source, heard: HeardNotice) -> None:
        stage, answered = heard.notice.stage, self._stages.answered(case)
        self._last_cases.fold(case, heard.notice)
        if heard.acting:
            self._act_on(case, heard, answered=answered)
        self._retries.settle(case, heard.position, 0)
        self._stages.put(case, stage, answered=answered or (heard.acting and stage not in UNDONE))

    def _act_on(self, case: Source, heard: HeardNotice, *, answered: bool) -> None:
        notice, self._asking.position = heard.notice, heard.position
        if notice.stage in UNDONE:
            self._undo(case, notice)
        else:
            self._answer(case, notice, answered=answered)

    def _answer(self, case: Source, notice: ReleaseNotice, *, answered: bool) -> None:
        before = self._holdings.answer(case)
        found = self._holdings.old_owners(notice)
        for touch in self._holdings.vanished(case, {account.account_id for account in found}):
            self._lose(case, notice, touch)
        for account in found:
            self._touch(case, notice, account)
        now = self._holdings.answer(case)
        if now is None and not answered:
            self.counts.not_bound += 1
            self._sayings.say(case, Outcome.NOT_BOUND)
        if now is not None:
            self._sayings.unsay_not_bound(case)
            if now is not before:
                self._sayings.say(case, now)

    def _lose(self, case: Source, notice: ReleaseNotice, touch: Touch) -> None:
        if self._holdings.still_frozen(touch):
            done = self._asking.ask(Deed.REINSTATE, case, notice, touch)
            if done is not Done.DONE:
                self._asking.refused(done)
                return
        self._holdings.note_vanished(touch)
        self.counts.vanished += 1

    def _touch(self, case: Source, notice: ReleaseNotice, account: Account) -> None:
        deed = deed_for(notice, account, self._rules.freeze_at)
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
            self.unbound_in_day += 1
            self._unbinds[hour_of(notice)] = self._unbinds.get(hour_of(notice), 0) + 1

    def _undo(self, case: Source, notice: ReleaseNotice) -> None:
        held = self._holdings.held_by(case)
        undone = [self._put_back(touch, notice) for touch in held]
        if held and all(undone):
            self._sayings.say(case, Outcome.REINSTATED)
        if all(undone):
            self._holdings.forget(case)
            self._done_with.add(case)

    def _put_back(self, touch: Touch, notice: ReleaseNotice) -> bool:
        """Undo one touch; return whether that is settled."""
        wants_number = self._holdings.wants_number(touch)
        taken = wants_number and self._holdings.is_taken(touch)
        if touch.held is not Held.VANISHED:
            rebind = touch.held is Held.UNBINDING and not taken
            done = self._asking.ask(Deed.REINSTATE, touch.case, notice, touch, rebind=rebind)
            if done is Done.TAKEN and wants_number:
                taken = True
                done = self._asking.ask(Deed.REINSTATE, touch.case, notice, touch)
            if done is not Done.DONE:
                self._asking.refused(done)
                return False
            self.counts.reinstated += 1
            self.counts.without_number += taken
        self._holdings.put_back(touch, taken=taken)
        return True
