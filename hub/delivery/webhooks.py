"""This module sends webhooks by the Standard Webhooks convention (github.com/standard-webhooks/standard-webhooks, 1.0).

The headers are `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`, which is `v1a,` and the base64 of
Ed25519 over `id.timestamp.body`. This is the asymmetric form, so that the hub needs no secret for each receiver. The
body is JSON, for example:

    {"type": "release.notices", "timestamp": ISO 8601, "data": {"partition", "first", "last",
     "notices": [{"position", "case", "digest", "notice": as in schemas/release_notice/examples}]}}
    {"type": "inbox.message", "timestamp", "data": {"offset", "kind", "message", "value", "signature", "key_id"}}

The id names log, platform and positions; a repeat has the same id and the same body. Any whole answer 2xx is the
receipt, and the hub counts its notices as received. What the hub asks and tells this platform alone, above all reports,
comes as `inbox.message`, one in each message, in order; a receiver answers 2xx to a type it does not know. The
answer's body is not used; redirects are not followed. Requests go to httpx's transport and not through its client,
which would read a redirect's Location, and keep and send cookies: a receiver would control both.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from hub.delivery.addresses import BadAddress, Target, parse, resolve
from hub.delivery.channels import INBOX, Parcel, Span
from hub.delivery.health import Answer, Verdict
from hub.delivery.inbox import Inboxes, Letter
from hub.delivery.journal import Place
from hub.delivery.releases import Releases, Told
from hub.delivery.settings import DeliverySettings
from hub.wire.signing import Signer

GONE = 410
RESOLVED_FOR_S = 30.0
"""A name's address is looked up again after so long."""

NOTICES_TYPE = "release.notices"
INBOX_TYPE = "inbox.message"


def webhook_id(log_id: bytes, platform: str, partition: int, first: int, last: int) -> str:
    """Return the id of a message. It has no full stop, because full stops divide what is signed."""
    name = quote(platform, safe="").replace(".", "%2E")
    where = f"inbox_{last}" if partition == INBOX else f"{partition}_{first}-{last}"
    return f"{log_id.hex()[:8]}_{name}_{where}"


def iso(at_ms: int) -> str:
    """Return UTC milliseconds in ISO 8601."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def body_of(told: Sequence[Told]) -> bytes:
    """Return the body of a message, which is the same for every receiver."""
    head = (
        f'{{"type":"{NOTICES_TYPE}","timestamp":"{iso(told[-1].record_time)}","data":{{"partition":{told[0].partition},'
        f'"first":{told[0].offset},"last":{told[-1].offset},"notices":['
    )
    return head.encode() + b",".join(one.as_json for one in told if one.as_json) + b"]}}"


def letter_body(letter: Letter) -> bytes:
    """Return the body of a message of an inbox."""
    head = f'{{"type":"{INBOX_TYPE}","timestamp":"{iso(letter.record_time)}","data":'
    return head.encode() + letter.as_json + b"}"


def signed_headers(signer: Signer, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers of the convention."""
    signature = signer.sign(f"{message_id}.{at_s}.".encode() + body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": "v1a," + base64.b64encode(signature).decode(),
    }


