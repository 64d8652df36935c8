"""A store that shows what would happen: it reads from another one and keeps everything it is to write to itself.

What it would have done in one batch it remembers in the next, so a dry run counts what a real one would, and the
store beneath is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hub.core.model import Source
from hub.sdk.accounts import (
    Account,
    AccountStore,
    Binding,
    Changes,
    Done,
    Known,
    Outbox,
    Place,
    Progress,
    Readability,
    Touch,
    Wanted,
)
from hub.sdk.asking import Ask, AskKey, Retry
from hub.sdk.last_cases import LastCase


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
    """Implements `hub.sdk.accounts.AccountStore` over another one, which it never writes to."""

    def __init__(self, beneath: AccountStore) -> None:
        self.beneath = beneath
        self._log_id: bytes | None = None
        self._places: dict[int, Place] = {}
        self._stages: dict[tuple[int, int], bytes] = {}
        self._accounts: dict[str, Account] = {}
        self._touches: dict[tuple[Source, str], Touch] = {}
        self._unbinds: dict[int, int] = {}
        self._last_cases: dict[str, LastCase] = {}
        self._done_with: set[Source] = set()

    def readability(self) -> Readability:
        """The other store's."""
        return self.beneath.readability()

    def progress(self) -> Progress:
        """How far each partition would have been heard."""
        real = self.beneath.progress()
        return Progress(self._log_id or real.log_id, real.places | self._places)

    @contextmanager
    def transaction(self) -> Iterator[_DrySession]:
        """A transaction that leads nowhere."""
        yield _DrySession(self)

    def outbox(self) -> Outbox:
        """Nothing: what was not done is not acknowledged."""
        return Outbox(None, {}, {})

    def acknowledged(self, outbox: Outbox) -> None:
        """Nothing to forget."""

    def due(self, now_ms: int, most: int) -> list[Retry]:  # noqa: ARG002 - an `AccountStore`
        """Nothing: what was not done did not fail."""
        return []

    def seen(self, real: Known, wanted: Wanted) -> Known:
        """What the other store knows, as it would be by now."""
        accounts = real.accounts | {
            name: one for name, one in self._accounts.items() if name in real.accounts or one.number in wanted.numbers
        }
        touches = real.touches | {
            key: one for key, one in self._touches.items() if key[0] in wanted.cases or key[1] in accounts
        }
        touches = {key: one for key, one in touches.items() if key[0] not in self._done_with}
        return Known(
            log_id=self._log_id or real.log_id,
            places=real.places | self._places,
            stages=real.stages | {key: self._stages[key] for key in wanted.segments if key in self._stages},
            accounts=accounts,
            touches=touches,
            unbinds=real.unbinds | self._unbinds,
            last_cases=dict(real.last_cases)
            | {one: self._last_cases[one] for one in wanted.subjects if one in self._last_cases},
        )

    def keep(self, changes: Changes) -> None:
        """Remember what would have been written."""
        self._log_id = changes.log_id
        self._places |= changes.places
        self._stages |= changes.stages
        self._touches |= changes.touches
        self._unbinds |= changes.unbinds
        self._last_cases |= changes.last_cases
        self._done_with |= changes.done_with
        for effect in changes.effects.values():
            name = effect.account_id
            if effect.binding is Binding.THAWED:
                self._accounts.pop(name, None)
            else:
                number = None if effect.binding is Binding.UNBOUND else effect.number
                self._accounts[name] = Account(name, number, effect.bound_at, effect.snapshot)
