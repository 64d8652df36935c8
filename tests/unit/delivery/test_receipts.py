"""Receipts in the name of a platform are counted once they are durable."""

from __future__ import annotations

from aiokafka.errors import KafkaConnectionError

from hub.core.model import Key, Names, Platform, PlatformState
from hub.core.roster import Roster
from hub.core.roster_life import receipt_key_id
from hub.delivery.channels import Span
from hub.delivery.metrics import DeliveryMetrics
from hub.delivery.receipts import Receipts
from hub.wire.signing import Headers, Signer
from tests.delivery_in_memory import LOG


async def test_receipts_are_counted_once_they_are_durable() -> None:
    """The counter of receipts is of those that lie in `acks`: one that could not be written counts when it is."""
    key, roster, metrics = Signer.from_seed("delivery/hub", b"k" * 32, "h"), Roster(), DeliveryMetrics()
    told = (Key(receipt_key_id("hooky"), key.public, 0),)
    roster.put_platform(Platform("hooky", Names("钩", "Hooky"), "shop", 3, PlatformState.CONNECTED, keys=told))
    away = iter([True])

    async def send(_platform: str, _value: bytes, _headers: Headers) -> None:
        if next(away, False):
            raise KafkaConnectionError

    receipts = Receipts(key, LOG.log_id, lambda: roster, send, 0, wrote=metrics.receipts.inc)
    receipts.add("hooky", [Span(0, 0, 9, b"d" * 32), Span(1, 0, 4, b"d" * 32)])
    for count in (0, 1, 1):
        await receipts.flush()
        assert metrics.registry.get_sample_value("hub_delivery_receipts_total") == count
