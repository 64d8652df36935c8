"""This module opens the key with which a worker signs what it asks of platforms. Its public half is in topic `hub`.

For example, `hub/worker-1/9f86d081` is the key id of the worker `worker-1`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer, TopicPartition

from hub.core.model import HubKey, HubLog, Key, Record
from hub.errors import ContractError
from hub.kafka.spans import log_spans, read_span
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode, encode
from hub.wire.signing import Signer

FILE = "hub.pem"
NAME = "worker"
"""The name of the key while it is read from its file. Its final name contains a part of its public half."""


async def open_signer(settings: WorkerSettings, hub_log: HubLog, producer: AIOKafkaProducer) -> Signer:
    """Return the signer of this worker. Its key is made at the first start, and published once.

    Raises:
        UnbindError: the key's file exists but holds no usable key.
    """
    path = settings.data_dir / FILE
    if not path.exists():
        Signer.generate(NAME, hub_log.hub_id).save(path)
    key = Signer.load(path, NAME, hub_log.hub_id)
    signer = key.named(f"hub/{settings.instance_id}/{key.public[:4].hex()}")
    if signer.key_id not in await published_keys(settings):
        # A replayed world's times have nothing to do with when its topics were made.
        valid_from = 0 if hub_log.clock == "world" else hub_log.made_at
        made = HubKey(Key(signer.key_id, signer.public, valid_from))
        await producer.send_and_wait(contracts.HUB, encode(made), key=signer.key_id.encode(), partition=0)
    return signer


async def published_keys(settings: WorkerSettings) -> dict[str, Key]:
    """Return the hub's public keys by key id."""
    tp = TopicPartition(contracts.HUB, 0)
    found: dict[str, Key] = {}
    async for batch in read_span(settings, await log_spans(settings, [tp])):
        found |= keys_in(batch)
    return found


def keys_in(records: Sequence[Record]) -> dict[str, Key]:
    """Return the keys among records of topic `hub`."""
    found: dict[str, Key] = {}
    for record in records:
        with suppress(ContractError):
            key = decode(record.value, HubKey).key
            found[key.key_id] = key
    return found
