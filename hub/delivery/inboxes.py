"""This module serves a platform's inbox over HTTP: what the hub asks and tells it alone, and its answers back.

Answers are checked as the hub will check them, then written to `answers` unchanged, under the platform's own
signature, like acknowledgements (`acknowledgements.py`). For example, a platform drafts UNBOUND for a report's id,
signs the bytes, and posts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from aiokafka import TopicPartition
from pydantic import BaseModel, Field

from hub.clock import system_clock
from hub.core.model import Outcome, Refusal, ReportAnswer
from hub.delivery.acknowledgements import signed_record, write
from hub.delivery.inbox import shown
from hub.delivery.refusals import refused
from hub.delivery.releases import base64_of
from hub.delivery.service import Delivery
from hub.kafka.spans import log_spans, read_span
from hub.problems import Problem
from hub.wire import contracts
from hub.wire.checking import Opener
from hub.wire.contracts import encode, inbox_topic
from hub.wire.signing import signed_bytes

MESSAGES_MAX = 200
ANSWER_BYTES_MAX = 64 * 1024


class Answer(BaseModel):
    """This is a platform's answer to a report, as it wishes it: what it found and did."""

    report_id: str = Field(pattern="^[0-9a-f]{32}$")
    outcome: Literal["UNBOUND", "NOT_BOUND", "FROZEN", "DECLINED", "FAILED"]


class InboxDesk:
    """This serves the inboxes of all platforms."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        log = delivery.hub_log
        self._opener = Opener(log.hub_id, log.log_id, log.partitions)

    async def read(self, platform: str, first: int, limit: int) -> dict[str, Any]:
        """Return messages from an offset on, each with the hub's signature; `next` is the next `from`.

        Raises:
            Problem: the platform has no inbox.
        """
        settings, tp = self._delivery.worker_settings, TopicPartition(inbox_topic(platform), 0)
        if not await self._delivery.has_topic(tp.topic):
            raise Problem(
                404, "NO_INBOX", "nothing was ever made for it", "Ask the registrar: state ONBOARDING has one."
            )
        ((begins, end),) = (await log_spans(settings, [tp])).values()
        first = max(first, begins)
        messages: list[dict[str, Any]] = []
        async for batch in read_span(settings, {tp: (first, min(end, first + limit))}):
            messages += [shown(record) for record in batch]
        return {"messages": messages, "next": messages[-1]["offset"] + 1 if messages else first, "end": end}

    def draft(self, platform: str, wish: Answer) -> dict[str, str]:
        """Return the bytes of an answer and the bytes to sign, both base64. Nothing is written."""
        report_id = bytes.fromhex(wish.report_id)
        value = encode(ReportAnswer(report_id, platform, Outcome(wish.outcome), answered_at=system_clock()))
        signed = signed_bytes(self._delivery.hub_log.hub_id, contracts.ANSWERS, value)
        return {"value": base64_of(value), "to_sign": base64_of(signed)}

    async def take(self, platform: str, value: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """Write an answer to `answers`; return its position there.

        Raises:
            Problem: the hub would refuse it (422), or Kafka does not answer (503).
        """
        record = signed_record(contracts.ANSWERS, platform, value, headers, self._delivery.hub_log.partitions)
        (opened,) = self._opener.answers([record], self._delivery.roster.roster)
        if opened.content is Refusal.BAD_SIGNATURE:  # the key may have come onto the roster just now
            await self._delivery.roster.caught_up_within(self._delivery.settings.reach_s)
            (opened,) = self._opener.answers([record], self._delivery.roster.roster)
        if isinstance(opened.content, Refusal):
            raise refused(opened.content, "the hub would refuse this answer")
        written = await write(self._delivery, platform, record)
        return {"written_at": f"{written.partition}-{written.offset}"}
