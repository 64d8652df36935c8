"""What a platform does about the notices of a batch: which accounts to freeze, unbind or put back, and what to say.

Pure: what a store knows goes in (`Known`), what it is to write comes out (`Plan`). The one thing asked on the way is
the platform's own word on each account (`Act`). I/O is in `hub.sdk.handling`, the stores and the adapter.

Rules:
1. Notices are folded in offset order by the hub's rules (`hub.core.cases`); what those ignore is ignored. Of a number
   whose cases all began before the record of last cases did (`hub.sdk.last_cases`), the table alone decides.
2. An account is the old owner's if it is bound to the number and `bound_at` is strictly older than `bound_before`
   (the opener's, which every notice of the case carries). One of unknown age may be frozen, never unbound.
3. COOLING freezes. SCHEDULED, RELEASED and REASSIGNED unbind what has an age and freeze what has none. RESTORED and
   WITHDRAWN put back whatever the case still holds; REINSTATED is said if there was any and all of it is back.
4. The answer is the first of FAILED, DECLINED, FROZEN, UNBOUND over all accounts the case ever touched; NOT_BOUND if
   there are none. It is said when it changes. What the platform failed at or declined stays untouched.
5. An account that an earlier case left frozen is touched by the next, and the freeze then belongs to that one.
6. A touched account that is no longer the old owner's counts as UNBOUND, and a freeze on it is lifted.
7. NOT_BOUND is said of every position acted on except openers that get another answer: it packs into nothing, and
   positions that open no case are ignored by the hub.
8. The fuse is looked at before a notice is acted on: what would go beyond it, and all after it, is left undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

from hub.core.lifecycle import UNDONE
from hub.core.model import DAY_MS, HOUR_MS, SEGMENT, Outcome, ReleaseNotice, Source
from hub.errors import PlatformError
from hub.sdk.accounts import (
    Account,
    Batch,
    Changes,
    Deed,
    Done,
    HeardNotice,
    Held,
    Known,
    Place,
    Touch,
    Waiting,
    Wanted,
)
from hub.sdk.casebook import Sayings, Stages
from hub.sdk.holdings import Holdings, deed_for
from hub.sdk.last_cases import LastCases

Act = Callable[[Deed, str, ReleaseNotice], Done]
"""The platform's word: (what is about to be done, account id, why) -> whether it is. May be asked again after a
crash, so doing it twice must do no harm."""

REFUSED: dict[Done, Outcome] = {Done.FAILED: Outcome.FAILED, Done.DECLINED: Outcome.DECLINED}
SCHEME = "e164"
FUSE_HOURS = DAY_MS // HOUR_MS


class Rules(NamedTuple):
    """How one platform acts. `fuse_unbinds_per_day`: None is off."""

    act: Act
    fuse_unbinds_per_day: int | None = None


@dataclass
class Counts:
    """What was done. `ignored` notices broke the fold's rule; `received_only` ones the platform did not act on."""

    notices: int = 0
    ignored: int = 0
    received_only: int = 0
    frozen: int = 0
    unbound: int = 0
    reinstated: int = 0
    vanished: int = 0
    failed: int = 0
    declined: int = 0
    not_bound: int = 0

    def add(self, other: Counts) -> None:
        """Count what another counted, too."""
        for one in fields(Counts):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Blown(NamedTuple):
    """Where the fuse stopped: the position left undone, what it would unbind, what its day had unbound before."""

    position: Source
    wanted: int
    unbound: int


class Plan(NamedTuple):
    """What to write, what was done, and where the fuse stopped if it did."""

    changes: Changes
    counts: Counts
    blown: Blown | None


