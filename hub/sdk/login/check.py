"""This module answers whether the person with a number is still the one to whom the account belongs.

It answers locally, from the record that the adapter keeps beside the accounts (`hub.sdk.last_cases`): no request leaves
the platform, and nobody learns which number was asked about. The rules are in `hub.sdk.login.rules`. For example,
`LoginCheck(engine).is_recycled("+8613800138000", bound_since)` has `recycled` yes if the number's last case is RELEASED
and `bound_since` is before its `bound_before`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Engine

from hub.clock import system_clock
from hub.core.model import Stage
from hub.core.numbers import is_e164
from hub.sdk.last_cases import Evidence, Index
from hub.sdk.login.rules import Knowledge, advise, against, answer, may_begin_anew
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
    """These are the settings of one login check."""

    behind_max_s: float = 60.0
    """If the adapter has not said for so long that it heard all notices, "no" becomes unknown. It says so every 5 s."""

    evidence_kept_s: float = 1.0
    """The evidence is kept in memory for so long. With older evidence the answer can only be more careful."""

    served: Mapping[str, int] = field(default_factory=dict)
    """These prefixes of E.164 numbers have operators that tell the hub, each with since when (UTC milliseconds).
    Bindings of other numbers, or from before, are unknown; if none is given, all are (`EVERYBODY` means every
    number)."""

    form: NumberForm | None = None
    """This is how the platform writes numbers; None means E.164 and nothing else."""

    clock: Callable[[], int] = field(default=system_clock)
    """This gives the present time, UTC milliseconds."""


class Verdict(NamedTuple):
    """This is the answer, and what to do.

    `may_begin_anew` says whether a person without another proof may be given a new account with the number. It is False
    while the old owner may still have the number restored.
    """

    answer: Answer
    advice: Advice
    may_begin_anew: bool


class LoginCheck:
    """This answers logins. Any number of threads may ask it; it makes no table and changes nothing.

    Args:
        source: the database in which the adapter keeps its tables, or the adapter's store.
        prefix: the prefix of the adapter's tables.
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
        """Return whether a number went to somebody else, or is on the way there, since an account was bound to it.

        Args:
            number: the number as the platform writes it (`LoginCheckSettings.form`).
            bound_since: since when the platform knows the number to be this user's; UTC milliseconds, or None.

        Raises:
            PlatformError: the record was begun with another key.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer. Treat it as unknown.
        """
        evidence = self.evidence()
        numbers = self._numbers(number)
        if not numbers:
            return Answer(Reason.NOT_A_NUMBER, as_of=evidence.caught_up_at)
        if len(numbers) > 1:
            return Answer(Reason.AMBIGUOUS, self._doubt(numbers, bound_since), as_of=evidence.caught_up_at)
        e164 = numbers[0]
        since = self._since(e164, evidence)
        last = self._index.last_case(e164) if evidence.since else None
        known = Knowledge(last, since, evidence.caught_up_at)
        served = self._served_since(e164) is not None
        behind_max_ms = int(self.settings.behind_max_s * 1_000)
        return answer(bound_since, known, self.settings.clock(), behind_max_ms, served=served)

    def check(
        self, number: str, bound_since: int | None, operation: Operation, signals: Signals = NO_SIGNALS
    ) -> Verdict:
        """Return the answer, and what to do about the person who has just shown that the number is in their hands.

        It takes and raises the same as `is_recycled`.
        """
        found = self.is_recycled(number, bound_since)
        return Verdict(found, advise(operation, signals, found), may_begin_anew(found))

    def evidence(self) -> Evidence:
        """Return what the answers rest on, at most `evidence_kept_s` old."""
        now_s = time.monotonic()
        if now_s >= self._read_again_at:
            # Two threads may both read it: they read the same, and no login has to wait for a lock.
            self._evidence = self._index.evidence()
            self._read_again_at = now_s + self.settings.evidence_kept_s
        return self._evidence

    def last_case_until(self, number: str) -> float | None:
        """Return the time up to which only earlier owners had a number: infinite while nobody has it, None if unknown.

        It is in UTC milliseconds, for the interface of CAMARA, which asks for a day and not for a binding.
        """
        numbers = self._numbers(number)
        last = self._index.last_case(numbers[0]) if len(numbers) == 1 and self.evidence().since else None
        if last is None:
            return None
        if not last.in_force:
            return None if last.earlier_before is None else last.earlier_until
        own = float("inf") if last.free_until is None else float(last.free_until)
        return max(own, last.earlier_until or own)

    def _numbers(self, text: str) -> tuple[str, ...]:
        """Return the E.164 numbers that a text may be: none if it is not a number, several if it is ambiguous."""
        form = self.settings.form
        if form is not None:
            return form.reading(text).numbers
        return (text,) if is_e164(text) else ()

    def _doubt(self, numbers: tuple[str, ...], bound_since: int | None) -> Stage | None:
        """Return the stage of a case of one of the numbers that speaks against a binding, or None."""
        lasts = [self._index.last_case(one) for one in numbers] if self.evidence().since else []
        return next((stage for one in lasts if (stage := against(bound_since, one)) is not None), None)

    def _since(self, number: str, evidence: Evidence) -> int | None:
        """Return when the evidence of a number begins: that of its partition, or of its operator if that came later."""
        if evidence.caught_up_at is None or not evidence.since:
            return None  # otherwise all partitions are there, and their count is known
        since = evidence.since.get(partition_of(number.encode(), len(evidence.since)))
        told = self._served_since(number)
        return since if since is None or told is None else max(since, told)

    def _served_since(self, number: str) -> int | None:
        served = self.settings.served
        found = [prefix for prefix in served if number.startswith(prefix)]
        return served[max(found, key=len)] if found else None
