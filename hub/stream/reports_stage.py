"""This module is the stage of reports: it handles people's reports, platforms' answers, and test cases.

`ReportsWorker` serves a partition of `reports`, `AnswersWorker` one of `answers`. What counts goes to `reported`, what
a platform is asked or told goes to its inbox, and what an operator is told goes to its receipts.

A chunk is handled in runs in which no report comes twice, since a report is judged by what counted of it before. A run
is judged at once, and made durable in this order: refused messages; records of `reported`, which are then folded; the
rest. After the last run the chunk is acked. After a crash a message is judged again, with the same answer: the fold of
`reported` knows what counted, and a platform or an operator may read the same message twice.

For example, `carrier` passes on that an account at `bank` is still bound: an AcceptedReport goes to `reported`, a
ReportRequest to `inbox.bank`, and a receipt to `receipts.carrier`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from hub.core.intake import rejected
from hub.core.model import AcceptedAnswer, AcceptedReport, Platform, Record, Refusal, Report, ReportAnswer, Source
from hub.core.reports import Ruling, Submitted, decide_report, unreadable
from hub.errors import ContractError
from hub.folds.reported import REPORTED
from hub.stream.context import Context
from hub.stream.runner import Chunk
from hub.wire import contracts
from hub.wire.checking import OpenedAnswer, OpenedReport
from hub.wire.contracts import receipts_topic

log = logging.getLogger(__name__)

Sent = list[asyncio.Future[Any]]
Opened = TypeVar("Opened", OpenedReport, OpenedAnswer)


class Told(NamedTuple):
    """Something that is said to a platform in its inbox, or to an operator in its receipts."""

    message: tuple[Any, ...]
    platform: str | None = None
    operator: str | None = None


class Word(NamedTuple):
    """What is decided on one message: why it is refused, what counts, and what is said to whom."""

    record: Record
    refusal: Refusal | None = None
    sender: str | None = None
    counts: AcceptedReport | AcceptedAnswer | None = None
    told: tuple[Told, ...] = ()
    unheard: Platform | None = None
    """The platform of a refused message, which is told so."""


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
        """Handle the messages of a chunk, in runs."""
        opened = await self._open(chunk.records)
        if opened:
            await self._caught_up()
        while opened:
            run = opened[: without_repeats(map(_report_of, opened))]
            await self._carry_out([self._judged(one) for one in run])
            opened = opened[len(run) :]
        chunk.ack()

    async def _open(self, records: Sequence[Record]) -> list[Opened]:
        """Open messages of the topic."""
        raise NotImplementedError

    def _judge(self, one: Opened) -> Word:
        """Decide on one message."""
        raise NotImplementedError

    async def _caught_up(self) -> None:
        await asyncio.gather(self._context.cases.caught_up(), self._context.reported.caught_up())

    def _judged(self, one: Opened) -> Word:
        try:
            return self._judge(one)
        except Exception as error:  # noqa: BLE001  (one message must not stop the rest)
            return self._fault(one.record, error)

    def _fault(self, record: Record, error: Exception) -> Word:
        log.error("%s %d-%d: %s", self.topic, record.partition, record.offset, type(error).__name__)
        return Word(record, Refusal.HUB_FAULT)

    async def _carry_out(self, words: Sequence[Word]) -> None:
        refused: Sent = []
        for one in words:
            if one.refusal is not None:
                refused.append(await self._context.reject(rejected(one.record, one.refusal, one.sender)))
        await asyncio.gather(*refused)
        await self._count([one for one in words if one.counts is not None])
        sent: Sent = []
        for one in words:
            try:
                sent += await self._tell(one)
            except ContractError as error:  # what is to be said does not fit its schema
                fault = self._fault(one.record, error)
                sent.append(await self._context.reject(rejected(fault.record, Refusal.HUB_FAULT, None)))
        await asyncio.gather(*sent)

    async def _count(self, words: Sequence[Word]) -> None:
        """Write records of `reported`, and wait until they are folded."""
        sent: Sent = []
        for one in words:
            assert one.counts is not None, "only these are given"
            key, at_ms = one.counts.report_id.hex().encode(), one.record.record_time
            sent.append(await self._context.send(contracts.REPORTED, one.counts, key=key, partition=0, at_ms=at_ms))
        if sent:
            ends = await asyncio.gather(*sent)
            await self._context.reported.reached({REPORTED: max(end.offset for end in ends) + 1})

    async def _tell(self, word: Word) -> Sent:
        context, at_ms = self._context, word.record.record_time
        sent: Sent = []
        for message, platform, operator in word.told:
            if platform is not None:
                sent += await context.tell(platform, message, at_ms)
            if operator is not None:
                topic, key = receipts_topic(operator), word.record.key or b""
                sent.append(await context.send(topic, message, key=key, partition=0, at_ms=at_ms))
        if word.unheard is not None and word.refusal is not None:
            sent += await context.tell_refusal(word.unheard, word.record, word.refusal)
        return sent


def without_repeats(reports: Iterable[bytes | None]) -> int:
    """Return how many messages at the start have no report twice. A message about none repeats nothing."""
    seen: set[bytes] = set()
    length = 0
    for report in reports:
        if report in seen:
            break
        if report is not None:
            seen.add(report)
        length += 1
    return length


def _report_of(one: OpenedReport | OpenedAnswer) -> bytes | None:
    return one.content.report_id if isinstance(one.content, Report | ReportAnswer) else None


class ReportsWorker(_Desk[OpenedReport]):
    """Serves one partition of `reports`."""

    topic = contracts.REPORTS

    async def _open(self, records: Sequence[Record]) -> list[OpenedReport]:
        """Open reports."""
        context = self._context
        return await context.checker.reports(records)

    def _judge(self, one: OpenedReport) -> Word:
        """Decide on one report."""
        context, record = self._context, one.record
        source = Source(record.partition, record.offset)
        if one.sender is None or not isinstance(one.content, Report):
            reason = one.content if isinstance(one.content, Refusal) else Refusal.HUB_FAULT
            if one.sender is None:
                return Word(record, reason)
            receipt = unreadable(source, record.record_time, reason)
            return Word(record, reason, one.sender.id, told=(Told(receipt, operator=one.sender.id),))
        ruling = self._rule(Submitted(source, record.record_time, one.sender, one.content, one.at_home))
        told = [] if ruling.request is None else [Told(ruling.request, platform=ruling.request.platform)]
        if ruling.accepted is not None:
            context.metrics.reports.labels(ruling.accepted.kind).inc()
        return Word(
            record,
            ruling.receipt.reason,
            one.sender.id,
            counts=ruling.accepted,
            told=(*told, Told(ruling.receipt, operator=one.sender.id)),
        )

    def _rule(self, submitted: Submitted) -> Ruling:
        context, report = self._context, submitted.report
        last = context.store.case_of(report.number)
        before = context.reported.disputes.reports.get(report.report_id)
        return decide_report(submitted, context.roster.roster.platforms, last, before, context.hub_log.log_id)


class AnswersWorker(_Desk[OpenedAnswer]):
    """Serves one partition of `answers`."""

    topic = contracts.ANSWERS

    async def _caught_up(self) -> None:
        await self._context.reported.caught_up()

    async def _open(self, records: Sequence[Record]) -> list[OpenedAnswer]:
        """Open answers."""
        context = self._context
        return await context.checker.answers(records)

    def _judge(self, one: OpenedAnswer) -> Word:
        """Decide on an answer, or pass a test case or its result on to its platform."""
        disputes, record, content = self._context.reported.disputes, one.record, one.content
        if isinstance(content, ReportAnswer):
            content = disputes.refusal_of(content) or content
        if isinstance(content, Refusal):
            return Word(record, content, None if one.platform is None else one.platform.id, unheard=one.platform)
        if not isinstance(content, ReportAnswer):
            return Word(record, told=(Told(content, platform=content.platform),))
        answer = AcceptedAnswer(
            source=Source(record.partition, record.offset),
            report_id=content.report_id,
            platform=content.platform,
            outcome=content.outcome,
            recorded_at=record.record_time,
        )
        counts = None if content.report_id in disputes.answers else answer
        return Word(record, counts=counts, told=(Told(answer, platform=answer.platform),))
