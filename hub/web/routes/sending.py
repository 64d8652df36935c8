"""This module takes messages of operators without Kafka and puts them into the topic unchanged.

They are signed as on Kafka, and the same rules decide on them. This module refuses only what the hub would refuse too:
bytes that are not a message, a signature that is not valid, and a message of another operator. Intake decides on
everything else, and its receipt says what it decided. For example, an event with a bad time is taken here (202), and
its receipt says BAD_TIME.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from hub.core.model import (
    REFUSAL_TODO,
    NumberEvent,
    OperatorReport,
    PortedNotice,
    Receipt,
    Record,
    Refusal,
    Report,
    ReportReceipt,
)
from hub.delivery.refusals import refused
from hub.errors import ContractError
from hub.kafka.spans import log_spans, read_span
from hub.problems import Problem
from hub.sdk.operators import backfill
from hub.sdk.operators.event_fields import Unreadable, event_of, time_of
from hub.settings import WorkerSettings
from hub.web import shapes
from hub.web.parts import Parts
from hub.wire import contracts
from hub.wire.checking import Opener
from hub.wire.contracts import LIMITS_BYTES, SMALL_BYTES, decode, encode, partition_of, receipts_topic
from hub.wire.signing import signed_bytes

BODY_BYTES_MAX = max(LIMITS_BYTES.get(NumberEvent, SMALL_BYTES), LIMITS_BYTES.get(Report, SMALL_BYTES))
RECEIPTS_MAX = 1_000
CLEAN_UPS_MAX = 1_000
EPOCH = date(1970, 1, 1)
KEY_ID_BYTES_MAX = 200
READ_AS = {Receipt: "receipt", ReportReceipt: "report_receipt", PortedNotice: "ported_notice"}


class Sealed(NamedTuple):
    """A message as it came: its value, and the two headers that `schemas/README.md` describes."""

    value: bytes
    key_id: bytes
    signature: bytes


def sealed(value: bytes, headers: Mapping[str, str]) -> Sealed:
    """Return the message of a request.

    Raises:
        Problem: 422, a header is missing or malformed.
    """
    try:
        signature = base64.b64decode(headers.get("signature", ""), validate=True)
        key_id = headers.get("key-id", "").encode("latin-1")
    except (binascii.Error, ValueError):
        signature, key_id = b"", b""
    if len(signature) != 64 or not 0 < len(key_id) <= KEY_ID_BYTES_MAX:
        todo = "Send the headers key-id, and signature: 64 bytes of Ed25519 in base64; see schemas/README.md."
        raise Problem(422, "BAD_SIGNATURE", "no whole seal", todo)
    return Sealed(value, key_id, signature)


async def send(parts: Parts, operator: str, topic: str, message: Sealed) -> shapes.Taken:
    """Put an operator's message into a topic; the message is durable when this returns.

    Raises:
        Problem: 422 with the hub's own reason, or 503 if the cluster does not take the message.
    """
    hub_log, now_ms = parts.hub_log, parts.live.now_ms()
    headers = (("key-id", message.key_id), ("signature", message.signature))
    key = _key_of(topic, message.value)
    partition = partition_of(key, hub_log.partitions)
    record = Record(topic, partition, 0, now_ms, key, message.value, headers)
    await parts.answerer.pairs.roster.caught_up_within(parts.settings.roster_wait_s)
    _check(parts, topic, record, operator)
    try:
        placed = await parts.producer.send_and_wait(
            topic, value=message.value, key=key, partition=partition, headers=list(headers), timestamp_ms=now_ms
        )
    except KafkaError as wrong:
        todo = "Send the very same bytes again: a repeat counts once."
        raise Problem(503, "NO_KAFKA", type(wrong).__name__, todo, retry_after_s=30) from None
    return shapes.Taken(topic=topic, partition=placed.partition, offset=placed.offset)


def _key_of(topic: str, value: bytes) -> bytes:
    kinds: tuple[type[Any], ...] = (NumberEvent, OperatorReport) if topic == contracts.EVENTS else (Report,)
    try:
        content = decode(value, *kinds)
    except ContractError as wrong:
        raise refused(Refusal.UNDECODABLE, wrong.message) from None
    return str(content.operator if isinstance(content, OperatorReport) else content.number).encode()


def _check(parts: Parts, topic: str, record: Record, operator: str) -> None:
    """Check the cheap rules: who sends the message, and whether its signature is valid."""
    hub_log, roster = parts.hub_log, parts.answerer.pairs.roster.roster
    opener = Opener(hub_log.hub_id, hub_log.log_id, hub_log.partitions)
    opened = opener.events([record], roster)[0] if topic == contracts.EVENTS else opener.reports([record], roster)[0]
    content: Any = opened.content
    if isinstance(content, Refusal):
        raise refused(content, "the hub would refuse it")
    if content.operator != operator or opened.sender is None or opened.sender.id != operator:
        raise Problem(
            422, str(Refusal.WRONG_OPERATOR), "not of the operator that asks", REFUSAL_TODO[Refusal.WRONG_OPERATOR]
        )


def draft_event(parts: Parts, operator: str, wish: shapes.EventDraft) -> shapes.Draft:
    """Return an event as the bytes to sign. A draft without an id gets one: keep it, a repeat must have the same
    bytes."""
    fields = wish.model_dump(mode="json")
    fields["event_id"] = fields["event_id"] or str(uuid.uuid4())
    try:
        return _draft(parts, contracts.EVENTS, event_of(operator, fields))
    except Unreadable as wrong:
        raise Problem(422, "BAD_FIELD", wrong.what, wrong.todo) from None


def draft_day_report(parts: Parts, operator: str, wish: shapes.DayReportDraft) -> shapes.Draft:
    """Return a daily report as the bytes to sign; it is posted like an event."""
    partitions = parts.hub_log.partitions
    if len(wish.sent) != partitions:
        detail = f"sent has {len(wish.sent)} totals, and events has {partitions} partitions"
        raise Problem(422, "BAD_FIELD", detail, "Give one total a partition, from 0 on; `Taken` names each event's.")
    day = (wish.day - EPOCH).days
    if day < 0:
        raise Problem(422, "BAD_FIELD", "day is before 1970", "Give the UTC day that ended.")
    return _draft(parts, contracts.EVENTS, OperatorReport(operator, day, tuple(wish.sent)))


def draft_clean_ups(parts: Parts, operator: str, content: bytes) -> shapes.CleanUpDrafts:
    """Return the clean-ups of a file `number,bound_before` as the bytes to sign; each is posted like an event.

    Raises:
        OperatorError: the content is not such a file, or it is too long.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise Problem(422, "BAD_REQUEST", "not UTF-8", "Write the file in UTF-8.") from None
    known = parts.answerer.pairs.operator(operator)
    if known is None:
        raise Problem(404, "NO_OPERATOR", "not on the roster", "Ask the registrar to add the operator.")
    now_ms, drafts = parts.live.now_ms(), []
    for one in backfill.read_rows(lines, "the file", CLEAN_UPS_MAX):
        event = backfill.event_of(operator, one, known.ranges, now_ms)
        draft = _draft(parts, contracts.EVENTS, event) if one.wrong is None else None
        drafts.append(shapes.CleanUpDraft(line=one.line, draft=draft, wrong=one.wrong))
    return shapes.CleanUpDrafts(drafts=drafts)


