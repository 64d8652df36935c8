"""This module decides what a platform does about a batch of notices: which accounts change, and what it says.

It is pure: what a store knows goes in (`Known`), what it is to write comes out (`Plan`). It asks one thing on the way:
whether the platform allows each deed (`Act`). I/O is in `hub.sdk.adapter.handling`, the stores and the adapter.

For example, a RELEASED notice moves case 7-120033 of +8613800138000: the accounts that were bound to the number before
`bound_before` are unbound, and UNBOUND is said of 7-120033.

Rules:
1. Notices are folded in offset order by the hub's rules (`hub.core.cases`); what those ignore is ignored. If a number's
   cases all began before the record of last cases did (`hub.sdk.last_cases`), the table of stages alone decides.
2. An account is the old owner's if it is bound to the number and `bound_at` is strictly older than `bound_before`
   (the opener's, which every notice of the case carries). An account of unknown age may be frozen, never unbound. One
   that is AMBIGUOUS may be his: it FAILED, untouched, without the platform being asked, and is tried again (rule 9).
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
8. The fuses (`hub.sdk.adapter.fuse`) are checked before a notice is acted on. Beyond the one for unbinding, accounts
   are frozen in place of unbound; beyond the one for putting back, numbers stay off. Both wait for a person, and the
   notices of other operators go on. What a person gave up is declined, and a freeze of the case is lifted.
9. Where the platform failed, the case's last notice is heard again by the clock (`RetryPlan`), until its next stage:
   what failed is tried again then, what was declined is not.
10. An account that gives signs of life (`hub.sdk.adapter.life`) is left alone: DECLINED is said, with IN_USE.
11. Of a case that is undone further on in the log, as far as that was looked ahead, nothing is done before that.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.lifecycle import UNDONE
from hub.core.model import Outcome, ReleaseNotice, Source
from hub.errors import PlatformError
from hub.sdk.accounts import Batch, Changes, Done, HeardNotice, Known, Place, Waiting
from hub.sdk.adapter.asking import NOTHING_REFUSED
from hub.sdk.adapter.doing import Doing
from hub.sdk.adapter.plans import Act, Counts, Plan, Rules, wanted
from hub.sdk.deeds import AskKey
from hub.sdk.last_cases import LastCases

__all__ = ["Act", "Counts", "Plan", "Rules", "handle", "wanted"]

SCHEME = "e164"


def handle(
    batch: Batch, known: Known, rules: Rules, now_ms: int = 0, refused: Mapping[AskKey, Done] = NOTHING_REFUSED
) -> Plan:
    """Return what to do about a batch.

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
    for heard in batch:
        work.hear(heard)
    return Plan(work.changes(), work.counts, work.asks, work.unbound_in_day)


class Work(Doing):
    """This handles one batch: it holds what is known, changes it notice by notice, and gathers what to write."""

    def __init__(
        self, known: Known, rules: Rules, now_ms: int, refused: Mapping[AskKey, Done], report: str = ""
    ) -> None:
        super().__init__(known, rules, now_ms, refused, report)
        self._log_id = known.log_id
        self._known_places = known.places
        self._places: dict[int, Place] = {}
        self._waiting: dict[int, Waiting] = {}
        self._last_cases = LastCases(known.last_cases)

    def changes(self) -> Changes:
        """Return what to write so far."""
        return Changes(
            log_id=self._log_id,
            places=self._places,
            stages=self._stages.changed(),
            effects=self._holdings.effects,
            touches=self._holdings.touched,
            spent=self._fuse.spent(),
            held=self._fuse.changed,
            life_since={case: since for case, since in self._life.changed.items() if case not in self._done_with},
            waiting=self._waiting,
            said={key: bits for key, bits in self._sayings.said.items() if bits},
            last_cases=self._last_cases.changed,
            evidence=self._last_cases.evidence,
            retries=self._retries.changed,
            done_with=frozenset(self._done_with),
        )

    def hear(self, heard: HeardNotice) -> None:
        """Fold one notice and act on it."""
        if heard.again:
            self._hear_again(heard)
            return
        position, notice = heard.position, heard.notice
        place = self._places.get(position.partition) or self._known_places.get(position.partition, Place())
        if position.offset < place.next_offset:
            return
        self._check(notice)
        case = self._last_cases.case_of(position, notice, place.last_source, self._stages.of)
        self._receive(heard, place, folded=case is not None)
        if case is not None:
            self._move(case, heard)

    def _hear_again(self, heard: HeardNotice) -> None:
        """Try again what failed, or do what a person decided, unless the case has moved on since."""
        position, notice = heard.position, heard.notice
        self._check(notice)
        case = position if notice.opened_at is None else Source(position.partition, notice.opened_at)
        retry, decided = self._retries.at(case, position), self._fuse.is_decided(case, position)
        if retry is None and not decided:
            return
        if decided:  # a report may have had the case looked at, at an earlier notice than its newest
            heard = heard._replace(notice=notice._replace(stage=self._stages.of(case) or notice.stage))
        words = self._sayings.words
        self._again = not decided
        self._act_on(case, heard, answered=True)
        self._again = False
        if self._sayings.words > words:
            waiting = Waiting(position.offset, heard.digest, notice.published_at)
            self._waiting[position.partition] = waiting.after(self._waiting.get(position.partition))
        self._retries.settle(case, position, 0 if retry is None else retry.attempts + 1)

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
        acting = heard.acting and not heard.undone_later
        self._last_cases.fold(case, heard.notice)
        if case == heard.position:
            self._life.open(case, heard.notice, anyone=self._holdings.is_bound(heard.notice.subject.value))
        if acting:
            self._act_on(case, heard, answered=answered)
        elif heard.undone_later:
            self.counts.passed_over += 1
            self._sayings.unsay_not_bound(case)
        self._retries.settle(case, heard.position, 0)
        self._stages.put(case, stage, answered=answered or (acting and stage not in UNDONE))

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
        self._do(case, notice, found)
        now = self._holdings.answer(case)
        if now is None and not answered:
            self.counts.not_bound += 1
            self._sayings.say(case, Outcome.NOT_BOUND)
        if now is not None:
            self._sayings.unsay_not_bound(case)
            if now is not before:
                self._sayings.say(case, now)
