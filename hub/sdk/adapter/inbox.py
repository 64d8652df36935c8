"""This module reads a platform's inbox: the topic in which the hub asks and tells this platform alone.

The inbox holds the requests and the answers to them that the hub accepted, test cases and their results. So an adapter
reads it from the start and knows what is left to answer; it stores no place of its own. For example, a `ReportRequest`
is left to answer until an `AcceptedAnswer` with the same `report_id` follows. The hub signs what is in it (its keys are
in topic `hub`); anything else there is ignored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.core.model import MINUTE_MS, AcceptedAnswer, HubKey, Key, ReportRequest, Trial, TrialResult, Unheard
from hub.errors import ContractError, HubError
from hub.settings import HubAddress
from hub.wire.contracts import HUB, decode, inbox_topic
from hub.wire.signing import Signer, read_seal, signature_is_by

log = logging.getLogger(__name__)

POLL_MS = 500
RECORDS_MAX = 500
PAUSE_S = 5.0
UNHEARD_KEPT = 1_000
"""So many of the newest refusals are remembered; all of them are in the inbox."""

TRIAL_AGE_MAX_MS = 10 * MINUTE_MS
"""A test case older than this is not begun, because nobody waits for it any more."""

InboxMessage = ReportRequest | AcceptedAnswer | Trial | TrialResult | Unheard


class Ledger:
    """This is the folded inbox: what is left to answer, in the order it came."""

    def __init__(self) -> None:
        self.requests: dict[bytes, ReportRequest] = {}
        self.trials: dict[bytes, Trial] = {}
        self.results: dict[bytes, TrialResult] = {}
        self.unheard: deque[Unheard] = deque(maxlen=UNHEARD_KEPT)
        self._done: set[bytes] = set()

    def add(self, message: InboxMessage) -> None:
        """Fold one message."""
        if isinstance(message, ReportRequest):
            if message.report_id not in self._done:
                self.requests[message.report_id] = message
        elif isinstance(message, AcceptedAnswer):
            self.done(message.report_id)
        elif isinstance(message, Trial):
            if message.trial_id not in self._done:
                self.trials[message.trial_id] = message
        elif isinstance(message, TrialResult):
            self.results[message.trial_id] = message
            self.done(message.trial_id)
        elif message not in self.unheard:
            self.unheard.append(message)

    def done(self, asked: bytes) -> None:
        """Note that a request or a test case needs no answer any more."""
        self._done.add(asked)
        self.requests.pop(asked, None)
        self.trials.pop(asked, None)


class Inbox:
    """This reads one platform's inbox.

    Args:
        signer: holds a key that the roster has for this platform.
    """

    def __init__(self, platform_id: str, signer: Signer, address: HubAddress) -> None:
        self.ledger = Ledger()
        self._platform_id = platform_id
        self._signer = signer
        self._address = address
        self._topic = inbox_topic(platform_id)
        self._keys: dict[str, Key] = {}
        self._caught_up = asyncio.Event()

    async def run(self) -> None:
        """Follow the inbox for ever, whatever the brokers do; if it does not exist yet, look for it again."""
        missed = False
        while True:
            try:
                await self._follow()
                if not missed:
                    log.warning("%s: no inbox yet; reports and test cases cannot reach it", self._platform_id)
                missed = True
            except KafkaError as wrong:
                log.warning("%s cannot be read (%s), trying again", self._topic, type(wrong).__name__)
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        """Follow the inbox; return if there is none."""
        options: dict[str, Any] = {"bootstrap_servers": self._address.bootstrap_servers, **self._address.security}
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            client_id=f"{self._platform_id}-inbox",
            **options,
        )
        await consumer.start()
        try:
            if not {self._topic, HUB} <= await consumer.topics():
                return
            inbox, hub = TopicPartition(self._topic, 0), TopicPartition(HUB, 0)
            consumer.assign([inbox, hub])
            await consumer.seek_to_beginning(inbox, hub)
            ends = await consumer.end_offsets([inbox, hub])
            waiting: list[Any] = []
            while True:
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
                for record in fetched.get(hub, ()):
                    self._learn(record.value)
                waiting += fetched.get(inbox, ())
                # A key is in topic `hub` before it signs: if a key is unknown, read that topic to its end first.
                if not all(self._knows_signer(record) for record in waiting):
                    ends |= await consumer.end_offsets([hub])
                if await consumer.position(hub) >= ends[hub]:
                    for record in waiting:
                        self._take(record)
                    waiting.clear()
                if await consumer.position(inbox) >= ends[inbox] and not waiting:
                    self._caught_up.set()
        finally:
            await consumer.stop()

    async def caught_up(self, timeout_s: float) -> None:
        """Wait until everything that was in the inbox at the start is folded.

        Raises:
            HubError: this did not happen in time.
        """
        try:
            await asyncio.wait_for(self._caught_up.wait(), timeout_s)
        except TimeoutError as wrong:
            raise HubError(
                "there is no inbox, or it cannot be read in time",
                todo="Check the address; ask the registrar whether this platform is ONBOARDING or CONNECTED.",
            ) from wrong

    def _learn(self, value: bytes | None) -> None:
        try:
            key = decode(value, HubKey).key
        except ContractError:
            return
        self._keys[key.key_id] = key

    def _knows_signer(self, record: Any) -> bool:
        seal = read_seal(tuple(record.headers))
        return seal is None or seal.key_id in self._keys

    def _take(self, record: Any) -> None:
        seal = read_seal(tuple(record.headers))
        key = None if seal is None else self._keys.get(seal.key_id)
        value: bytes = record.value or b""
        if seal is None or key is None or not key.counts_at(record.timestamp):
            log.error("%s %d: not signed by a key of the hub; passed over", self._topic, record.offset)
            return
        if not signature_is_by(key.public, seal.signature, self._address.hub_id, self._topic, value):
            log.error("%s %d: the hub's signature does not hold; passed over", self._topic, record.offset)
            return
        message = _message(value)
        if message is None:
            log.error("%s %d: cannot be read; a newer unbind-hub may", self._topic, record.offset)
        else:
            self.ledger.add(message)


def _message(value: bytes) -> InboxMessage | None:
    try:
        message: InboxMessage = decode(value, ReportRequest, AcceptedAnswer, Trial, TrialResult, Unheard)
    except ContractError:
        return None
    return message


@asynccontextmanager
async def following(inbox: Inbox | None) -> AsyncIterator[Ledger]:
    """Provide the ledger of an inbox, and follow the inbox while the block runs; without an inbox it stays empty."""
    if inbox is None:
        yield Ledger()
        return
    task = asyncio.create_task(inbox.run(), name="inbox")
    try:
        yield inbox.ledger
    finally:
        task.cancel()
        await asyncio.wait([task])


def fresh_trials(trials: Mapping[bytes, Trial], at_ms: int) -> list[Trial]:
    """Return the test cases that somebody still waits for."""
    return [one for one in trials.values() if at_ms - one.asked_at <= TRIAL_AGE_MAX_MS]
