"""This module reads platforms' inboxes for couriers: where each ends, and its messages as JSON.

An inbox gets a message only from time to time, so inboxes are not followed one by one: every `inbox_look_s` the ends of
all receivers' inboxes are asked for together, and the couriers of those that moved are woken. For example, if the inbox
of "bank" ends at 5 and ended at 4 before, `look` returns {"bank"}.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.core.model import AcceptedAnswer, Record, ReportRequest, Trial, TrialResult, Unheard
from hub.delivery.releases import base64_of, json_of
from hub.errors import ContractError
from hub.kafka.clients import new_consumer
from hub.kafka.spans import read_span
from hub.settings import WorkerSettings
from hub.wire.contracts import decode, inbox_topic
from hub.wire.signing import KEY_ID_HEADER, SIGNATURE_HEADER

KEPT_MAX = 100
"""At most so many messages of one inbox are in memory; they are read at once for a receiver that is behind."""


class Letter(NamedTuple):
    """This is a message of an inbox. `as_json` is the form that `GET …/inbox` shows, in UTF-8."""

    offset: int
    record_time: int
    as_json: bytes


class Inboxes(Protocol):
    """This is what couriers need of inboxes."""

    async def read(self, platform: str, first: int) -> Letter | None:
        """Return the first message at an offset or after it, or None if there is none yet."""


def shown(record: Record) -> dict[str, Any]:
    """Return a message of an inbox as JSON, with the hub's signature of it."""
    headers, value = dict(record.headers), record.value or b""
    sealed: dict[str, Any] = {
        "offset": record.offset,
        "value": base64_of(value),
        "signature": base64_of(headers.get(SIGNATURE_HEADER, b"")),
        "key_id": headers.get(KEY_ID_HEADER, b"").decode(errors="replace"),
    }
    try:
        message = decode(value, ReportRequest, AcceptedAnswer, Trial, TrialResult, Unheard)
    except ContractError:
        return {**sealed, "kind": None, "message": None}
    return {**sealed, "kind": type(message).__name__, "message": json_of(message)}


class KafkaInboxes:
    """This reads inboxes from Kafka."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer = new_consumer(settings)
        self._topics: set[str] = set()
        self._ends: dict[str, int] = {}
        self._kept: dict[str, deque[Letter]] = {}

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def look(self, platforms: Iterable[str]) -> set[str]:
        """Ask where inboxes end; return the platforms whose inbox has more than at the last look."""
        names = {inbox_topic(one): one for one in platforms}
        if not names.keys() <= self._topics:
            self._topics = await self._consumer.topics()
        places = [TopicPartition(topic, 0) for topic in names if topic in self._topics]
        ends = {names[tp.topic]: end for tp, end in (await self._consumer.end_offsets(places)).items()}
        moved = {one for one, end in ends.items() if end > self._ends.get(one, 0)}
        self._ends = ends
        self._kept = {one: kept for one, kept in self._kept.items() if one in ends}
        return moved

    async def read(self, platform: str, first: int) -> Letter | None:
        """Return the first message at an offset or after it, or None if there was none at the last look."""
        end = self._ends.get(platform, 0)
        if first >= end:
            return None
        kept = self._kept.setdefault(platform, deque())
        while kept and kept[0].offset < first:
            kept.popleft()
        if not kept:
            tp = TopicPartition(inbox_topic(platform), 0)
            first = max(first, (await self._consumer.beginning_offsets([tp]))[tp])  # older ones are kept a year
            async for batch in read_span(self._settings, {tp: (first, min(end, first + KEPT_MAX))}):
                kept.extend(_letter(one) for one in batch)
        return kept[0] if kept else None


def _letter(record: Record) -> Letter:
    return Letter(record.offset, record.record_time, json.dumps(shown(record), separators=(",", ":")).encode())
