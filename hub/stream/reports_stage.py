"""This module is the stage of reports: it handles people's reports, platforms' answers, and test cases.

`ReportsWorker` serves a partition of `reports`, `AnswersWorker` one of `answers`. Both decide message by message. What
counts goes to `reported`, what a platform is asked or told goes to its inbox, and what an operator is told goes to its
receipts. They make durable, in this order: refused messages; records of `reported` (which are then folded, as the next
message may repeat one); the rest; only then is the chunk acked. After a crash a message is decided again, with the same
answer: the fold of `reported` knows what counted, and a platform or an operator may read the same message twice.

For example, `carrier` passes on that an account at `bank` is still bound: an AcceptedReport goes to `reported`, a
ReportRequest to `inbox.bank`, and a receipt to `receipts.carrier`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from hub.core.intake import rejected
from hub.core.model import AcceptedAnswer, Record, Refusal, Report, ReportAnswer, Source, Trial, TrialResult
from hub.core.reports import Ruling, Submitted, decide_report, unreadable
from hub.folds.reported import REPORTED
from hub.stream.context import Context
from hub.stream.runner import Chunk
from hub.wire import contracts
from hub.wire.checking import OpenedAnswer, OpenedReport
from hub.wire.contracts import receipts_topic

log = logging.getLogger(__name__)

Sent = list[asyncio.Future[Any]]
Opened = TypeVar("Opened", OpenedReport, OpenedAnswer)


class _Desk(Generic[Opened]):
    """What both workers have in common."""

    topic: str

    def __init__(self, context: Context, partition: int) -> None:
        self._context = context
        self._partition = partition

    async def prepare(self) -> None:
        """Fold the logs by which messages are judged to their ends."""
        began = time.monotonic()
        await self._caught_up()
        taken = time.monotonic() - began
        self._context.metrics.recovery_seconds.labels(self.topic, self._partition).set(taken)

    async def background(self) -> None:
        """This stage has nothing to do beside its chunks."""

    async def handle(self, chunk: Chunk) -> None:
        """Handle every message of a chunk, each by itself."""
        opened = await self._open(chunk.records)
        if opened:
            await self._caught_up()
        sent: Sent = []
        for one in opened:
            try:
                await self._take(one, sent)
            except Exception as error:  # noqa: BLE001  (one message must not stop the rest)
                log.error("%s %d-%d: %s", self.topic, one.record.partition, one.record.offset, type(error).__name__)
                await self._refuse(one.record, Refusal.HUB_FAULT, None)
        await asyncio.gather(*sent)
        chunk.ack()

    async def _open(self, records: Sequence[Record]) -> list[Opened]:
        """Open messages of the topic."""
        raise NotImplementedError

    async def _take(self, one: Opened, sent: Sent) -> None:
        """Handle one message. `sent` collects what must be durable before the chunk is acked."""
        raise NotImplementedError

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


class ReportsWorker(_Desk[OpenedReport]):
    """Serves one partition of `reports`."""

    topic = contracts.REPORTS

    async def _open(self, records: Sequence[Record]) -> list[OpenedReport]:
        """Open reports."""
        context = self._context
        return await context.checker.reports(records)

    async def _take(self, one: OpenedReport, sent: Sent) -> None:
        """Decide on one report."""
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


class AnswersWorker(_Desk[OpenedAnswer]):
    """Serves one partition of `answers`."""

    topic = contracts.ANSWERS

    async def _caught_up(self) -> None:
        await self._context.reported.caught_up()

    async def _open(self, records: Sequence[Record]) -> list[OpenedAnswer]:
        """Open answers."""
        context = self._context
        return await context.checker.answers(records)

    async def _take(self, one: OpenedAnswer, sent: Sent) -> None:
        """Handle an answer, or pass a test case or its result on to its platform."""
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
