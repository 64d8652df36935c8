"""Accounts, what a case did to them, and the seam behind which a platform keeps both.

A store holds, besides the accounts, the adapter's own records: how far each partition was heard (`Place`), the stage
of every case (`Known.stages`), what each case touched (`Touch`), and what is still to be acknowledged (`Outbox`).
One transaction changes accounts and records together, so a crash leaves both or neither. A store decides nothing:
`hub.sdk.adapter.acting` does, and says what to write as `Changes`.

A store has one writer: one adapter at a time, from one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pyroaring import BitMap

from hub.core.model import Outcome, ReleaseNotice, Source
from hub.sdk.last_cases import NONE, LastCase

if TYPE_CHECKING:
    from hub.sdk.deeds import Ask, AskKey, Retry

ELSEWHERE = "elsewhere"
"""In place of an account's number: bound, but to none of the numbers asked for."""


class Done(StrEnum):
    """What the platform says to a deed."""

    DONE = "DONE"
    FAILED = "FAILED"
    """It did not work; it is tried again after a while (`hub.sdk.deeds.Retry`), and at the case's next stage."""

    DECLINED = "DECLINED"
    """It is not done, on a stated legal basis; asked again at the next stage."""


class Held(StrEnum):
    """What a case has a hold of in an account, and so can undo."""

    NOTHING = "NOTHING"
    FREEZE = "FREEZE"
    UNBINDING = "UNBINDING"
    VANISHED = "VANISHED"
    """The platform or its user ended the binding in the meantime: nothing to undo, but the case had touched it."""


class Binding(StrEnum):
    """How a store is to leave an account. Each says everything, so that only the last one of a batch is written."""

    FROZEN = "FROZEN"
    """Bound as in the snapshot, and frozen."""

    UNBOUND = "UNBOUND"
    """Without the number; the freeze as in the snapshot, because it is the number that could not log in."""

    AS_BEFORE = "AS_BEFORE"
    """Bound and frozen as in the snapshot."""

    THAWED = "THAWED"
    """The freeze as in the snapshot, the number as it now is."""


class Account(NamedTuple):
    """One account. `number`: E.164, None if it has none, or ELSEWHERE.

    `bound_at`: UTC milliseconds, None if unknown. `snapshot`: whatever the store needs to put the account back as
    it is now; nobody else reads it.
    """

    account_id: str
    number: str | None
    bound_at: int | None
    snapshot: str


class Touch(NamedTuple):
    """What one case did to one account. `snapshot`: the account before the first case froze or unbound it."""

    case: Source
    account_id: str
    outcome: Outcome
    held: Held
    number: str
    bound_at: int | None
    snapshot: str


class Effect(NamedTuple):
    """How to leave one account. `number` and `bound_at`: its binding before the first case that holds it."""

    account_id: str
    binding: Binding
    snapshot: str
    number: str
    bound_at: int | None


class Place(NamedTuple):
    """How far one partition of `releases` was heard: the next offset, and the last folded source (-1: none)."""

    next_offset: int = 0
    last_source: int = -1


class Progress(NamedTuple):
    """How far a store has heard. `log_id`: whose positions these are, None before the first notice."""

    log_id: bytes | None
    places: dict[int, Place]


class Waiting(NamedTuple):
    """What one partition has to acknowledge: up to where, and the greatest `published_at` among it."""

    through: int
    digest: bytes
    published_at: int

    def after(self, before: Waiting | None) -> Waiting:
        """This one, with what had been waiting before it; of the two the one that reaches further."""
        if before is None:
            return self
        furthest = before if before.through > self.through else self
        return furthest._replace(published_at=max(self.published_at, before.published_at))


class SaidKey(NamedTuple):
    """One outcome in one segment of 65,536 positions of one partition."""

    partition: int
    segment: int
    outcome: Outcome


class Outbox(NamedTuple):
    """What is committed and not yet acknowledged: `waiting` by partition, positions within the segment by key."""

    log_id: bytes | None
    waiting: dict[int, Waiting]
    said: dict[SaidKey, BitMap]


