"""This module is a store that shows what would happen: it reads another store, and keeps its own writes apart.

What it would have done in one batch it remembers in the next, so a dry run counts what a real one would, and the
other store is only read. What it remembers is on the disk (`hub.sdk.stores.scratch`). For example, an account that
COOLING would freeze in one batch counts as frozen when RELEASED comes in the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hub.sdk.accounts import (
    Account,
    AccountStore,
    Binding,
    Changes,
    Done,
    Effect,
    Held,
    Known,
    Outbox,
    Place,
    Progress,
    Readability,
    Wanted,
)
from hub.sdk.deeds import Ask, AskKey, Retry
from hub.sdk.fuses import FuseBook
from hub.sdk.stores.scratch import Scratch


class _DrySession:
    def __init__(self, run: DryRun) -> None:
        self._run = run

    def load(self, wanted: Wanted) -> Known:
        with self._run.beneath.transaction() as session:
            return self._run.seen(session.load(wanted), wanted)

    def ask(self, asks: Sequence[Ask]) -> dict[AskKey, Done]:  # noqa: ARG002 - a `Session`
        return {}

    def save(self, changes: Changes) -> None:
        self._run.keep(changes)


class DryRun:
    """This implements `hub.sdk.accounts.AccountStore` over another store, to which it never writes."""

    def __init__(self, beneath: AccountStore) -> None:
        self.beneath = beneath
        self._log_id: bytes | None = None
        self._places: dict[int, Place] = {}
        self._scratch = Scratch()

    @property
    def fuses(self) -> FuseBook:
        """Return the other store's; a dry run has no fuse and changes none."""
        return self.beneath.fuses

    def readability(self) -> Readability:
        """Return the readability of the other store."""
        return self.beneath.readability()

    def progress(self) -> Progress:
        """Return how far each partition would have been heard."""
        real = self.beneath.progress()
        return Progress(self._log_id or real.log_id, real.places | self._places)

    @contextmanager
    def transaction(self) -> Iterator[_DrySession]:
        """Open a transaction that writes nothing to the other store."""
        yield _DrySession(self)

    def outbox(self) -> Outbox:
        """Return an empty outbox, because what was not done is not acknowledged."""
        return Outbox(None, {}, {})

    def acknowledged(self, outbox: Outbox) -> None:
        """Do nothing, because there is nothing to forget."""

    def due(self, now_ms: int, most: int) -> list[Retry]:  # noqa: ARG002 - an `AccountStore`
        """Return nothing, because what was not done did not fail."""
        return []

    def seen(self, real: Known, wanted: Wanted) -> Known:
        """Return what the other store knows, as it would be by now."""
        scratch = self._scratch
        kept = scratch.accounts(real.accounts, wanted.numbers)
        proven_at = {name: one.proven_at for name, one in real.accounts.items()}
        accounts = real.accounts | {name: one._replace(proven_at=proven_at.get(name)) for name, one in kept.items()}
        touches = real.touches | scratch.touches(wanted.cases, accounts)
        done_with = scratch.done_with({case for case, _ in touches})
        return Known(
            log_id=self._log_id or real.log_id,
            places=real.places | self._places,
            stages=real.stages | scratch.stages(wanted.segments),
            accounts=accounts,
            touches={key: one for key, one in touches.items() if key[0] not in done_with or one.held is Held.TAKEN},
            spent={},  # a dry run has no fuse
            life_since=dict(real.life_since) | scratch.life_since(wanted.cases),
            last_cases=dict(real.last_cases) | scratch.last_cases(wanted.subjects),
        )

    def keep(self, changes: Changes) -> None:
        """Remember what would have been written."""
        self._log_id = changes.log_id
        self._places |= changes.places
        thawed = [one.account_id for one in changes.effects.values() if one.binding is Binding.THAWED]
        left = [_left(one) for one in changes.effects.values() if one.binding is not Binding.THAWED]
        self._scratch.keep(changes, left, thawed)


def _left(effect: Effect) -> Account:
    number = None if effect.binding in (Binding.UNBOUND, Binding.WITHOUT_NUMBER) else effect.number
    return Account(effect.account_id, number, effect.bound_at, effect.snapshot)
