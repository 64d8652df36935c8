"""This module writes receipts: acknowledgements with `received` and no outcome, signed by delivery's own key.

Several receipts of one platform that come together are one message. For example, 7-120040 and 9-55 within 100 ms are
one acknowledgement. A receipt that could not be written is written again after the next start, because the journal has
it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from aiokafka.errors import KafkaError

from hub.clock import system_clock
from hub.core.model import RECEIPTS_ONLY, Acknowledgement, Key, Platform, ReceivedThrough
from hub.core.roster import Roster
from hub.delivery.channels import Span
from hub.wire.contracts import encode
from hub.wire.signing import Headers, Signer

log = logging.getLogger(__name__)

Send = Callable[[str, bytes, Headers], Awaitable[object]]
"""This writes one acknowledgement of a platform to `acks`; it is done when the message is durable."""


class ReceiptBook(Protocol):
    """This is where a courier puts what its receiver has received."""

    def add(self, platform: str, spans: Iterable[Span]) -> None:
        """Have receipts written soon."""


def receipt_key(platform: Platform, public: bytes, now_ms: int) -> Key | None:
    """Return the roster's key with which delivery may speak for a platform, or None if it is not there."""
    for key in platform.keys:
        if key.key_id.startswith(RECEIPTS_ONLY) and key.public == public and key.counts_at(now_ms):
            return key
    return None


class Receipts:
    """This gathers receipts and writes them.

    Args:
        wrote: is called for each that is durable.
    """

    def __init__(
        self,
        signer: Signer,
        log_id: bytes,
        roster: Callable[[], Roster],
        send: Send,
        linger_ms: int,
        wrote: Callable[[], object],
    ) -> None:
        self._signer = signer
        self._log_id = log_id
        self._roster = roster
        self._send = send
        self._linger_s = linger_ms / 1_000
        self._waiting: dict[str, dict[int, Span]] = {}
        self._some = asyncio.Event()
        self._wrote = wrote

    def add(self, platform: str, spans: Iterable[Span]) -> None:
        """Have receipts written soon; at most one waits for each platform and partition."""
        waiting = self._waiting.setdefault(platform, {})
        for span in spans:
            known = waiting.get(span.partition)
            if known is None or known.last < span.last:
                waiting[span.partition] = span
        self._some.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._linger_s)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; it is durable when this returns."""
        self._some.clear()
        waiting, self._waiting = self._waiting, {}
        await asyncio.gather(*(self._write(platform, tuple(spans.values())) for platform, spans in waiting.items()))

    async def _write(self, platform_id: str, spans: tuple[Span, ...]) -> None:
        now_ms = system_clock()
        platform = self._roster().platforms[platform_id]
        key = receipt_key(platform, self._signer.public, now_ms)
        if key is None:  # it was taken off the roster meanwhile; the receipt is written once it is back
            return
        received = tuple(ReceivedThrough(one.partition, one.last, one.digest) for one in sorted(spans))
        value = encode(Acknowledgement(platform_id, self._log_id, now_ms, received, ()))
        try:
            await self._send(platform_id, value, self._signer.named(key.key_id).headers("acks", value))
        except KafkaError as wrong:
            log.warning("receipts of %s wait: %s", platform_id, type(wrong).__name__)
            self.add(platform_id, spans)
            return
        self._wrote()
