"""What a platform does about the notices of a batch: which accounts to freeze, unbind or put back, and what to say.

Pure: what a store knows goes in (`Known`), what it is to write comes out (`Plan`). The one thing asked on the way is
the platform's own word on each account (`Act`). I/O is in `hub.sdk.handling`, the stores and the adapter.

Rules:
1. Notices are folded in offset order by the hub's rule (`hub.core.cases`, rules 1 and 2); a notice whose `opened_at`
   is not known, or that the lifecycle table has no move for, is ignored. Rule 3's "last case of its number" is the
   hub's to keep: it would need a row for every number in the country here.
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

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from pyroaring import BitMap

from hub.core.lifecycle import OPENERS, UNDONE, follows
from hub.core.model import DAY_MS, HOUR_MS, SEGMENT, Outcome, ReleaseNotice, Source, Stage
from hub.errors import PlatformError
from hub.sdk.accounts import (
    Account,
    Batch,
    Binding,
    Changes,
    Deed,
    Done,
    Effect,
    Held,
    HeardNotice,
    Known,
    Place,
    SaidKey,
    Touch,
    Waiting,
    Wanted,
)

Act = Callable[[Deed, str, ReleaseNotice], Done]
"""The platform's word: (what is about to be done, account id, why) -> whether it is. May be asked again after a
crash, so doing it twice must do no harm."""

ANSWER_ORDER = (Outcome.FAILED, Outcome.DECLINED, Outcome.FROZEN, Outcome.UNBOUND)
"""Several accounts answer together: the first of these that any of them has."""

OUTCOME_OF: dict[Deed, Outcome] = {
    Deed.FREEZE: Outcome.FROZEN,
    Deed.UNBIND: Outcome.UNBOUND,
    Deed.REINSTATE: Outcome.REINSTATED,
}
SCHEME = "e164"
STAGES: tuple[Stage, ...] = tuple(Stage)
ANSWERED = 0x40
"""In a position's byte, beside 1 + the index of its stage: something was said of the case."""

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


