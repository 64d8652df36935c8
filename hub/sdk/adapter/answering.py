"""This module answers an adapter's inbox: it looks again where a report asks for it, and carries out test cases.

An answer is sent after what it says is committed and acknowledged. An adapter that stops in between does it again at
its next start: looking again finds what is left to do, and a test case puts back what it holds. For example, a
`ReportRequest` about 7-120033 is answered with a `ReportAnswer` that says UNBOUND.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from hub.clock import system_clock
from hub.core.model import ReleaseNotice, ReportAnswer, ReportRequest, Source, Trial, TrialResult
from hub.sdk.accounts import AccountStore, HeardNotice
from hub.sdk.adapter.again import TRIAL_STAGES
from hub.sdk.adapter.handling import look, try_out
from hub.sdk.adapter.inbox import Ledger, fresh_trials
from hub.sdk.adapter.plans import Counts, Rules
from hub.sdk.adapter.wire import Wire
from hub.wire.contracts import ANSWERS, RELEASES, decode, encode
from hub.wire.signing import Signer

log = logging.getLogger(__name__)
T = TypeVar("T")


class Answering(NamedTuple):
    """This holds what answering needs. `in_store` runs work on the store's thread; `acknowledge` sends what waits."""

    platform_id: str
    signer: Signer
    store: AccountStore
    rules: Rules
    counts: Counts
    in_store: Callable[[Callable[[], object]], Awaitable[object]]
    acknowledge: Callable[[Wire], Awaitable[None]]
    dry_run: bool
    """In a dry run only test cases are answered, by what would be done."""

    async def step(self, wire: Wire, ledger: Ledger, done: Mapping[int, int]) -> None:
        """Answer everything there is to answer.

        Args:
            done: the next offset to be handled, by partition; a case further on is looked at once it was handled.
        """
        for request in [] if self.dry_run else list(ledger.requests.values()):
            handled = done.get(request.case.partition, 0) > request.case.offset
            if handled and await self._look_again(wire, request):
                ledger.done(request.report_id)
        for trial in fresh_trials(ledger.trials, system_clock()):
            await self._try_out(wire, trial)
            ledger.done(trial.trial_id)

    async def _look_again(self, wire: Wire, request: ReportRequest) -> bool:
        """Answer a report; return whether that is settled."""
        found = await wire.reread([request.case])
        for record in found.records:
            value = record.value or b""
            place = Source(record.partition, record.offset)
            opener = HeardNotice(place, decode(value, ReleaseNotice), hashlib.sha256(value).digest())
            looked = await self._in_store(partial(look, self.store, opener, request.report_id.hex(), self.rules))
            self.counts.add(looked.plan.counts)
            await self.acknowledge(wire)
            await self._say(
                wire, ReportAnswer(request.report_id, self.platform_id, looked.outcome, answered_at=system_clock())
            )
        if found.gone:
            log.error("%s %s: not there; a report about it cannot be answered", RELEASES, request.case)
        return bool(found.records or found.gone)

    async def _try_out(self, wire: Wire, trial: Trial) -> None:
        steps = [await self._in_store(partial(try_out, self.store, trial, stage, self.rules)) for stage in TRIAL_STAGES]
        result = TrialResult(trial.trial_id, self.platform_id, tuple(steps), system_clock(), dry_run=self.dry_run)
        await self._say(wire, result)

    async def _in_store(self, work: Callable[[], T]) -> T:
        return await self.in_store(work)  # type: ignore[return-value]

    async def _say(self, wire: Wire, message: ReportAnswer | TrialResult) -> None:
        value = encode(message)
        headers = self.signer.headers(ANSWERS, value)
        await wire.send(ANSWERS, self.platform_id.encode(), value, headers, system_clock())