def wanted(batch: Batch) -> Wanted:
    """What a batch needs to know of the store."""
    cases = frozenset(
        Source(one.position.partition, one.notice.opened_at) for one in batch if one.notice.opened_at is not None
    )
    openers = {one.position for one in batch if one.notice.opened_at is None}
    return Wanted(
        partitions=frozenset(one.position.partition for one in batch),
        segments=frozenset((place.partition, place.offset // SEGMENT) for place in cases | openers),
        numbers=frozenset(one.notice.subject.value for one in batch if one.acting),
        cases=cases,
        since_hour=min((_hour(one.notice) for one in batch), default=0) - FUSE_HOURS,
        subjects=frozenset(one.notice.subject.value for one in batch),
    )


def handle(batch: Batch, known: Known, rules: Rules) -> Plan:
    """What to do about a batch, up to where the fuse stops it.

    Args:
        batch: notices in the order of each partition's offsets; those before a partition's place are passed over.
        known: what the store knows of `wanted(batch)`.

    Raises:
        PlatformError: the notices are of another log than the store's, or name their numbers in a way this
            version cannot match.
    """
    work = _Work(known, rules)
    blown = None
    for heard in batch:
        blown = work.hear(heard)
        if blown is not None:
            break
    return Plan(work.changes(), work.counts, blown)


def _hour(notice: ReleaseNotice) -> int:
    return notice.published_at // HOUR_MS


class _Work:
    """One batch at work: what is known, moving as the batch goes, and what is to be written of it."""

    def __init__(self, known: Known, rules: Rules) -> None:
        self.counts = Counts()
        self._rules = rules
        self._log_id = known.log_id
        self._known_places = known.places
        self._places: dict[int, Place] = {}
        self._waiting: dict[int, Waiting] = {}
        self._stages = Stages(known.stages)
        self._sayings = Sayings()
        self._holdings = Holdings(known.accounts.values(), known.touches.values())
        self._unbinds = dict(known.unbinds)
        self._known_unbinds = known.unbinds
        self._last_cases = LastCases(known.last_cases)

    def changes(self) -> Changes:
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
        )

    def hear(self, heard: HeardNotice) -> Blown | None:
        """Fold one notice and act on it; if the fuse stops it, nothing of it was done."""
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
            self._move(case, notice, acting=heard.acting)
        return None

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
        asked = sum(deed_for(notice, one) is Deed.UNBIND for one in self._holdings.old_owners(notice))
        since = _hour(notice) - FUSE_HOURS
        unbound = sum(count for hour, count in self._unbinds.items() if hour > since)
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
        else:
            self.counts.received_only += 1

    def _move(self, case: Source, notice: ReleaseNotice, *, acting: bool) -> None:
        answered = self._stages.answered(case)
        self._last_cases.fold(case, notice)
        if acting and notice.stage in UNDONE:
            self._undo(case, notice)
        elif acting:
            self._answer(case, notice, answered=answered)
        self._stages.put(case, notice.stage, answered=answered or (acting and notice.stage not in UNDONE))

    def _answer(self, case: Source, notice: ReleaseNotice, *, answered: bool) -> None:
        before = self._holdings.answer(case)
        found = self._holdings.old_owners(notice)
        self.counts.vanished += self._holdings.note_vanished(case, {account.account_id for account in found})
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

    def _touch(self, case: Source, notice: ReleaseNotice, account: Account) -> None:
        deed = deed_for(notice, account)
        before = self._holdings.touch_of(case, account)
        if deed is Deed.FREEZE and before is not None and before.held is Held.FREEZE:
            return
        done = self._rules.act(deed, account.account_id, notice)
        if done is not Done.DONE:
            self._holdings.refused(case, notice, account, self._refused(done))
            return
        self._holdings.take(case, notice, account, deed)
        if deed is Deed.FREEZE:
            self.counts.frozen += 1
        else:
            self.counts.unbound += 1
            self._unbinds[_hour(notice)] = self._unbinds.get(_hour(notice), 0) + 1

    def _undo(self, case: Source, notice: ReleaseNotice) -> None:
        held = self._holdings.held_by(case)
        undone = [self._put_back(touch, notice) for touch in held]
        if held and all(undone):
            self._sayings.say(case, Outcome.REINSTATED)

    def _put_back(self, touch: Touch, notice: ReleaseNotice) -> bool:
        """Undo one touch; whether that is done with."""
        if touch.held is not Held.VANISHED:
            done = self._rules.act(Deed.REINSTATE, touch.account_id, notice)
            if done is not Done.DONE:
                self._refused(done)
                return False
            self.counts.reinstated += 1
        self._holdings.put_back(touch)
        return True

    def _refused(self, done: Done) -> Outcome:
        self.counts.failed += done is Done.FAILED
        self.counts.declined += done is Done.DECLINED
        return REFUSED[done]
