"""This module records in topic `lookups` that somebody asked about numbers, before the answer is given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from hub.core.model import Lookup
from hub.errors import HubError
from hub.wire import contracts
from hub.wire.contracts import encode, partition_of

WRITE_S = 10.0
"""How long the record of a question may take to become durable. Without it nothing is answered."""


@dataclass(frozen=True)
class Lookups:
    """Writes records of questions."""

    producer: AIOKafkaProducer
    partitions: int
    write_s: float = WRITE_S

    async def write(self, lookup: Lookup) -> None:
        """Write a record and wait until it is on all in-sync replicas.

        Raises:
            HubError: it cannot be written in time. It may still be written later, and nothing may be answered.
        """
        key = lookup.lookup_id.hex().encode()
        try:
            async with asyncio.timeout(self.write_s):
                await self.producer.send_and_wait(
                    contracts.LOOKUPS,
                    value=encode(lookup),
                    key=key,
                    partition=partition_of(key, self.partitions),
                    timestamp_ms=lookup.asked_at,
                )
        except (TimeoutError, KafkaError) as wrong:
            raise HubError("the question cannot be recorded now", todo="Ask again in a while.") from wrong
