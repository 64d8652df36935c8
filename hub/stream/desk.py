"""The desk: people's reports in, what platforms answer to them, and platforms' test cases.

`ReportsWorker` serves a partition of `reports`, `AnswersWorker` one of `answers`. Both decide message by message; what
counts goes to `reported`, what a platform is asked or told to its inbox, what an operator is told to its receipts.
Made durable in this order: refused messages, records of `reported` (and folded, as the next message may repeat one),
then the rest; only then is the chunk acked. After a crash a message is decided once more, with the same answer: the
fold of `reported` knows what counted, and a platform or an operator told twice reads the same words twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from hub import contracts
from hub.contracts import receipts_topic
from hub.core.intake import rejected
from hub.core.model import AcceptedAnswer, Record, Refusal, Report, ReportAnswer, Source, Trial, TrialResult
from hub.core.reports import Ruling, Submitted, decide_report, unreadable
from hub.opening import OpenedAnswer, OpenedReport
from hub.stream.context import Context
from hub.stream.followers import REPORTED
from hub.stream.runner import Chunk

log = logging.getLogger(__name__)

Sent = list[asyncio.Future[Any]]


class _Desk:
    """What both workers do alike."""

    topic: str

    def __init__(self, context: Context, partition: int) -> None:
        self._context = context
        self._partition = partition

    async def prepare(self) -> None:
        """Fold `releases` and `reported` to their ends."""
        began = time.monotonic()
        await self._caught_up()
        taken = time.monotonic() - began
        self._context.metrics.recovery_seconds.labels(self.topic, self._partition).set(taken)

    async def background(self) -> None:
        """The desk has nothing to do beside its chunks."""

    async def _caught_up(self) -> None:
        await asyncio.gather(self._context.cases.caught_up(), self._context.reported.caught_up())

    async def _count(self, record: Any, report_id: bytes, at_ms: int) -> None:
        """Write a record of `reported`, and wait until it is folded."""
        sent = await self._context.send(
            contracts.REPORTED, record, key=report_id.hex().encode(), partition=0, at_ms=at_ms
        )
        await self._context.reported.reached({REPORTED: (await sent).offset + 1})

    async def _refuse(self, record: Record, reason: Refusal, sender: str | None) -> None:
        await (await self._context.reject(rejected(record, reason, sender)))


class ReportsWorker(_Desk):
    """Serves one partition of `reports`."""

    topic = contracts.REPORTS

    async def handle(self, chunk: Chunk) -> None:
        """Decide on every report of a chunk."""
        context = self._context
        opened = await context.open(
            chunk.records, context.opener.reports, lambda one: one.content is Refusal.BAD_SIGNATURE
        )
        await self._caught_up()
        sent: Sent = []
        for one in opened:
            try:
                await self._report(one, sent)
            except Exception as error:  # noqa: BLE001  (one message must not stop the rest)
                log.error("reports %d-%d: %s", one.record.partition, one.record.offset, type(error).__name__)
                await self._refuse(one.record, Refusal.HUB_FAULT, None)
        await asyncio.gather(*sent)
        chunk.ack()

    async def _report(self, one: OpenedReport, sent: Sent) -> None:
        context, record = self._context, one.record
        source = Source(record.partition, record.offset)
        if one.sender is None or not isinstance(one.content, Report):
            reason = one.content if isinstance(one.content, Refusal) else Refusal.HUB_FAULT
            await self._refuse(record, reason, None if one.sender is None else one.sender.id)
            if one.sender is not None:
                sent.append(await self._receipt(one.sender.id, record, unreadable(source, record.record_time, reason)))
            return
        ruling = self._rule(Submitted(source, record.record_time, one.sender, one.content, one.at_home))
        if ruling.receipt.reason is not None:
            await self._refuse(record, ruling.receipt.reason, one.sender.id)
        if ruling.accepted is not None:
            await self._count(ruling.accepted, ruling.accepted.report_id, record.record_time)
            context.metrics.reports.labels(ruling.accepted.kind).inc()
        if ruling.request is not None:
            sent += await context.tell(ruling.request.platform, ruling.request, record.record_time)
        sent.append(await self._receipt(one.sender.id, record, ruling.receipt))

    def _rule(self, submitted: Submitted) -> Ruling:
        context, report = self._context, submitted.report
        last = context.store.case_of(report.number)
        before = context.reported.disputes.reports.get(report.report_id)
        return decide_report(submitted, context.roster.roster.platforms, last, before, context.hub_log.log_id)

    async def _receipt(self, operator: str, record: Record, receipt: tuple[Any, ...]) -> asyncio.Future[Any]:
        return await self._context.send(
            receipts_topic(operator), receipt, key=record.key or b"", partition=0, at_ms=record.record_time
        )


class AnswersWorker(_Desk):
    """Serves one partition of `answers`."""

    topic = contracts.ANSWERS

    async def handle(self, chunk: Chunk) -> None:
        """Take in every answer of a chunk; pass test cases and their results on to whom they are of."""
        context = self._context
        opened = await context.open(
            chunk.records, context.opener.answers, lambda one: one.content is Refusal.BAD_SIGNATURE
        )
        await context.reported.caught_up()
        sent: Sent = []
        for one in opened:
            try:
                await self._answer(one, sent)
            except Exception as error:  # noqa: BLE001  (one message must not stop the rest)
                log.error("answers %d-%d: %s", one.record.partition, one.record.offset, type(error).__name__)
                await self._refuse(one.record, Refusal.HUB_FAULT, None)
        await asyncio.gather(*sent)
        chunk.ack()

    async def _answer(self, one: OpenedAnswer, sent: Sent) -> None:
        context, record, content = self._context, one.record, one.content
        if isinstance(content, ReportAnswer):
            content = context.reported.disputes.refusal_of(content) or content
        if isinstance(content, Refusal):
            await self._refuse(record, content, None if one.platform is None else one.platform.id)
            sent += await context.tell_refusal(one.platform, record, content)
        elif isinstance(content, ReportAnswer):
            answer = AcceptedAnswer(
                source=Source(record.partition, record.offset),
                report_id=content.report_id,
                platform=content.platform,
                outcome=content.outcome,
                recorded_at=record.record_time,
            )
            if content.report_id not in context.reported.disputes.answers:
                await self._count(answer, answer.report_id, record.record_time)
            sent += await context.tell(answer.platform, answer, record.record_time)
        elif isinstance(content, Trial | TrialResult):
            sent += await context.tell(content.platform, content, record.record_time)
