"""This module is the intake stage: it serves one partition of `events`.

It makes durable, in this order: refused messages, held events and the decisions on those sent again; receipts of
refusals, duplicates, notes and held events; notices; receipts of acceptance; only then is the chunk acked. Positions
come from the fold of `releases`, never from the producer's answer. `hub.stream.holding` handles held events.

A source is decided once. At the start the receipts beyond the committed offset are read back: a source with a receipt
is decided. A source whose notice was folded was accepted, and a source in the fold of `held` is held; its receipt is
written if it is missing. For example, a worker dies after the notice of source 7-240517 and before its receipt: the
next owner folds the notice and writes the receipt. Any other source below the last folded one was refused without a
receipt (nobody proved who sent it), and is only written to `rejected` again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from hub.core.intake import Addressed, Arrival, Plan, acceptance, decide, holding, rejected, shown_by
from hub.core.limits import counts_for
from hub.core.model import Decision, Operator, Record, Refusal, ReleaseNotice
from hub.stream.context import Context
from hub.stream.holding import Holding
from hub.stream.runner import Chunk
from hub.wire import contracts
from hub.wire.contracts import receipts_topic

log = logging.getLogger(__name__)


class IntakeWorker:
    """Serves one partition of `events`."""

    def __init__(self, context: Context, partition: int) -> None:
        self._context = context
        self._partition = partition
        self._decided: set[int] | None = None
        self._holding = Holding(context, partition)

    async def prepare(self) -> None:
        """Fold `releases` and `held` to their ends. Nothing is decided before that."""
        began = time.monotonic()
        await asyncio.gather(self._context.cases.caught_up(), self._context.held.caught_up())
        self._context.metrics.recovery_seconds.labels(contracts.EVENTS, self._partition).set(time.monotonic() - began)

    async def background(self) -> None:
        """Intake has nothing to do beside its chunks."""

    async def handle(self, chunk: Chunk) -> None:
        """Decide on every message of a chunk, make the decisions durable, and ack the chunk."""
        if not chunk.records:
            chunk.ack()
            return
        if self._decided is None:
            self._decided = await self._context.read_back.decided_from(chunk.records[0])
        fresh = [record for record in chunk.records if record.offset not in self._decided]
        step = self._context.settings.intake_batch_max
        pending: list[asyncio.Future[Any]] = []
        for start in range(0, len(fresh), step):
            await self._decide(fresh[start : start + step], pending)
        await asyncio.gather(*pending)
        chunk.ack()
        self._decided = {offset for offset in self._decided if offset >= chunk.end}

    async def _decide(self, records: Sequence[Record], pending: list[asyncio.Future[Any]]) -> None:
        rest = await self._holding.open(records)
        while rest:
            # This is checked each time, with nothing awaited before the plan: a zombie's notices may be folded
            # meanwhile.
            if self._was_decided(rest[0]):
                await self._decide_again(rest[0], pending)
                rest = rest[1:]
                continue
            plan = self._plan(rest[: self._undecided(rest)])
            self._expect(plan)
            await self._carry_out(plan, pending)
            rest = rest[plan.taken :]

    def _expect(self, plan: Plan) -> None:
        """Tell the other partitions of this worker what is decided, before anything is awaited."""
        for arrival, notice, _, adds in plan.accepted:
            if arrival.held is None and arrival.sender is not None and self._counts_for(arrival.sender, notice):
                self._context.store.days.expect(notice, adds)

    def _counts_for(self, sender: Operator, notice: ReleaseNotice) -> bool:
        return counts_for(sender, authority=self._context.hub_log.has_authority(notice.published_at))

    def _was_decided(self, arrival: Arrival) -> bool:
        decided_to = self._context.store.last_source(self._partition)
        return arrival.record.offset <= decided_to or self._holding.is_held(arrival.source)

    def _undecided(self, arrivals: Sequence[Arrival]) -> int:
        """Return how many arrivals to decide on next. After a restart, a later one may be held already."""
        if arrivals[0].record.offset > self._context.held.book.last_held(self._partition):
            return len(arrivals)
        return next((n for n, one in enumerate(arrivals) if self._holding.is_held(one.source)), len(arrivals))

    def _plan(self, arrivals: Sequence[Arrival]) -> Plan:
        """Decide. If that raises an error, decide on fewer messages; set the first one aside if it is the cause."""
        context = self._context
        try:
            return decide(arrivals, context.store, context.hub_log, context.held.book, self._holding.holder_of)
        except Exception as error:  # noqa: BLE001  (one bad message must not stop the rest)
            if len(arrivals) > 1:
                return self._plan(arrivals[: len(arrivals) // 2])
            arrival = arrivals[0]
            log.error("events %s: %s in a rule; set aside", arrival.source, type(error).__name__)
            spoilt = arrival._replace(content=Refusal.HUB_FAULT)
            return decide([spoilt], context.store, context.hub_log, context.held.book, self._holding.holder_of)

    async def _carry_out(self, plan: Plan, pending: list[asyncio.Future[Any]]) -> None:
        context = self._context
        # A source with a receipt is not read again, so refused messages are set aside first.
        await asyncio.gather(*[await context.reject(one) for one in plan.rejected])
        await self._hold(plan)
        await asyncio.gather(*[await self._receipt(one) for one in plan.receipts])
        if not plan.accepted:
            return
        sent = [
            await context.send(
                contracts.RELEASES,
                one.notice,
                key=one.notice.subject.value.encode(),
                partition=self._partition,
                at_ms=one.notice.published_at,
            )
            for one in plan.accepted
        ]
        ends = await asyncio.gather(*sent)
        # The broker's answer only tells how far to fold. What the fold then says counts.
        await context.cases.folded(self._partition, max(end.offset for end in ends) + 1)
        context.store.days.forget(one.notice.source for one in plan.accepted)
        context.metrics.notices.inc(len(sent))
        await self._confirm([one.arrival for one in plan.accepted], pending)

    async def _hold(self, plan: Plan) -> None:
        """Make held events and the decisions on earlier held events durable, and then tell which events are held."""
        at_ms = max(
            (one.receipt.recorded_at for one in (*plan.receipts, *(one.receipt for one in plan.held))), default=0
        )
        await self._holding.write([*(one.event for one in plan.held), *plan.settled], at_ms)
        await self._say_held([one.arrival for one in plan.held])

    async def _say_held(self, arrivals: Sequence[Arrival]) -> None:
        """Tell the operators concerned that events are held. The fold of `held` must have these events."""
        await self._holding.tell([(one, Decision.HELD, None) for one in arrivals])
        await asyncio.gather(*[await self._receipt(holding(one)) for one in arrivals])

    async def _decide_again(self, arrival: Arrival, pending: list[asyncio.Future[Any]]) -> None:
        """Decide again on a source that was decided before a restart and has no receipt."""
        if self._context.store.accepted(arrival.source) is not None:
            await self._confirm([arrival], pending)
        elif self._holding.is_held(arrival.source):
            await self._say_held([arrival])
        elif isinstance(arrival.content, Refusal) and arrival.sender is None:
            pending.append(await self._context.reject(rejected(arrival.record, arrival.content, None)))
        else:
            log.warning("events %s: decided by another worker; skipped", arrival.source)

    async def _confirm(self, arrivals: Sequence[Arrival], pending: list[asyncio.Future[Any]]) -> None:
        """Write the receipts of those acceptances that the fold confirms."""
        found = []
        for arrival in arrivals:
            accepted = self._context.store.accepted(arrival.source)
            if accepted is None:
                log.warning("events %s: another worker's decision came first", arrival.source)
            else:
                found.append((arrival, accepted))
        await self._holding.accepted([arrival for arrival, _ in found])
        await self._holding.tell([(arrival, Decision.ACCEPTED, accepted.position) for arrival, accepted in found])
        for arrival, accepted in found:
            shown = (*accepted.breaches, *shown_by(arrival, accepted.case))
            pending.append(await self._receipt(acceptance(arrival, accepted.position, shown)))

    async def _receipt(self, addressed: Addressed) -> asyncio.Future[Any]:
        metrics, receipt = self._context.metrics, addressed.receipt
        metrics.intake_decided.labels(addressed.operator, receipt.decision).inc()
        for breach in receipt.breaches:
            metrics.breaches.labels(addressed.operator, breach).inc()
        return await self._context.send(
            receipts_topic(addressed.operator), receipt, key=addressed.key, partition=0, at_ms=receipt.recorded_at
        )