class HeardNotice(NamedTuple):
    """One notice as it lies in `releases`. `acting` False: receive it and do nothing.

    `again`: it was handled before and something failed; only what failed is tried again.
    """

    position: Source
    notice: ReleaseNotice
    digest: bytes
    acting: bool = True
    again: bool = False


class Wanted(NamedTuple):
    """What a batch needs to know of a store. `since_hour`: of the fuse's counts, hours since 1970.

    `numbers`: those acted on; `subjects`: all that notices are about.
    """

    partitions: frozenset[int]
    segments: frozenset[tuple[int, int]]
    numbers: frozenset[str]
    cases: frozenset[Source]
    since_hour: int
    subjects: frozenset[str] = frozenset()


class Known(NamedTuple):
    """What a store knows of what was wanted.

    `accounts` by id: those bound to a wanted number now, and those the touches are of, if they still exist.
    `touches` by case and account: all of the wanted cases, and every freeze held on one of the accounts.
    `stages` by partition and segment: one byte a position (`hub.sdk.adapter.acting`). `unbinds` by hour since 1970.
    `last_cases` of the wanted subjects, as far as the record goes back.
    `retries`: of the wanted cases.
    """

    log_id: bytes | None
    places: dict[int, Place]
    stages: dict[tuple[int, int], bytes]
    accounts: dict[str, Account]
    touches: dict[tuple[Source, str], Touch]
    unbinds: dict[int, int]
    last_cases: Mapping[str, LastCase] = NONE
    retries: Mapping[Source, Retry] = NONE


class Changes(NamedTuple):
    """What to write, all of it or nothing. Everything replaces what was there, but `said` is added
    to it, `waiting` comes `after` it, and of `evidence` the first counts.

    `evidence`: by partition, from which time on everything of it was heard. `caught_up_at`: when the adapter was at
    the end of all partitions. Both UTC milliseconds, for the login check.
    `retries`: None for a case that is not to be tried again. `done_with`: undone cases that hold nothing any more;
    their touches go. `asked_of`: cases looked at beside the log; what was asked for them is done with this.
    """

    log_id: bytes | None
    places: dict[int, Place]
    stages: dict[tuple[int, int], bytes]
    effects: dict[str, Effect]
    touches: dict[tuple[Source, str], Touch]
    unbinds: dict[int, int]
    waiting: dict[int, Waiting]
    said: dict[SaidKey, BitMap]
    retries: Mapping[Source, Retry | None] = NONE
    done_with: frozenset[Source] = frozenset()
    asked_of: frozenset[Source] = frozenset()
    last_cases: Mapping[str, LastCase] = NONE
    evidence: Mapping[int, int] = NONE
    caught_up_at: int | None = None


class Readability(NamedTuple):
    """How many bound rows a store has, and how many numbers among them it cannot read."""

    rows: int
    unreadable: int

    @property
    def share(self) -> float:
        """The unreadable share, 0 to 1; 0 of an empty store."""
        return self.unreadable / self.rows if self.rows else 0.0


class Session(Protocol):
    """One transaction of a store."""

    def load(self, wanted: Wanted) -> Known:
        """What the store knows of what is wanted."""
        ...

    def ask(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:
        """Have these deeds done by the platform itself, in their order, if it has a part in them.

        Returns:
            Those that it failed at or declined.
        """
        ...

    def save(self, changes: Changes) -> None:
        """Write the changes; they count once the transaction ends well.

        Raises:
            AccountsRefused: some accounts cannot be left as said; nothing of the transaction is to count.
        """
        ...


class AccountStore(Protocol):
    """Where a platform keeps its accounts. Its implementations: `hub.sdk.stores`."""

    def readability(self) -> Readability:
        """Read every bound number once and count those that cannot be read."""
        ...

    def progress(self) -> Progress:
        """How far each partition was heard."""
        ...

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction: kept if the block ends well, undone if it raises."""
        ...

    def outbox(self) -> Outbox:
        """What is committed and not yet acknowledged."""
        ...

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held: the broker has it."""
        ...

    def due(self, now_ms: int, most: int) -> list[Retry]:
        """Cases whose time to be tried again has come, the longest due first."""
        ...


Batch = Sequence[HeardNotice]