class _Stages:
    """The stage of each case, one byte a position, and which of them changed."""

    def __init__(self, known: dict[tuple[int, int], bytes]) -> None:
        self._segments = {key: bytearray(value) for key, value in known.items()}
        self._changed: set[tuple[int, int]] = set()

    def _byte(self, case: Source) -> int:
        segment = self._segments.get((case.partition, case.offset // SEGMENT))
        return 0 if segment is None or case.offset < 0 else segment[case.offset % SEGMENT]

    def of(self, case: Source) -> Stage | None:
        code = self._byte(case) & ~ANSWERED
        return STAGES[code - 1] if code else None

    def answered(self, case: Source) -> bool:
        return bool(self._byte(case) & ANSWERED)

    def put(self, case: Source, stage: Stage, *, answered: bool) -> None:
        key = (case.partition, case.offset // SEGMENT)
        segment = self._segments.setdefault(key, bytearray(SEGMENT))
        segment[case.offset % SEGMENT] = 1 + STAGES.index(stage) | (ANSWERED if answered else 0)
        self._changed.add(key)

    def changed(self) -> dict[tuple[int, int], bytes]:
        return {key: bytes(self._segments[key]) for key in self._changed}


@dataclass
class _Written:
    """What a batch changes, gathered."""

    places: dict[int, Place] = field(default_factory=dict)
    effects: dict[str, Effect] = field(default_factory=dict)
    touches: dict[tuple[Source, str], Touch] = field(default_factory=dict)
    unbinds: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    said: dict[SaidKey, BitMap] = field(default_factory=dict)


class _Work:
    """One batch at work: what is known, moving as the batch goes, and what is to be written of it."""

    def __init__(self, known: Known, rules: Rules) -> None:
        self.counts = Counts()
        self._rules = rules
        self._log_id = known.log_id
        self._known_places = known.places
        self._stages = _Stages(known.stages)
        self._accounts = dict(known.accounts)
        self._bound: dict[str, set[str]] = {}
        self._touches: dict[Source, dict[str, Touch]] = {}
        self._freezes: dict[str, Touch] = {}
        self._unbinds = dict(known.unbinds)
        self._out = _Written()
        for account in known.accounts.values():
            if account.number is not None:
                self._bound.setdefault(account.number, set()).add(account.account_id)
        for touch in known.touches.values():
            self._remember(touch)

    def changes(self) -> Changes:
        out = self._out
        stages = self._stages.changed()
        return Changes(
            self._log_id, out.places, stages, out.effects, out.touches, out.unbinds, out.waiting, out.said
        )

    def hear(self, heard: HeardNotice) -> Blown | None:
        """Fold one notice and act on it; if the fuse stops it, nothing of it was done."""
        position, notice, digest, acting = heard
        place = self._out.places.get(position.partition) or self._known_places.get(position.partition, Place())
        if position.offset < place.next_offset:
            return None
        self._check(notice)
        case = self._case_of(position, notice, place)
        blown = self._blown(position, notice) if case is not None and acting else None
        if blown is not None:
            return blown
        self._receive(position, notice, digest, place, folded=case is not None)
        if not acting:
            self.counts.received_only += 1
        else:
            self._say_range(position.partition, place.next_offset, position.offset)
        if case is not None:
            self._move(case, notice, acting=acting)
        return None

    def _check(self, notice: ReleaseNotice) -> None:
        if self._log_id is None:
            self._log_id = notice.log_id
        if notice.log_id != self._log_id:
            raise PlatformError(
                "the notices are of another log: the store's positions mean nothing in it",
                todo="Check the hub's address. If the hub was made anew, give the adapter fresh tables.",
            )
        if notice.subject.scheme != SCHEME:
            raise PlatformError(
                "the hub names numbers in a scheme this version cannot match",
                todo="Install a newer unbind-hub; nothing was acknowledged of these notices.",
            )

    def _case_of(self, position: Source, notice: ReleaseNotice, place: Place) -> Source | None:
        """The case a notice opens or moves, None if the fold ignores it."""
        if notice.source.partition != position.partition or notice.source.offset <= place.last_source:
            return None
        if notice.opened_at is None:
            return position if notice.stage in OPENERS else None
        case = Source(position.partition, notice.opened_at)
        return case if follows(self._stages.of(case), notice.stage) else None

    def _blown(self, position: Source, notice: ReleaseNotice) -> Blown | None:
        fuse = self._rules.fuse_unbinds_per_day
        if fuse is None or notice.stage in UNDONE:
            return None
        wanted_unbinds = sum(_deed(notice, one) is Deed.UNBIND for one in self._old_owners(notice))
        since = _hour(notice) - FUSE_HOURS
        unbound = sum(count for hour, count in self._unbinds.items() if hour > since)
        if not wanted_unbinds or unbound + wanted_unbinds <= fuse:
            return None
        return Blown(position, wanted_unbinds, unbound)

    def _receive(
        self, position: Source, notice: ReleaseNotice, digest: bytes, place: Place, *, folded: bool
    ) -> None:
        partition, offset = position
        self.counts.notices += 1
        self.counts.ignored += not folded
        last_source = notice.source.offset if folded else place.last_source
        self._out.places[partition] = Place(offset + 1, last_source)
        waiting = Waiting(offset, digest, notice.published_at)
        self._out.waiting[partition] = waiting.after(self._out.waiting.get(partition))

    def _move(self, case: Source, notice: ReleaseNotice, *, acting: bool) -> None:
        answered = self._stages.answered(case)
        if not acting:
            if notice.opened_at is None:
                self._unsay(case)
        elif notice.stage in UNDONE:
            self._undo(case, notice)
        else:
            self._answer(case, notice, answered=answered)
            answered = True
        self._stages.put(case, notice.stage, answered=answered)

    def _answer(self, case: Source, notice: ReleaseNotice, *, answered: bool) -> None:
        before = _together(self._touches.get(case, {}))
        found = self._old_owners(notice)
        self._note_vanished(case, {account.account_id for account in found})
        for account in found:
            self._touch(case, notice, account)
        now = _together(self._touches.get(case, {}))
        if now is None:
            if not answered:
                self.counts.not_bound += 1
                self._say(case, Outcome.NOT_BOUND)
            return
        if now is not before:
            self._say(case, now)
        if notice.opened_at is None:
            self._unsay(case)

    def _old_owners(self, notice: ReleaseNotice) -> list[Account]:
        bound = (self._accounts[one] for one in sorted(self._bound.get(notice.subject.value, ())))
        return [one for one in bound if one.bound_at is None or one.bound_at < notice.bound_before]

    def _note_vanished(self, case: Source, present: set[str]) -> None:
        for touch in list(self._touches.get(case, {}).values()):
            watched = touch.held is Held.FREEZE or touch.outcome in (Outcome.FAILED, Outcome.DECLINED)
            if not watched or touch.account_id in present:
                continue
            if touch.held is Held.FREEZE and touch.account_id in self._accounts:
                self._leave(touch, Binding.THAWED)
            self._put(touch._replace(outcome=Outcome.UNBOUND, held=Held.VANISHED))
            self.counts.vanished += 1

    def _touch(self, case: Source, notice: ReleaseNotice, account: Account) -> None:
        deed = _deed(notice, account)
        name = account.account_id
        mine = self._touches.get(case, {}).get(name)
        if deed is Deed.FREEZE and mine is not None and mine.held is Held.FREEZE:
            return
        touch = mine or Touch(
            case, name, Outcome.FAILED, Held.NOTHING, notice.subject.value, account.bound_at, account.snapshot
        )
        done = self._rules.act(deed, name, notice)
        if done is not Done.DONE:
            self._put(touch._replace(outcome=self._refused(done)))
            return
        frozen_by = self._freezes.get(name)
        if frozen_by is not None and frozen_by.case != case:
            self._put(frozen_by._replace(held=Held.NOTHING))
        snapshot = account.snapshot if frozen_by is None else frozen_by.snapshot
        held = Held.FREEZE if deed is Deed.FREEZE else Held.UNBINDING
        touch = touch._replace(
            outcome=OUTCOME_OF[deed], held=held, bound_at=account.bound_at, snapshot=snapshot
        )
        self._leave(touch, Binding.FROZEN if deed is Deed.FREEZE else Binding.UNBOUND)
        self._put(touch)
        self._count_deed(deed, notice)

    def _refused(self, done: Done) -> Outcome:
        if done is Done.DECLINED:
            self.counts.declined += 1
            return Outcome.DECLINED
        self.counts.failed += 1
        return Outcome.FAILED

    def _count_deed(self, deed: Deed, notice: ReleaseNotice) -> None:
        if deed is Deed.FREEZE:
            self.counts.frozen += 1
            return
        self.counts.unbound += 1
        hour = _hour(notice)
        self._unbinds[hour] = self._out.unbinds[hour] = self._unbinds.get(hour, 0) + 1

    def _undo(self, case: Source, notice: ReleaseNotice) -> None:
        held = [one for one in self._touches.get(case, {}).values() if one.held is not Held.NOTHING]
        if all([self._put_back(touch, notice) for touch in held]) and held:
            self._say(case, Outcome.REINSTATED)

    def _put_back(self, touch: Touch, notice: ReleaseNotice) -> bool:
        """Undo one touch; whether that is done with."""
        if touch.held is not Held.VANISHED:
            done = self._rules.act(Deed.REINSTATE, touch.account_id, notice)
            if done is not Done.DONE:
                self._refused(done)
                return False
            account = self._accounts.get(touch.account_id)
            if account is not None:
                self._restore(touch, account)
            self.counts.reinstated += 1
        self._put(touch._replace(outcome=Outcome.REINSTATED, held=Held.NOTHING))
        return True

    def _restore(self, touch: Touch, account: Account) -> None:
        """Put an account back, but never over what its owner has done with it since."""
        if touch.held is Held.FREEZE:
            self._leave(touch, Binding.AS_BEFORE if account.number == touch.number else Binding.THAWED)
        elif account.number is None:
            self._leave(touch, Binding.AS_BEFORE)

    def _leave(self, touch: Touch, binding: Binding) -> None:
        name = touch.account_id
        self._out.effects[name] = Effect(name, binding, touch.snapshot)
        account = self._accounts[name]
        if binding is Binding.UNBOUND:
            self._bound.get(touch.number, set()).discard(name)
            account = account._replace(number=None)
        elif binding is not Binding.THAWED:
            self._bound.setdefault(touch.number, set()).add(name)
            account = account._replace(number=touch.number, bound_at=touch.bound_at)
        if binding is not Binding.FROZEN:
            account = account._replace(snapshot=touch.snapshot)
        self._accounts[name] = account

    def _put(self, touch: Touch) -> None:
        self._remember(touch)
        self._out.touches[touch.case, touch.account_id] = touch

    def _remember(self, touch: Touch) -> None:
        self._touches.setdefault(touch.case, {})[touch.account_id] = touch
        holder = self._freezes.get(touch.account_id)
        if touch.held is Held.FREEZE:
            self._freezes[touch.account_id] = touch
        elif holder is not None and holder.case == touch.case:
            del self._freezes[touch.account_id]

    def _say(self, case: Source, outcome: Outcome) -> None:
        key = SaidKey(case.partition, case.offset // SEGMENT, outcome)
        self._out.said.setdefault(key, BitMap()).add(case.offset % SEGMENT)

    def _unsay(self, opener: Source) -> None:
        bits = self._out.said.get(SaidKey(opener.partition, opener.offset // SEGMENT, Outcome.NOT_BOUND))
        if bits is not None:
            bits.discard(opener.offset % SEGMENT)

    def _say_range(self, partition: int, first: int, last: int) -> None:
        for segment, start, stop in _by_segment(first, last):
            key = SaidKey(partition, segment, Outcome.NOT_BOUND)
            self._out.said.setdefault(key, BitMap()).add_range(start, stop)


def _deed(notice: ReleaseNotice, account: Account) -> Deed:
    freeze = notice.stage is Stage.COOLING or account.bound_at is None
    return Deed.FREEZE if freeze else Deed.UNBIND


def _together(touches: dict[str, Touch]) -> Outcome | None:
    outcomes = {touch.outcome for touch in touches.values()}
    return next((one for one in ANSWER_ORDER if one in outcomes), None)


def _by_segment(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The segments of the offsets first..last, each with its first bit and the bit after its last."""
    for segment in range(first // SEGMENT, last // SEGMENT + 1):
        base = segment * SEGMENT
        yield segment, max(first - base, 0), min(last + 1 - base, SEGMENT)
