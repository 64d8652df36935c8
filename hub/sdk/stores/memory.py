"""This module keeps accounts in dictionaries, for worlds, tests and small tools. They are gone when the process ends.

A transaction changes the store's dictionaries only at its end, all at once; a block that raises has changed nothing.
For example, `MemoryStore([("u1", "+8613800138000", 1_700_000_000_000)])` holds one account.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock

from pyroaring import BitMap

from hub.core.model import Source
from hub.sdk.accounts import (
    Account,
    Binding,
    Changes,
    Done,
    Effect,
    Known,
    Outbox,
    Place,
    Progress,
    Readability,
    SaidKey,
    Waiting,
    Wanted,
)
from hub.sdk.deeds import AccountsRefused, Ask, AskKey, Retry
from hub.sdk.last_cases import Evidence, LastCase
from hub.sdk.ledger import TouchLedger
from hub.sdk.numbering import International, NumberForm
from hub.sdk.stores.deeds import log_done
from hub.sdk.stores.matching import bound, count, is_of, sought
from hub.sdk.stores.memory_fuse import MemoryFuses

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MemoryAccount:
    """This is one account as its platform keeps it. `number` is as written, None when unbound; times are UTC ms.

    `proven_at` is when a code on a known device last proved the number.
    """

    number: str | None
    bound_at: int | None = None
    frozen: bool = False
    proven_at: int | None = None


class MemorySession:
    """This implements `hub.sdk.accounts.Session`; what is saved waits for the end."""

    def __init__(self, store: MemoryStore) -> None:
        self.saved: list[Changes] = []
        self.asked: list[Ask] = []
        self._store = store
        self._known: set[str] = set()

    def load(self, wanted: Wanted) -> Known:
        """Return what the store knows of what is wanted."""
        known = self._store.known(wanted)
        self._known |= known.accounts.keys()
        return known

    def ask(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:
        """Note the deeds; nobody is asked, because what is saved is all there is to do."""
        self.asked += asks
        return {}

    def save(self, changes: Changes) -> None:
        """Keep the changes, to be written at the end of the transaction."""
        taken = self._store.taken(changes.effects, self._known)
        if taken:
            raise AccountsRefused(frozenset(), taken)
        self.saved.append(changes)


class MemoryStore:
    """This implements `hub.sdk.accounts.AccountStore` and `Index`.

    Args:
        accounts: (account id, number as written, bound_at in UTC milliseconds or None) for each account.
        form: how the numbers are written.
    """

    def __init__(
        self, accounts: Iterable[tuple[str, str | None, int | None]] = (), form: NumberForm | None = None
    ) -> None:
        self._form = form or International()
        self._lock = RLock()
        self._accounts: dict[str, MemoryAccount] = {}
        self._by_number: dict[str, set[str]] = {}
        self._log_id: bytes | None = None
        self._places: dict[int, Place] = {}
        self._stages: dict[tuple[int, int], bytes] = {}
        self._ledger = TouchLedger()
        self._retries: dict[Source, Retry] = {}
        self.fuses = MemoryFuses(self._lock)
        self._life_since: dict[Source, int] = {}
        self._waiting: dict[int, Waiting] = {}
        self._said: dict[SaidKey, BitMap] = {}
        self._last_cases: dict[str, LastCase] = {}
        self._evidence = Evidence()
        for account_id, number, bound_at in accounts:
            self.put(account_id, MemoryAccount(number, bound_at))

    def get(self, account_id: str) -> MemoryAccount | None:
        """Return one account, or None."""
        return self._accounts.get(account_id)

    def put(self, account_id: str, account: MemoryAccount | None) -> None:
        """Set an account, or delete it with None, as its platform would."""
        with self._lock:
            before = self._accounts.pop(account_id, None)
            if before is not None and before.number is not None:
                self._by_number[before.number].discard(account_id)
            if account is None:
                return
            self._accounts[account_id] = account
            if account.number is not None:
                self._by_number.setdefault(account.number, set()).add(account_id)

    def readability(self) -> Readability:
        """Read every bound number and count those that cannot be read."""
        rows = [one.number for one in self._accounts.values() if one.number is not None]
        return count(self._form, rows)

    def progress(self) -> Progress:
        """Return how far each partition was heard."""
        return Progress(self._log_id, dict(self._places))

    @contextmanager
    def transaction(self) -> Iterator[MemorySession]:
        """Open a transaction, which is written at its end if it ends well."""
        session = MemorySession(self)
        with self._lock:  # nobody binds a number between what is read and what is written
            yield session
            for changes in session.saved:
                self._write(changes)
        log_done(log, session.asked)

    def outbox(self) -> Outbox:
        """Return what is committed and not yet acknowledged."""
        return Outbox(self._log_id, dict(self._waiting), {key: bits.copy() for key, bits in self._said.items()})

    def acknowledged(self, outbox: Outbox) -> None:
        """Forget exactly what this outbox held."""
        for partition, waiting in outbox.waiting.items():
            if self._waiting.get(partition) == waiting:
                del self._waiting[partition]
        for key, bits in outbox.said.items():
            left = self._said.pop(key, BitMap()) - bits
            if left:
                self._said[key] = left

    def last_case(self, number: str) -> LastCase | None:
        """Return the last case of a number."""
        return self._last_cases.get(number)

    def evidence(self) -> Evidence:
        """Return how far the record goes back and how new it is."""
        return self._evidence

    def due(self, now_ms: int, most: int) -> list[Retry]:
        """Return cases whose time to be tried again has come."""
        found = (one for one in self._retries.values() if one.due_at <= now_ms)
        return sorted(found, key=lambda one: one.due_at)[:most]

    def known(self, wanted: Wanted) -> Known:
        """Return what the store knows of what is wanted."""
        number_of = sought(self._form, wanted.numbers)
        names = {name for text in number_of for name in self._by_number.get(text, ())}
        touches = [touch for case in wanted.cases for touch in self._ledger.of(case).values()]
        names |= {touch.account_id for touch in touches}
        touches += [freeze for name in names if (freeze := self._ledger.freeze_on(name)) is not None]
        return Known(
            log_id=self._log_id,
            places={one: self._places[one] for one in wanted.partitions if one in self._places},
            stages={one: self._stages[one] for one in wanted.segments if one in self._stages},
            accounts={name: self._account(name, number_of) for name in names if name in self._accounts},
            touches={(touch.case, touch.account_id): touch for touch in touches},
            spent=self.fuses.spent(wanted.operators, wanted.since_hour),
            last_cases={one: self._last_cases[one] for one in wanted.subjects if one in self._last_cases},
            retries={case: self._retries[case] for case in wanted.cases if case in self._retries},
            held={case: self.fuses.held[case] for case in wanted.cases if case in self.fuses.held},
            blown=self.fuses.blown(wanted.operators),
            life_since={case: self._life_since[case] for case in wanted.cases if case in self._life_since},
        )

    def taken(self, effects: Mapping[str, Effect], known: Collection[str]) -> frozenset[str]:
        """Return the accounts of effects that put on a number which somebody holds who is not among the known."""
        puts = {
            name: effect.number
            for name, effect in effects.items()
            if effect.binding in (Binding.AS_BEFORE, Binding.FROZEN)
            and (now := self._accounts.get(name)) is not None
            and now.number is None
        }
        holders = {
            number: {name for text in self._form.sought(number) for name in self._by_number.get(text, ())}
            for number in set(puts.values())
        }
        return frozenset(name for name, number in puts.items() if holders[number] - set(known))

    def _account(self, name: str, number_of: dict[str, str]) -> Account:
        kept = self._accounts[name]
        snapshot = json.dumps([kept.number, kept.bound_at, kept.frozen])
        if kept.number is None:
            return Account(name, None, kept.bound_at, snapshot, kept.proven_at)
        found = bound(self._form, kept.number, number_of)
        return Account(name, found.number, kept.bound_at, snapshot, kept.proven_at, found.may_be)

    def _write(self, changes: Changes) -> None:
        left = {effect.account_id: self._left(effect) for effect in changes.effects.values()}
        self._log_id = changes.log_id
        self._places |= changes.places
        self._stages |= changes.stages
        self.fuses.save(changes)
        self._life_since |= changes.life_since
        for name, account in left.items():
            if account is not None:
                self.put(name, account)
        for case in changes.done_with:
            self._ledger.forget(case)
            self._life_since.pop(case, None)
        for touch in changes.touches.values():
            self._ledger.put(touch)
        for case, retry in changes.retries.items():
            self._retries.pop(case, None)
            if retry is not None:
                self._retries[case] = retry
        for partition, waiting in changes.waiting.items():
            self._waiting[partition] = waiting.after(self._waiting.get(partition))
        for key, bits in changes.said.items():
            self._said[key] = self._said.get(key, BitMap()) | bits
        self._last_cases.update(changes.last_cases)
        since, at = {**changes.evidence, **self._evidence.since}, changes.caught_up_at
        self._evidence = Evidence(self._evidence.caught_up_at if at is None else at, since)

    def _left(self, effect: Effect) -> MemoryAccount | None:
        now = self._accounts.get(effect.account_id)
        number, bound_at, frozen = json.loads(effect.snapshot)
        if not is_of(self._form, number, effect.number):
            number, bound_at = self._form.plainest(effect.number), effect.bound_at  # it had moved to this number
        if now is None:
            return None
        if effect.binding in (Binding.UNBOUND, Binding.WITHOUT_NUMBER):
            return replace(now, number=None, frozen=frozen)
        if effect.binding is not Binding.THAWED and now.number is None:
            now = replace(now, number=number, bound_at=bound_at)
        return replace(now, frozen=effect.binding is Binding.FROZEN or frozen)