def fitting(told: Sequence[Told], bytes_max: int) -> Sequence[Told]:
    """Return as many from the beginning as fit, but at least one."""
    size = 0
    for index, one in enumerate(told):
        size += len(one.as_json) + 1
        if index and size > bytes_max:
            return told[:index]
    return told


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """Return the pause that `Retry-After` asks for (RFC 9110 section 10.2.3), or None if it cannot be read."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return None


class Post:
    """This is what all webhook channels share: the hub's key, bounds, TLS trust, inboxes and lookups of names.

    Close it at the end.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        signer: Signer,
        log_id: bytes,
        tls: ssl.SSLContext,
        inboxes: Inboxes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.signer = signer
        self.log_id = log_id
        self.tls = tls
        self.inboxes = inboxes
        self.clock = clock
        self.gate = asyncio.Semaphore(settings.in_flight_max)
        self.slow_gate = asyncio.Semaphore(max(1, settings.in_flight_max // 2))
        # asyncio's own few threads are not used: names whose servers do not answer would occupy all of them.
        self.lookups = ThreadPoolExecutor(settings.lookups_max, "lookup")

    def close(self) -> None:
        """Begin no more lookups, and do not wait for those that hang."""
        self.lookups.shutdown(wait=False, cancel_futures=True)


class WebhookChannel:
    """This posts notices to one receiver."""

    comes_by_itself = False
    has_inbox = True

    def __init__(self, platform: str, address: str, releases: Releases, partitions: int, post: Post) -> None:
        self.lanes: Sequence[int] = (*range(partitions), INBOX)
        self._platform = platform
        self._address = address
        self._releases = releases
        self._post = post
        settings = post.settings
        self.patience = settings.webhook_patience
        # Each channel has its own: connections are kept by number, and one that was checked for another name must not
        # be used.
        self._transport = httpx.AsyncHTTPTransport(
            verify=post.tls,
            trust_env=False,
            limits=httpx.Limits(max_connections=settings.in_flight_per_receiver_max),
        )
        self._timeout = httpx.Timeout(settings.answer_timeout_s, connect=settings.connect_timeout_s)
        self.slow = False
        self._looking_up = asyncio.Lock()
        self._target: Target | None = None
        self._resolved_at_s = 0.0

    async def next_parcel(self, lane: int, places: Mapping[int, Place]) -> Parcel | None:
        """Return the next notices of a partition, as many as a message holds, or the inbox's next message."""
        place = places.get(lane, Place())
        if lane == INBOX:
            return await self._next_letter(place)
        if place.next >= self._releases.end(lane):
            return None
        settings = self._post.settings
        if place.attempt_last >= place.next:
            # The attempt is repeated as it was, unless bounds were lowered since, or another channel had made it.
            through = min(place.attempt_last, place.next + settings.batch_notices_max - 1)
            told = await self._whole(lane, place.next, through)
        else:
            told = await self._releases.read(lane, place.next, settings.batch_notices_max)
        told = fitting(told, settings.batch_bytes_max)
        if not told:
            return None
        first, last = told[0].offset, told[-1].offset
        return self._parcel(Span(lane, first, last, told[-1].digest), body_of(told))

    async def _next_letter(self, place: Place) -> Parcel | None:
        letter = await self._post.inboxes.read(self._platform, place.next)
        return (
            None if letter is None else self._parcel(Span(INBOX, place.next, letter.offset, b""), letter_body(letter))
        )

    def _parcel(self, span: Span, body: bytes) -> Parcel:
        name = webhook_id(self._post.log_id, self._platform, span.partition, span.first, span.last)
        return Parcel(name, (span,), body)

    async def _whole(self, lane: int, first: int, last: int) -> Sequence[Told]:
        told: list[Told] = []
        while first <= last and (more := await self._releases.read(lane, first, last + 1 - first)):
            told += more
            first = told[-1].offset + 1
        return told

    async def hand_over(self, parcel: Parcel) -> Answer:
        """Post a parcel; return the receiver's answer."""
        try:
            async with self._gates(), self._timed():
                return await self._request(parcel)
        except BadAddress as wrong:
            return Answer(Verdict.FAILED, str(wrong))
        except TimeoutError:
            return Answer(Verdict.FAILED, "timeout")
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as wrong:
            self._resolved_at_s = 0.0
            return Answer(Verdict.FAILED, type(wrong).__name__)

    @asynccontextmanager
    async def _gates(self) -> AsyncIterator[None]:
        """Take a place among the webhooks on their way; a slow receiver first takes a place among the slow ones."""
        async with AsyncExitStack() as stack:
            for gate in (self._post.slow_gate, self._post.gate) if self.slow else (self._post.gate,):
                await stack.enter_async_context(gate)
            yield

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        """Bound the time of a request, and note whether it was slow."""
        begun_s = self._post.clock()
        try:
            async with asyncio.timeout(self._post.settings.answer_timeout_s):
                yield
        finally:
            self.slow = self._post.clock() - begun_s > self._post.settings.slow_after_s

    async def _request(self, parcel: Parcel) -> Answer:
        target = await self._resolved()
        headers = signed_headers(self._post.signer, parcel.id, int(time.time()), parcel.body)
        headers |= {"host": target.host_header, "content-type": "application/json", "user-agent": "unbind-hub"}
        extensions = {"sni_hostname": target.name, "timeout": self._timeout.as_dict()}
        request = httpx.Request("POST", target.url, content=parcel.body, headers=headers, extensions=extensions)
        answer = await self._transport.handle_async_request(request)
        try:
            read_bytes = 0
            async for chunk in answer.aiter_raw():
                read_bytes += len(chunk)
                if read_bytes > self._post.settings.answer_bytes_max:
                    break
        finally:
            await answer.aclose()
        return judge(answer.status_code, answer.headers.get("retry-after"))

    async def _resolved(self) -> Target:
        async with self._looking_up:  # once for all lanes
            if self._target is None or time.monotonic() - self._resolved_at_s > RESOLVED_FOR_S:
                private = self._post.settings.private_addresses
                url = parse(self._address, private=private)
                self._target = await resolve(url, private=private, lookups=self._post.lookups)
                self._resolved_at_s = time.monotonic()
            return self._target

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def judge(status: int, retry_after: str | None) -> Answer:
    """Return what a status means: 2xx is the receipt, 410 suspends at once, any other is tried again."""
    if 200 <= status < 300:
        return Answer(Verdict.RECEIVED, str(status))
    if status == GONE:
        return Answer(Verdict.GONE, str(status))
    return Answer(Verdict.FAILED, str(status), retry_after_s(retry_after, time.time()))