def draft_report(parts: Parts, operator: str, wish: shapes.ReportDraft) -> shapes.Draft:
    """Return a person's report as the bytes to sign."""
    try:
        report_id = uuid.UUID(wish.report_id) if wish.report_id else uuid.uuid4()
        happened_at = time_of({"happened_at": wish.happened_at}, "happened_at")
    except Unreadable as wrong:
        raise Problem(422, "BAD_FIELD", wrong.what, wrong.todo) from None
    except ValueError:
        raise Problem(422, "BAD_FIELD", "report_id is no UUID", "Leave it out, or write a UUID.") from None
    report = Report(report_id.bytes, operator, wish.number, wish.platform, wish.kind, happened_at or 0)
    return _draft(parts, contracts.REPORTS, report)


def _draft(parts: Parts, topic: str, message: tuple[Any, ...]) -> shapes.Draft:
    try:
        value = encode(message)
    except ContractError as wrong:
        raise Problem(422, "BAD_FIELD", wrong.message, wrong.todo) from None
    to_sign = signed_bytes(parts.hub_log.hub_id, topic, value)
    return shapes.Draft(value=_base64(value), sign=_base64(to_sign), topic=topic)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def receipts(parts: Parts, operator: str, first: int, limit: int) -> shapes.ReceiptPage:
    """Return the receipts of an operator's own topic, from an offset on."""
    settings = WorkerSettings(
        parts.settings.bootstrap_servers, parts.settings.data_dir, "web", security=parts.settings.security
    )
    tp = TopicPartition(receipts_topic(operator), 0)
    ((start, end),) = (await log_spans(settings, [tp])).values()
    first = min(max(first, start), end)
    until = min(end, first + limit)
    rows: list[shapes.ReceiptRow] = []
    async for batch in read_span(settings, {tp: (first, until)}):
        rows += [_receipt(one) for one in batch if one.value is not None]
    return shapes.ReceiptPage(receipts=rows, next=until, end=end)


def _receipt(record: Record) -> shapes.ReceiptRow:
    try:
        value = decode(record.value, *READ_AS)
    except ContractError:  # a later version of the hub wrote it
        return shapes.ReceiptRow(offset=record.offset, at=record.record_time, kind="unknown", content={})
    kind = READ_AS[type(value)]
    return shapes.ReceiptRow(offset=record.offset, at=record.record_time, kind=kind, content=_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
