"""The login check: is the person with this number still the one the account belongs to?

Answered locally, from the record that the adapter keeps beside the accounts (`hub.sdk.last_cases`): no request leaves
the platform, and nobody learns which number was asked about. The rules are in `hub.sdk.login.rules`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Engine

from hub.clock import system_clock
from hub.core.numbers import is_e164
from hub.sdk.last_cases import Evidence, Index
from hub.sdk.login.rules import Knowledge, advise, answer, may_begin_anew
from hub.sdk.login.words import EVERYBODY, Advice, Answer, Operation, Reason, Recycled, Signals
from hub.sdk.numbering import NumberForm
from hub.sdk.stores.sql_index import PREFIX, SqlIndex
from hub.wire.contracts import partition_of

__all__ = [
    "EVERYBODY",
    "Advice",
    "Answer",
    "LoginCheck",
    "LoginCheckSettings",
    "Operation",
    "Reason",
    "Recycled",
    "Signals",
    "Verdict",
]

NO_SIGNALS = Signals()


@dataclass(frozen=True)
class LoginCheckSettings:
    """How one login check answers."""

    behind_max_s: float = 60.0
    """After this long without word that the adapter heard everything, no becomes unknown. Word comes every 5 s."""

    evidence_kept_s: float = 1.0
    """How long what the record rests on is kept in memory. Older it can only be more careful."""

    served: Mapping[str, int] = field(default_factory=dict)
    """Prefixes of E.164 numbers whose operators tell the hub, each with since when (UTC milliseconds). Bindings of
    other numbers, or from before, are unknown; so is all where nobody said (`EVERYBODY`: every number's)."""

    form: NumberForm | None = None
    """How the platform writes numbers; None: E.164 and nothing else."""

    clock: Callable[[], int] = field(default=system_clock)
    """Now, UTC milliseconds."""


class Verdict(NamedTuple):
    """The answer, and what to do.

    `may_begin_anew`: whoever has no other proof may be given a new account with the number. False while the old
    owner may still have the number restored.
    """

    answer: Answer
    advice: Advice
    may_begin_anew: bool


class LoginCheck:
    """Answers logins. May be asked from any number of threads; makes no table and changes nothing.

    Args:
        source: the database the adapter keeps its tables in, or the adapter's store.
        prefix: of the adapter's tables.
        index_key: the record's key, if it is kept outside the database.
    """

    def __init__(
        self,
        source: Engine | Index,
        settings: LoginCheckSettings | None = None,
        *,
        prefix: str = PREFIX,
        index_key: bytes | None = None,
    ) -> None:
        self.settings = settings or LoginCheckSettings()
        self._index: Index = SqlIndex(source, prefix, index_key) if isinstance(source, Engine) else source
        self._evidence = Evidence()
        self._read_again_at = float("-inf")

    def is_recycled(self, number: str, bound_since: int | None) -> Answer:
        """Whether a number went to somebody else, or is on the way there, since an account was bound to it.

        Args:
            number: as the platform writes it (`LoginCheckSettings.form`).
            bound_since: since when the platform knows the number to be this user's; UTC milliseconds, or None.

        Raises:
            PlatformError: the record was begun with another key.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer. Treat it as unknown.
        """
        evidence = self.evidence()
        e164 = self._e164(number)
        if e164 is None:
            return Answer(Reason.NOT_A_NUMBER, as_of=evidence.caught_up_at)
        since = self._since(e164, evidence)
        last = self._index.last_case(e164) if evidence.since else None
        known = Knowledge(last, since, evidence.caught_up_at)
        served = self._served_since(e164) is not None
        behind_max_ms = int(self.settings.behind_max_s * 1_000)
        return answer(bound_since, known, self.settings.clock(), behind_max_ms, served=served)

    def check(
        self, number: str, bound_since: int | None, operation: Operation, signals: Signals = NO_SIGNALS
    ) -> Verdict:
        """The answer, and what to do about the person who has just shown that the number is in their hands.

        Args and raises: as `is_recycled`.
        """
        found = self.is_recycled(number, bound_since)
        return Verdict(found, advise(operation, signals, found), may_begin_anew(found))

    def evidence(self) -> Evidence:
        """What the answers rest on, at most `evidence_kept_s` old."""
        now_s = time.monotonic()
        if now_s >= self._read_again_at:
            # Two threads may both read it: the same, and no lock on the way of every login.
            self._evidence = self._index.evidence()
            self._read_again_at = now_s + self.settings.evidence_kept_s
        return self._evidence

    def last_case_until(self, number: str) -> float | None:
        """Up to when nobody but earlier owners had a number: infinite while nobody has it, None if nothing is known.

        UTC milliseconds; for the shape of CAMARA, which asks for a day and not for a binding.
        """
        e164 = self._e164(number)
        last = self._index.last_case(e164) if e164 is not None and self.evidence().since else None
        if last is None:
            return None
        if not last.in_force:
            return last.earlier_until
        own = float("inf") if last.free_until is None else float(last.free_until)
        return max(own, last.earlier_until or own)

    def _e164(self, number: str) -> str | None:
        form = self.settings.form
        read = number if form is None else form.read(number)
        return read if read is not None and is_e164(read) else None

    def _since(self, number: str, evidence: Evidence) -> int | None:
        """When the evidence of a number begins: its partition's, or its operator's if that came later."""
        if evidence.caught_up_at is None or not evidence.since:
            return None  # only then all partitions are there, and their count is known
        since = evidence.since.get(partition_of(number.encode(), len(evidence.since)))
        told = self._served_since(number)
        return since if since is None or told is None else max(since, told)

    def _served_since(self, number: str) -> int | None:
        served = self.settings.served
        found = [prefix for prefix in served if number.startswith(prefix)]
        return served[max(found, key=len)] if found else None
