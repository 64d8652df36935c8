"""This module takes acknowledgements over HTTP: it checks them as the hub will, then writes them to `acks` unchanged.

What is written is the platform's own bytes under its own signature: an ordinary acknowledgement. The check is only made
so that the caller hears at once what is wrong; the hub decides again by itself. For example, an acknowledgement with
`received` beyond the end of partition 7 is answered 422 BEYOND_LOG, and one with another notice's digest 422
WRONG_DIGEST.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import KafkaError

from hub.clock import system_clock
from hub.core.acks import SKEW_MS, OpenedAck
from hub.core.channel import Way, kind_of
from hub.core.model import Acknowledgement, Record, Refusal, Source
from hub.delivery.drafts import NO_REST, Rest, Wish, account, draft, looked_at
from hub.delivery.refusals import refused
from hub.delivery.releases import base64_of
from hub.delivery.said import said_before
from hub.delivery.service import Delivery
from hub.problems import Problem
from hub.sdk.accounts import Waiting
from hub.wire import contracts
from hub.wire.checking import Opener
from hub.wire.contracts import encode, partition_of
from hub.wire.signing import KEY_ID_HEADER, SIGNATURE_HEADER, signed_bytes

WRITE_S = 15.0
"""An acknowledgement may take so long to be durable; then its sender is told to send it again."""

DETAIL = {
    Refusal.BAD_SIGNATURE: "the signature does not hold",
    Refusal.UNDECODABLE: "the body is no acknowledgement in canonical form",
    Refusal.WRONG_PLATFORM: "the acknowledgement is of another platform",
    Refusal.OTHER_LOG: "its positions are of another log",
    Refusal.BEYOND_LOG: "it names what was not received, or is not there",
    Refusal.WRONG_DIGEST: "the digest that it gives for a notice is not that notice's",
    Refusal.TOO_LARGE: "it holds too many segments",
}


class Effects:
    """This takes what platforms say they did."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        log = delivery.hub_log
        self._opener = Opener(log.hub_id, log.log_id, log.partitions)

    async def take(self, platform: str, value: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """Write an acknowledgement to `acks`; return its position there.

        Raises:
            Problem: the hub would refuse it (422), or Kafka does not answer (503).
        """
        record = signed_record(contracts.ACKS, platform, value, headers, self._delivery.hub_log.partitions)
        opened = self._open(record)
        if opened.refusal is Refusal.BAD_SIGNATURE:  # the key may have come onto the roster just now
            await self._delivery.roster.caught_up_within(self._delivery.settings.reach_s)
            opened = self._open(record)
        if opened.ack is None:
            reason = opened.refusal or Refusal.HUB_FAULT
            raise refused(reason, DETAIL.get(reason, "it cannot be read"))
        await self._check_log(opened.ack, record.record_time)
        written = await write(self._delivery, platform, record)
        return {"written_at": f"{written.partition}-{written.offset}", "received": len(opened.ack.received)}

    def _open(self, record: Record) -> OpenedAck:
        return self._opener.acks([record], self._delivery.roster.roster)[0]

    async def _check_log(self, ack: Acknowledgement, now_ms: int) -> None:
        releases = self._delivery.releases
        if any(one.through >= releases.end(one.partition) for one in ack.received):
            await releases.caught_up_within(self._delivery.settings.reach_s)
        for one in ack.received:
            told = await releases.read(one.partition, one.through, 1)
            notice = told[0].notice if told and told[0].offset == one.through else None
            if notice is None or notice.published_at > now_ms + SKEW_MS:
                raise refused(Refusal.BEYOND_LOG, DETAIL[Refusal.BEYOND_LOG])
            if told[0].digest != one.digest:
                wrong = f"the digest that it gives for {one.partition}-{one.through} is not that notice's"
                raise refused(Refusal.WRONG_DIGEST, wrong)

    async def draft(self, platform: str, wish: Wish) -> dict[str, Any]:
        """Return the acknowledgements that say what rows wish, to be signed, and a summary of them.

        Raises:
            Problem: a row names what the platform did not receive, or no case; or it is not said how far the rest
                reaches.
        """
        waiting = await self._waiting(platform, wish)
        await self._check_cases(wish, waiting)
        log = self._delivery.hub_log
        settings = self._delivery.worker_settings
        rest = NO_REST
        if wish.rest:
            looked = looked_at(wish, waiting, fetches=self._fetches(platform))
            rest = Rest(looked, await said_before(settings, platform, log.partitions))
        acks = draft(wish, platform, log.log_id, system_clock(), waiting, rest)
        if not acks:
            todo = "Fetch notices first, or say `received` if they came otherwise."
            raise Problem(409, "NOTHING_RECEIVED", "nothing was received yet", todo)
        values = [encode(one) for one in acks]
        return {
            "account": account(acks, wish),
            "acknowledgements": [
                {"value": base64_of(value), "to_sign": base64_of(signed_bytes(log.hub_id, contracts.ACKS, value))}
                for value in values
            ],
        }

    def _fetches(self, platform: str) -> bool:
        found = self._delivery.roster.roster.platforms.get(platform)
        return found is not None and kind_of(found).way is Way.FILE

    async def _waiting(self, platform: str, wish: Wish) -> dict[int, Waiting]:
        delivery = self._delivery
        courier, known = delivery.couriers.get(platform), delivery.received.of(platform)
        through = {
            one: max(known.get(one, -1), courier.place(one) - 1 if courier is not None else -1)
            for one in range(delivery.hub_log.partitions)
        }
        for partition, last in wish.received.items():
            if partition not in through or last >= delivery.releases.end(partition):
                raise refused(Refusal.BEYOND_LOG, f"`received` {partition}-{last} is beyond the log")
            through[partition] = max(through[partition], last)
        found = {}
        for partition, last in through.items():
            told = await delivery.releases.read(partition, last, 1)
            if told and told[0].offset == last:
                found[partition] = Waiting(last, told[0].digest, told[0].record_time)
        return found

    async def _check_cases(self, wish: Wish, waiting: Mapping[int, Waiting]) -> None:
        for case in sorted(wish.said):
            if case.partition not in waiting or case.offset > waiting[case.partition].through:
                raise refused(Refusal.BEYOND_LOG, f"{case} was not received yet")
            if not await self._opens(case):
                todo = "Name a case by its `case`, the position of its opening notice."
                raise Problem(422, "NO_CASE", f"{case} opens no case", todo)

    async def _opens(self, case: Source) -> bool:
        told = await self._delivery.releases.read(case.partition, case.offset, 1)
        there = bool(told) and told[0].offset == case.offset
        return there and told[0].notice is not None and told[0].notice.opened_at is None


def signed_record(topic: str, platform: str, value: bytes, headers: Mapping[str, str], partitions: int) -> Record:
    """Return what a platform signed, with the two headers of its request, as the record to write to a topic."""
    key = platform.encode()
    seal = (
        (SIGNATURE_HEADER, _signature(headers.get(SIGNATURE_HEADER))),
        (KEY_ID_HEADER, headers.get(KEY_ID_HEADER, "").encode()),
    )
    return Record(topic, partition_of(key, partitions), 0, system_clock(), key, value, seal)


async def write(delivery: Delivery, platform: str, record: Record) -> Any:
    """Write what a platform signed to its topic, unchanged; return where it lies.

    Raises:
        Problem: Kafka does not answer in time.
    """
    try:
        async with asyncio.timeout(WRITE_S):
            return await delivery.send(record.topic, platform, record.value or b"", record.headers)
    except (KafkaError, TimeoutError):
        todo = "Send the same bytes again; twice does no harm."
        raise Problem(503, "NO_KAFKA", "nobody knows whether it was written", todo, retry_after_s=10) from None


def _signature(encoded: str | None) -> bytes:
    try:
        return base64.b64decode(encoded or "", validate=True)
    except (ValueError, binascii.Error):
        return b""  # it is refused like any other bad signature
