"""This module passes on what people report to an operator, and waits for the hub's receipt.

For example, `await send_report(report, signer, address)` returns the receipt, which says whether the hub accepted it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from hub.core.model import Report, ReportReceipt
from hub.errors import ContractError, HubError, OperatorError
from hub.settings import HubAddress
from hub.wire.contracts import REPORTS, decode, encode, partition_of, receipts_topic
from hub.wire.signing import Signer

POLL_MS = 250


async def send_report(
    report: Report,
    signer: Signer,
    address: HubAddress,
    timeout_s: float = 30.0,
    timestamp_ms: int | None = None,
) -> ReportReceipt:
    """Sign and send one report, and wait for its receipt. A report that is sent again with the same id counts once.

    Args:
        signer: holds a key that the roster has for `report.operator`.
        timestamp_ms: the record time in a replayed world; elsewhere the broker's clock counts.

    Raises:
        OperatorError: the report does not fit its schema.
        HubError: the cluster fails, or no receipt comes in time; the report may have been heard all the same.
    """
    try:
        value, key = encode(report), report.number.encode()
    except ContractError as wrong:
        raise OperatorError(wrong.message, todo=wrong.todo) from wrong
    options: dict[str, Any] = {"bootstrap_servers": address.bootstrap_servers, **address.security}
    try:
        async with (
            AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="earliest", **options) as consumer,
            AIOKafkaProducer(acks="all", enable_idempotence=True, **options) as producer,
        ):
            await _go_to_end(consumer, TopicPartition(receipts_topic(report.operator), 0))
            await producer.send_and_wait(
                REPORTS,
                value,
                key=key,
                partition=partition_of(key, address.partitions),
                headers=list(signer.headers(REPORTS, value)),
                timestamp_ms=timestamp_ms,
            )
            return await _receipt(consumer, report.report_id, time.monotonic() + timeout_s)
    except KafkaError as wrong:
        raise HubError(
            f"the cluster does not do its part: {type(wrong).__name__}",
            todo="Check the address and this operator's rights; send the same report again, it counts once.",
        ) from wrong


async def _go_to_end(consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
    if tp.topic not in await consumer.topics():
        raise HubError(f"there is no {tp.topic}", todo="Ask the hub's staff to put this operator on the roster.")
    consumer.assign([tp])
    await consumer.seek_to_end(tp)
    await consumer.position(tp)


async def _receipt(consumer: AIOKafkaConsumer, report_id: bytes, deadline: float) -> ReportReceipt:
    while time.monotonic() < deadline:
        for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            for record in batch:
                found = _read(record.value)
                if found is not None and found.report_id == report_id:
                    return found
        await asyncio.sleep(0)
    raise HubError(
        "no receipt in time",
        todo="Send the same report again. If receipts never come, ask whether the operator's key is on the roster.",
    )


def _read(value: bytes | None) -> ReportReceipt | None:
    try:
        return decode(value, ReportReceipt)
    except ContractError:
        return None
