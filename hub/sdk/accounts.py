"""This module defines accounts, what a case did to them, and the interface behind which a platform keeps both.

A store holds, besides the accounts, the adapter's own records: how far each partition was heard (`Place`), the stage
of every case (`Known.stages`), what each case touched (`Touch`), and what is still to be acknowledged (`Outbox`).
One transaction changes accounts and records together, so a crash leaves both or neither. A store decides nothing:
`hub.sdk.adapter.acting` does, and says what to write as `Changes`.

For example, case 7-120033 freezes account "u1" of +8613800138000: the store writes the `Effect` FROZEN of "u1", and a
`Touch` of 7-120033 and "u1" that holds the freeze and the account's snapshot, from which a restored case puts it back.

A store has one writer: one adapter at a time uses it, from one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pyroaring import BitMap

from hub.core.model import Outcome, ReleaseNotice, Source
from hub.sdk.fuses import FuseBook, FuseKind, HeldCase, SpentKey
from hub.sdk.last_cases import NONE, LastCase
from hub.sdk.outboxes import Outbox as Outbox
from hub.sdk.outboxes import SaidKey as SaidKey
from hub.sdk.outboxes import Waiting as Waiting

if TYPE_CHECKING:
    from hub.sdk.deeds import Ask, AskKey, Retry

ELSEWHERE = "elsewhere"
"""This stands in place of an account's number: the account is bound, but to none of the numbers asked for."""


AMBIGUOUS = "ambiguous"
"""This stands in place of an account's number: it is bound to one of several, and nobody can tell which."""


class Done(StrEnum):
    """This is the platform's answer to a deed."""

    DONE = "DONE"
    FAILED = "FAILED"
    """The deed did not work; it is tried again after a while (`hub.sdk.deeds.Retry`), and at the case's next stage."""

    DECLINED = "DECLINED"
    """The platform does not do it, on a stated legal basis; it is asked again at the next stage."""

    TAKEN = "TAKEN"
    """Only to REINSTATE with `rebind`: another account holds the number by now, and nothing was done. The deed is asked
    for again without the number."""


class Held(StrEnum):
    """This says what a case holds in an account, and so can undo."""

    NOTHING = "NOTHING"
    FREEZE = "FREEZE"
    UNBINDING = "UNBINDING"
    VANISHED = "VANISHED"
    """The platform or its user ended the binding meanwhile: there is nothing to undo, but the case had touched it."""

    TAKEN = "TAKEN"
    """The case is undone, but the account is without its number, which another account holds by now. Its owner comes
    back by another proof. Such a touch is kept for good: it says why the account has no number."""


class Binding(StrEnum):
    """This says how a store is to leave an account. Each member says it all, so only the last of a batch is written."""

    FROZEN = "FROZEN"
    """The account is bound as in the snapshot, and frozen."""

    UNBOUND = "UNBOUND"
    """The account has no number; its freeze is as in the snapshot, because it is the number that could not log in."""

    AS_BEFORE = "AS_BEFORE"
    """The account is bound and frozen as in the snapshot."""

    WITHOUT_NUMBER = "WITHOUT_NUMBER"
    """The account is as in the snapshot, but it has no number, because another account holds that by now."""

    THAWED = "THAWED"
    """The freeze is as in the snapshot, the number as it now is."""


class Account(NamedTuple):
    """This is one account. `number` is in E.164, None if it has none, or ELSEWHERE or AMBIGUOUS.

    `bound_at` is in UTC milliseconds, None if unknown. `snapshot` is whatever the store needs to put the account back
    as it is now; only the store reads it. `proven_at` is when a code on a known device last proved that the number is
    its user's (UTC milliseconds), None if that never was or the platform does not say. `may_be` are the
    numbers, in E.164, of an account that is AMBIGUOUS.
    """

    account_id: str
    number: str | None
    bound_at: int | None
    snapshot: str
    proven_at: int | None = None
    may_be: frozenset[str] = frozenset()


class Touch(NamedTuple):
    """This is what one case did to one account. `snapshot` is the account before the first case froze or unbound it."""

    case: Source
    account_id: str
    outcome: Outcome
    held: Held
    number: str
    bound_at: int | None
    snapshot: str


class Effect(NamedTuple):
    """This says how to leave one account. `number`, `bound_at`: its binding before the first case that holds it."""

    account_id: str
    binding: Binding
    snapshot: str
    number: str
    bound_at: int | None


class Place(NamedTuple):
    """This is how far one partition of `releases` was heard: the next offset, and the last folded source, or -1."""

    next_offset: int = 0
    last_source: int = -1


class Progress(NamedTuple):
    """This is how far a store has heard. `log_id` is the log of these positions, None before the first notice."""

    log_id: bytes | None
    places: dict[int, Place]


class HeardNotice(NamedTuple):
    """This is one notice as it lies in `releases`. If `acting` is False, it is received and nothing is done.

    If `again` is True, it was handled before and something failed, which alone is tried again, or a fuse held it and a
    person decided. If `undone_later` is True, its case is undone further on in the log: nothing is done before that.
    """

    position: Source
    notice: ReleaseNotice
    digest: bytes
    acting: bool = True
    again: bool = False
    undone_later: bool = False


