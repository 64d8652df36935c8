"""This module waits for what operators have sent and the hub has not decided yet: a clearance must take it into account
as soon as it is durable.

Decisions are messages in `releases` and `reported`, but a refusal is in neither. So it asks how far the workers are, by
the offsets of their group, which follow a decision within half a second. For example, a RESTORED at 7-240517 is decided
once the group's offset of partition 7 is 240518.
"""

from __future__ import annotations

from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from hub.kafka.clients import committed_to
from hub.wire import contracts

DECIDED_ON = (contracts.EVENTS, contracts.REPORTS)


class Undecided:
    """Waits for the workers. `ends_of` says where logs end, and `admin` where the group is."""

    def __init__(self, ends_of: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        self._ends_of = ends_of
        self._admin = admin

    async def wait(self, partitions: Collection[int]) -> None:
        """Return once everything that some partitions of `events` and `reports` hold now is decided.

        Raises:
            KafkaError: no broker answers.
        """
        ends = await self._ends_of.end_offsets([TopicPartition(one, part) for one in DECIDED_ON for part in partitions])
        await committed_to(self._admin, ends)
