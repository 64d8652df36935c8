"""This module changes how every consumer of the hub fetches: a broker may hold a fetch for seconds, and nothing waits
for a held fetch.

aiokafka has one fetch in flight for each broker. A broker answers the requests of one connection one after the other,
and it holds a fetch back until a partition that the fetch names has records. So everything that the fetch does not name
waits: a partition that was still being read when the fetch was sent, a partition that was sought to another place, or a
question about the ends of the logs. With aiokafka alone the hold must therefore be short, and a hub at rest is busy
with fetching.

The rules of `PatientFetcher`:

1. Only a fetch that names every partition which its broker leads is held for as long as the consumer's settings say:
   any new record ends it at once. A fetch that leaves a partition out is held for `PARTIAL_WAIT_MS` at most.
2. A held fetch that no longer names what is wanted (after a seek, or with another leader) is given up.
3. Fetches have a connection of their own, and a fetch that is given up closes its connection. So neither a question nor
   the next fetch waits for it.
4. A partition whose position moved without a message is in the answer too, with no messages. So the end of a log is
   reached although its last offsets hold no message, such as the marker that ends a transaction of somebody else.

For example, `acks` 3 ends at 42, and offset 41 is the marker of a transaction. A reader that has handled offset 40 gets
no message for partition 3, and its position is 42.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import consumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.protocol.fetch import FetchRequest

PARTIAL_WAIT_MS = 25
"""How long a broker may hold a fetch that leaves a partition out. That partition is late by at most this."""

FETCHES = "fetches"
"""aiokafka names a connection by its broker and a group; this is one more group."""


_Place = tuple[TopicPartition, int | None]


class _FetchingClient:
    """A client whose fetches have a connection of their own."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any) -> Any:
        """Send a request, and close the connection of a fetch that is given up."""
        if not isinstance(request, FetchRequest):
            return await self._client.send(node_id, request)
        try:
            return await self._client.send(node_id, request, group=FETCHES)
        except asyncio.CancelledError:
            connection = self._client._conns.pop((node_id, FETCHES), None)
            if connection is not None:
                connection.close()
            raise


class PatientFetcher(Fetcher):  # type: ignore[misc]  # aiokafka's classes have no types
    """aiokafka's fetcher, with the rules above."""

    def __init__(self, client: AIOKafkaClient, *args: Any, **kwargs: Any) -> None:
        self._held: dict[int, tuple[asyncio.Task[Any], set[_Place]]] = {}
        super().__init__(_FetchingClient(client), *args, **kwargs)

    def _get_actions_per_node(self, assignment: Any) -> Any:
        actions = super()._get_actions_per_node(assignment)
        for node_id, request in actions[0]:
            if len(_named(request)) < sum(self._select_read_replica(tp) == node_id for tp in assignment.tps):
                request._max_wait_ms = min(request._max_wait_ms, PARTIAL_WAIT_MS)
        for node_id, (task, named) in list(self._held.items()):
            if not self._wanted(assignment, node_id) <= named:
                task.cancel()
        return actions

    def _wanted(self, assignment: Any, node_id: int) -> set[_Place]:
        """Return the partitions a fetch to a broker would name now, each with its position; None while it is sought."""
        states = ((tp, assignment.state_value(tp)) for tp in assignment.tps if tp not in self._records)
        return {
            (tp, state.position if state.has_valid_position else None)
            for tp, state in states
            if not state.paused and self._select_read_replica(tp) == node_id
        }

    async def fetched_records(self, partitions: Any, timeout: float = 0, max_records: int | None = None) -> Any:  # noqa: ASYNC109  (upstream)
        """Return messages by partition, in time or none; a partition that only moved on is in it with no messages."""
        until_s = time.monotonic() + timeout
        while True:
            before = {tp: (self._state_of(tp), self._position_of(tp)) for tp in self._records}
            fetched = await super().fetched_records(partitions, 0, max_records)
            for tp, (state, position) in before.items():
                if self._state_of(tp) is state and (self._position_of(tp) or 0) > (position or 0):
                    fetched.setdefault(tp, [])
            left_s = until_s - time.monotonic()
            if fetched or left_s <= 0 or self._closed or not await self._fetched_within(left_s):
                return fetched

    def _state_of(self, tp: TopicPartition) -> Any:
        """Return what aiokafka keeps of a partition; None if it is not assigned now."""
        subscription = self._subscriptions.subscription
        assignment = None if subscription is None else subscription.assignment
        return None if assignment is None else assignment.state_value(tp)

    def _position_of(self, tp: TopicPartition) -> int | None:
        """Return the next offset of a partition to be read; None if it is not known now."""
        state = self._state_of(tp)
        return None if state is None or not state.has_valid_position else int(state.position)

    async def _fetched_within(self, seconds: float) -> bool:
        """Wait until a fetch brought something. Return False if none did in time."""
        waiter = self._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=seconds)
        if not done:
            waiter.cancel()
            return False
        waiter.result()  # it raises what the coordinator found wrong
        return True

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> Any:
        task = asyncio.current_task()
        if task is not None and request._max_wait_ms > PARTIAL_WAIT_MS:
            self._held[node_id] = (task, _named(request))
        try:
            return await super()._proc_fetch_request(assignment, node_id, request)
        finally:
            self._held.pop(node_id, None)


def _named(request: Any) -> set[_Place]:
    return {(TopicPartition(topic, part), at) for topic, parts in request.topics for part, at, _ in parts}


def fetch_patiently() -> None:
    """Have every consumer that this process makes from now on fetch in this way. To call it twice changes nothing."""
    consumer.Fetcher = PatientFetcher