class Wanted(NamedTuple):
    """This is what a batch needs to know of a store.

    `since_hour` is the first hour of the fuses' counts, in hours since 1970, and `operators` are those whose. `numbers`
    are those acted on; `subjects` are all that notices are about.
    """

    partitions: frozenset[int]
    segments: frozenset[tuple[int, int]]
    numbers: frozenset[str]
    cases: frozenset[Source]
    since_hour: int
    subjects: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()


class Known(NamedTuple):
    """This is what a store knows of what was wanted.

    `accounts`, by id, are those bound to a wanted number now, and those of the touches, if they still exist.
    `touches`, by case and account, are all of the wanted cases, and every freeze held on one of the accounts.
    `stages`, by partition and segment, have one byte for each position (`hub.sdk.adapter.casebook`). `spent` are
    the fuses' counts of the wanted operators. `last_cases` are those of the wanted subjects, as far as the record goes
    back. `retries` and `held` are those of the wanted cases. `blown` are the fuses of the wanted operators that hold
    something nobody decided about. `life_since` says of the wanted cases from when on a proof
    of the number speaks against the case (UTC milliseconds), where an account was bound to it when the case opened.
    """

    log_id: bytes | None
    places: dict[int, Place]
    stages: dict[tuple[int, int], bytes]
    accounts: dict[str, Account]
    touches: dict[tuple[Source, str], Touch]
    spent: Mapping[SpentKey, int]
    last_cases: Mapping[str, LastCase] = NONE
    retries: Mapping[Source, Retry] = NONE
    held: Mapping[Source, HeldCase] = NONE
    blown: frozenset[tuple[str, FuseKind]] = frozenset()
    life_since: Mapping[Source, int] = NONE


class Changes(NamedTuple):
    """This is what to write, all of it or nothing. Everything replaces what was there, but `said` is added
    to it, `waiting` is combined with it (`Waiting.after`), and of `evidence` the first value counts.

    `evidence` says, by partition, from which time on everything of it was heard; `caught_up_at` is when the adapter was
    at the end of all partitions. Both are UTC milliseconds, for the login check. `retries` has None for a case that is
    not to be tried again. `done_with` are undone cases that hold nothing any more; their touches are deleted, but for
    those that are in `touches` too.
    `held` has None for a case that no fuse holds any more. `asked_of` are cases looked at beside the log; what was
    asked for them is settled by these changes.
    """

    log_id: bytes | None
    places: dict[int, Place]
    stages: dict[tuple[int, int], bytes]
    effects: dict[str, Effect]
    touches: dict[tuple[Source, str], Touch]
    spent: Mapping[SpentKey, int]
    waiting: dict[int, Waiting]
    said: dict[SaidKey, BitMap]
    retries: Mapping[Source, Retry | None] = NONE
    done_with: frozenset[Source] = frozenset()
    asked_of: frozenset[Source] = frozenset()
    last_cases: Mapping[str, LastCase] = NONE
    evidence: Mapping[int, int] = NONE
    caught_up_at: int | None = None
    held: Mapping[Source, HeldCase | None] = NONE
    life_since: Mapping[Source, int] = NONE


class Readability(NamedTuple):
    """This counts the bound rows of a store, and the numbers among them that it cannot read.

    Of `unreadable`, `ambiguous` are numbers that can be read in several ways; `shapes` shows the most frequent of these
    without their digits, such as `#######: +49##### or +4#######`.
    """

    rows: int
    unreadable: int
    ambiguous: int = 0
    shapes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Return the unreadable share, 0 to 1; it is 0 for an empty store."""
        return self.unreadable / self.rows if self.rows else 0.0


class Session(Protocol):
    """This is one transaction of a store."""

    def load(self, wanted: Wanted) -> Known:
        """Return what the store knows of what is wanted."""
        ...

    def ask(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:
        """Have the platform itself do these deeds, in their order, if it has a part in them.

        Returns:
            The deeds that it failed at or declined, each with its answer.
        """
        ...

    def save(self, changes: Changes) -> None:
        """Write the changes; they count once the transaction ends well.

        Raises:
            AccountsRefused: some accounts cannot be left as said, or another account holds by now a number that was
                to be put back; then nothing of the transaction counts. Nobody can bind the number in between.
        """
        ...


class AccountStore(Protocol):
    """This is where a platform keeps its accounts. The implementations are in `hub.sdk.stores`."""

    @property
    def fuses(self) -> FuseBook:
        """Return the part that keeps what fuses held."""
        ...

    def readability(self) -> Readability:
        """Read every bound number once and count those that cannot be read."""
        ...

    def progress(self) -> Progress:
        """Return how far each partition was heard."""
        ...

    def transaction(self) -> AbstractContextManager[Session]:
        """Return a transaction, which is kept if the block ends well and undone if it raises."""
        ...

    def outbox(self) -> Outbox:
        """Return what is committed and not yet acknowledged."""
        ...

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held, because the broker has it."""
        ...

    def due(self, now_ms: int, most: int) -> list[Retry]:
        """Return cases whose time to be tried again has come, the longest due first, at most `most`."""
        ...


Batch = Sequence[HeardNotice]
