"""One suite for every channel: slow, dead, lying, half-closing and flapping receivers lose nothing and gain nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import pytest

from hub.clock import system_clock
from hub.delivery.channels import INBOX, Channel
from hub.delivery.day_files import DayFile, DayFiles
from hub.delivery.files import FileChannel
from hub.delivery.health import ReceiverState, Verdict
from hub.delivery.journal import Journal, Place
from hub.delivery.keys import public_form
from hub.delivery.replays import ByPosition, page
from hub.delivery.settings import DeliverySettings
from hub.delivery.webhooks import Post, WebhookChannel
from hub.local.machine import free_port
from hub.sdk.webhooks import check_webhook
from hub.wire.signing import Signer
from tests.delivery_in_memory import (
    DEADLINE_S,
    LOG,
    QUICK,
    MemoryInboxes,
    MemoryReleases,
    Receipts,
    StatesSeen,
    carrying,
    quick_settings,
    soon,
)

KEY = Signer.from_seed("delivery/hub", b"k" * 32, "h")
GOOD = b"HTTP/1.1 204 No Content\r\nSet-Cookie: of=me; Path=/\r\nContent-Length: 0\r\n\r\n"
NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1_000)
DAY_BEFORE = NOW - 86_400_000
ENDLESS_BYTES = 64 * 1024


class Harness(Protocol):
    """A receiver of one channel, whose behaviour a test chooses. `got`: positions it truly has, in their order."""

    channel: Channel
    releases: MemoryReleases
    got: list[tuple[int, int]]
    attempts: int

    async def behave(self, manner: str) -> None:
        """Behave in one of `MANNERS` from now on."""


def posting(settings: DeliverySettings, inboxes: MemoryInboxes) -> Post:
    """What webhook channels share."""
    return Post(settings, KEY, LOG.log_id, ssl.create_default_context(), inboxes)


# ---- A web server, by hand, to misbehave as no library would ----

Answering = Callable[["WebReceiver", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class WebReceiver:
    """A receiver of webhooks on a raw socket."""

    def __init__(self, releases: MemoryReleases, folder: Path, post: Post | None = None, **settings: object) -> None:
        self.releases = releases
        self.inboxes = MemoryInboxes()
        self.post = post or posting(quick_settings(folder, **settings), self.inboxes)
        self.held = asyncio.Event()
        self.took_s: Callable[[], None] = lambda: None
        self.letters: list[str] = []
        self.got: list[tuple[int, int]] = []
        self.bodies: dict[str, bytes] = {}
        self.attempts = 0
        self.taken: list[str] = []
        self.at_once = 0
        self.at_once_most = 0
        self.manner = "good"
        self.redirected = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.port = free_port()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.trap_port = free_port()
        self._trap = await asyncio.start_server(self._trapped, "127.0.0.1", self.trap_port)
        self.channel: Channel = WebhookChannel(
            "hooky", f"http://127.0.0.1:{self.port}/hook", self.releases, LOG.partitions, self.post
        )

    async def behave(self, manner: str) -> None:
        if manner == "away":
            self._server.close()
        elif self.manner == "away":
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.manner = manner

    async def _trapped(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.redirected += 1
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # its end is the test's
            while await self._one(reader, writer):
                pass
        writer.close()
        self._connections.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.attempts += 1
        assert "cookie" not in headers, "a receiver may have nothing kept and sent back"
        if self.manner == "hangs_up":
            return False
        body = await reader.readexactly(int(headers["content-length"]))
        content = check_webhook(public_form(KEY.public), headers, body)
        assert self.bodies.setdefault(headers["webhook-id"], body) == body, "one id with two contents"
        answer = ANSWERS.get(self.manner, GOOD)
        if self.manner == "flaps" and self.attempts % 3:
            answer = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
        answer = answer.replace(b"TRAP", str(self.trap_port).encode())
        if answer.startswith(b"HTTP/1.1 2") and self.manner not in NOT_WHOLE:
            self._take(content)
            self.taken.append(headers["webhook-id"])
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            return await self._answer(answer, writer)
        finally:
            self.at_once -= 1

    def _take(self, content: dict[str, Any]) -> None:
        data = content["data"]
        if content["type"] == "inbox.message":
            self.letters.append(data["message"])
        else:
            self.got += [(data["partition"], offset) for offset in range(data["first"], data["last"] + 1)]

    async def _answer(self, answer: bytes, writer: asyncio.StreamWriter) -> bool:
        if self.manner == "silent":
            await asyncio.Event().wait()
        elif self.manner == "drips":
            for byte in answer:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
        elif self.manner == "holds":
            await self.held.wait()
        elif self.manner == "dawdles":
            self.took_s()
        elif self.manner == "endless":
            writer.write(answer)
            while True:
                writer.write(bytes(ENDLESS_BYTES))
                await writer.drain()
        writer.write(answer)
        await writer.drain()
        return self.manner not in NOT_WHOLE

    async def close(self) -> None:
        self._server.close()
        self._trap.close()
        for task in self._connections:
            task.cancel()


NOT_WHOLE = {"half_answer", "half_header", "no_http", "silent", "drips", "hangs_up"}
ANSWERS = {
    "holds": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "refuses": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "breaks": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "busy_for_ever": b"HTTP/1.1 503 Later\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "redirects": b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:TRAP/\r\nContent-Length: 0\r\n\r\n",
    "moves": b"HTTP/1.1 301 There\r\nLocation: http://127.0.0.1:TRAP/\r\nContent-Length: 0\r\n\r\n",
    "mails": b"HTTP/1.1 302 There\r\nLocation: mailto:somebody\r\nContent-Length: 0\r\n\r\n",
    "far_away": b"HTTP/1.1 308 There\r\nLocation: " + b"x" * 65_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "half_answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "half_header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no_http": b"\x00\xff\x16garbage\r\n\r\n",
    "garbage": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x00\xff\xfe\x01\x02\x03",
    "endless": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
}


# ---- Somebody who fetches files ----


class Fetcher:
    """A receiver that comes for files: reads what is offered, and sends its digest back."""

    def __init__(self, releases: MemoryReleases, folder: Path, **changes: object) -> None:
        settings = quick_settings(folder, **changes)
        self.releases = releases
        self.got: list[tuple[int, int]] = []
        self.attempts = 0
        self.manner = "good"
        self._files = DayFiles(settings, LOG, releases, KEY, lambda: NOW)
        self.channel: Channel = FileChannel(self._files, LOG.partitions, settings.offer_s)

    async def behave(self, manner: str) -> None:
        self.manner = manner

    async def start(self) -> None:
        self._task = asyncio.create_task(self._come())

    async def _come(self) -> None:
        channel = self.channel
        assert isinstance(channel, FileChannel)
        while True:
            await asyncio.sleep(0.01)
            offered = channel.offered
            if offered is None or self.manner in {"away", "silent"}:
                continue
            self.attempts += 1
            data = offered.path.read_bytes()
            if self.manner in FILE_FAULTS or (self.manner == "flaps" and self.attempts % 3):
                data = data[: len(data) // 2]
            if channel.confirm(offered.day, sha256(data).digest()):
                rows = [line.partition(",")[0].split("-") for line in data.decode().splitlines()[1:]]
                self.got += [(int(partition), int(offset)) for partition, offset in rows]
                await soon("its turn is over", partial(_is_over, channel, offered))

    async def close(self) -> None:
        self._task.cancel()


def _is_over(channel: FileChannel, offered: DayFile) -> bool:
    return channel.offered is not offered


FILE_FAULTS = {"hangs_up", "half_answer"}
BAD_FOR_ALL = ["away", "silent", "hangs_up", "half_answer"]
BAD_FOR_WEB = ["drips", "refuses", "breaks", "busy", "half_header", "no_http", "gone"]
BAD_FOR_WEB += ["redirects", "moves", "mails", "far_away"]
CHANNELS: dict[str, type[WebReceiver] | type[Fetcher]] = {"webhook": WebReceiver, "file": Fetcher}
FAULTS = [(channel, fault) for channel in CHANNELS for fault in BAD_FOR_ALL] + [("webhook", one) for one in BAD_FOR_WEB]


NEVER_ANSWERS = {"answer_timeout_s": 0.5}
NEVER_FETCHES = {"offer_s": 0.05}


def waits_shortly(channel: str, fault: str) -> dict[str, Any]:
    """Settings for faults that show by a time-out alone; all others are found without one."""
    if channel == "file":
        return {**NEVER_FETCHES}
    return {**NEVER_ANSWERS} if fault in {"silent", "drips"} else {}


@asynccontextmanager
async def receiving(channel: str, folder: Path, **settings: Any) -> AsyncIterator[WebReceiver | Fetcher]:
    """A receiver with ten notices a partition, of a day that is over."""
    releases = MemoryReleases()
    releases.publish(10, DAY_BEFORE)
    receiver = CHANNELS[channel](releases, folder, **settings)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.close()


def whole(receiver: WebReceiver | Fetcher) -> bool:
    """Whether it has every position, each partition in order."""
    firsts = list(dict.fromkeys(receiver.got))
    wanted = {(p, offset) for p, last in receiver.releases.ends().items() for offset in range(last + 1)}
    return set(firsts) == wanted and all(
        [offset for p, offset in firsts if p == partition] == list(range(last + 1))
        for partition, last in receiver.releases.ends().items()
    )


def true_through(receiver: WebReceiver | Fetcher) -> dict[int, int]:
    """By partition, how far it has everything."""
    found: dict[int, int] = {}
    for partition, offset in sorted(set(receiver.got)):
        if offset == found.get(partition, -1) + 1:
            found[partition] = offset
    return found


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_good_receiver_gets_everything_once_in_order(channel: str, tmp_path: Path) -> None:
    """Whoever answers as it should is told each position once, and its receipts reach the end of the log."""
    async with receiving(channel, tmp_path) as receiver:
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts):
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        assert whole(receiver)
        assert max(Counter(receiver.got).values()) == 1


@pytest.mark.parametrize(("channel", "fault"), FAULTS)
async def test_a_bad_receiver_has_no_receipts_and_gets_all_when_it_is_good_again(
    channel: str, fault: str, tmp_path: Path
) -> None:
    """While a receiver fails nothing of it counts as received; on its return it gets everything it missed."""
    async with receiving(channel, tmp_path, **waits_shortly(channel, fault)) as receiver:
        await receiver.behave(fault)
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts) as courier:
            await soon("it is tried again", lambda: courier.health.overall.failures >= 2)
            assert courier.health.state is (ReceiverState.SUSPENDED if fault == "gone" else ReceiverState.HEALTHY)
            assert (receipts.through, receiver.got) == ({}, [])
            await receiver.behave("good")
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
            await soon("it is well", lambda: courier.health.state is ReceiverState.HEALTHY)
        assert whole(receiver)
    assert not isinstance(receiver, WebReceiver) or receiver.redirected == 0, "a redirect was followed"


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_flapping_receiver_is_never_said_to_have_more_than_it_has(channel: str, tmp_path: Path) -> None:
    """Of a receiver that fails two times of three, `received` is at each moment within what it truly has."""
    async with receiving(channel, tmp_path) as receiver:
        await receiver.behave("flaps")
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts):

            def honest_and_done() -> bool:
                truly = true_through(receiver)
                assert all(truly.get(one, -1) >= through for one, through in receipts.through.items())
                return receipts.through == receiver.releases.ends()

            await soon("all is received", honest_and_done)
        assert whole(receiver)


@pytest.mark.parametrize("manner", ["garbage", "endless"])
async def test_what_a_2xx_says_besides_is_not_looked_at(manner: str, tmp_path: Path) -> None:
    """A 200 is a receipt, whatever garbage comes with it; of an endless one, a bounded part is read."""
    async with receiving("webhook", tmp_path) as receiver:
        await receiver.behave(manner)
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts):
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        assert whole(receiver)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_lying_receiver_can_ask_again_and_its_receipts_stand(channel: str, tmp_path: Path) -> None:
    """Whoever said "received" and lost it is sent everything again on asking; what it said before stays on record."""
    async with receiving(channel, tmp_path) as receiver:
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts):
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
            before = dict(receipts.through)
            for partition in range(LOG.partitions):
                told, following = await page(
                    receiver.releases, LOG.partitions, ByPosition(by="position", partition=partition, first=0)
                )
                assert [json.loads(one.as_json)["position"] for one in told] == [f"{partition}-{n}" for n in range(10)]
                assert following is None
            assert receipts.through == before


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_receiver_that_stays_away_is_degraded_then_suspended_and_misses_nothing(
    channel: str, tmp_path: Path
) -> None:
    """It is tried less and less, its state is known; notices published meanwhile are there when it returns."""
    async with receiving(channel, tmp_path, **waits_shortly(channel, "away")) as receiver:
        await receiver.behave("away")
        receipts, seen = Receipts(), StatesSeen()
        soon_judged = replace(QUICK, degraded_after_s=0.3, suspended_after_s=1.0)
        async with carrying(
            *(tmp_path, receiver.channel, receiver.releases, receipts), patience=soon_judged, metrics=seen
        ) as courier:
            await soon("it is suspended", lambda: courier.health.state is ReceiverState.SUSPENDED)
            if channel == "webhook":  # a day that is over gets no more notices
                receiver.releases.publish(5, DAY_BEFORE)
            await receiver.behave("good")
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        assert list(dict.fromkeys(seen.states)) == ["HEALTHY", "DEGRADED", "SUSPENDED"]
        assert seen.states[-1] is ReceiverState.HEALTHY
        assert whole(receiver)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_what_the_journal_has_goes_on_after_a_restart(channel: str, tmp_path: Path) -> None:
    """A courier that starts anew goes on where its receiver is, with the receipts that may be lost said again."""
    async with receiving(channel, tmp_path) as receiver:
        async with carrying(tmp_path, receiver.channel, receiver.releases, Receipts()) as courier:
            await soon("all is received", lambda: sum(map(courier.place, range(3))) == 30)
        again = type(receiver)(receiver.releases, tmp_path)
        await again.start()
        receipts = Receipts()  # of the first program none came through
        async with carrying(tmp_path, again.channel, receiver.releases, receipts):
            await soon("said again", lambda: receipts.through == receiver.releases.ends())
        assert again.got == []
        await again.close()


async def test_an_attempt_cut_off_is_made_again_as_it_was(tmp_path: Path) -> None:
    """After a crash between an answer and its note, the same message comes under the same id, whatever came since."""
    async with receiving("webhook", tmp_path) as receiver:
        assert isinstance(receiver, WebReceiver)
        await receiver.behave("silent")
        async with carrying(tmp_path, receiver.channel, receiver.releases, Receipts()):
            await soon("it is on its way", lambda: len(receiver.bodies) == 2)  # as many as one receiver is sent at once
        cut_off = set(receiver.bodies)
        receiver.releases.publish(20, DAY_BEFORE)
        await receiver.behave("good")
        other = quick_settings(tmp_path, batch_notices_max=50)
        channel = WebhookChannel(
            *("hooky", f"http://127.0.0.1:{receiver.port}/hook", receiver.releases, LOG.partitions),
            posting(other, receiver.inboxes),
        )
        receipts = Receipts()
        async with carrying(tmp_path, channel, receiver.releases, receipts):
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        assert cut_off <= set(receiver.taken), "what was cut off did not come again"
        assert len(receiver.taken) == 2 * 2 + 1, "in two lanes what was cut off and the rest; one whole"
        assert max(Counter(receiver.got).values()) == 1, "a message of another range overlapped"


async def test_an_attempt_of_another_channel_is_cut_to_what_a_message_holds(tmp_path: Path) -> None:
    """A platform that changes from files to webhooks is not sent the day it was last offered as one message."""
    async with receiving("webhook", tmp_path) as receiver:
        journal = Journal(tmp_path, LOG.log_id)
        journal.put("hooky", {0: Place(2, b"d" * 32, attempt_last=9)})
        journal.close()
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts, {0: 1}):
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        assert isinstance(receiver, WebReceiver)
        lengths = [len(json.loads(body)["data"]["notices"]) for body in receiver.bodies.values()]
        assert max(lengths) == quick_settings(tmp_path).batch_notices_max


@pytest.mark.parametrize("channel", CHANNELS)
async def test_where_the_hub_no_longer_has_it_it_is_told_after_all(channel: str, tmp_path: Path) -> None:
    """A stolen key said that all was received: once it is revoked, what was passed over is told."""
    async with receiving(channel, tmp_path) as receiver:
        receipts, has = Receipts(), dict.fromkeys(range(LOG.partitions), 9)
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts, has) as courier:
            assert await courier.until(lambda: True, DEADLINE_S)
            assert receiver.got == []
            courier.hub_has({0: 3})
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        wanted = {(p, offset) for p in range(LOG.partitions) for offset in range(4 if p == 0 else 0, 10)}
        assert wanted <= set(receiver.got)
        assert channel == "file" or set(receiver.got) == wanted, "what the hub still has is not told again"


@pytest.mark.parametrize("channel", CHANNELS)
async def test_where_the_hub_has_it_further_it_goes_on_there(channel: str, tmp_path: Path) -> None:
    """The hub's `received` is the cursor: what a platform acknowledged otherwise is not sent to it again."""
    async with receiving(channel, tmp_path) as receiver:
        receipts, has = Receipts(), dict.fromkeys(range(LOG.partitions), 9)
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts, has) as courier:
            assert await courier.until(lambda: True, 1.0)
            assert [courier.place(one) for one in range(LOG.partitions)] == [10] * LOG.partitions
            if channel == "webhook":
                receiver.releases.publish(1)
                await soon("the new one came", lambda: receipts.through == receiver.releases.ends())
        assert {offset for _, offset in receiver.got} <= {10}


async def test_a_receiver_that_fails_is_tried_with_one_message_at_a_time(tmp_path: Path) -> None:
    """While it only fails, what waits in other partitions is not thrown at it as well."""
    async with receiving("webhook", tmp_path) as receiver:
        assert isinstance(receiver, WebReceiver)
        await receiver.behave("holds")
        async with carrying(tmp_path, receiver.channel, receiver.releases, Receipts()) as courier:
            await soon("both of the beginning are there", lambda: receiver.at_once == 2)
            first, receiver.held = receiver.held, asyncio.Event()
            first.set()
            await soon("both failed, and one is tried again", lambda: courier.health.overall.failures == 2)
            await soon("it is there", lambda: receiver.at_once == 1)
            receiver.at_once_most = 1
            for _ in range(2):  # the courier looks again: the third partition was never tried, and would be due
                assert await courier.until(lambda: True, DEADLINE_S)
            await soon("it may try", lambda: courier.health.may_try(2, system_clock()))
            assert await courier.until(lambda: True, DEADLINE_S)
        assert receiver.at_once_most == 1


async def test_receivers_that_answer_slowly_hold_up_none_that_answer_at_once(tmp_path: Path) -> None:
    """However many take their time, half of what may be on its way is theirs at most, and of each one message."""
    now_s, slowly, inboxes, releases = [0.0], list[WebReceiver](), MemoryInboxes(), MemoryReleases()
    settings = quick_settings(tmp_path, in_flight_max=4, answer_timeout_s=60.0)
    post = Post(settings, KEY, LOG.log_id, ssl.create_default_context(), inboxes, clock=lambda: now_s[0])
    releases.publish(1)

    def dawdle() -> None:
        now_s[0] += 5.0

    async with AsyncExitStack() as stack:

        async def engage(name: str, manner: str) -> tuple[WebReceiver, Receipts]:
            receiver, receipts, folder = WebReceiver(releases, tmp_path, post), Receipts(), tmp_path / name
            folder.mkdir()
            await receiver.start()
            stack.push_async_callback(receiver.close)
            receiver.took_s = dawdle
            await receiver.behave(manner)
            await stack.enter_async_context(carrying(folder, receiver.channel, releases, receipts))
            await soon(f"{name} has the first", lambda: receipts.through == releases.ends())
            return receiver, receipts

        for index in range(6):
            receiver, _ = await engage(f"slow {index}", "dawdles")
            assert receiver.channel.slow
            await receiver.behave("silent")
            slowly.append(receiver)
        _, receipts = await engage("good", "good")
        releases.publish(1)
        await soon("slow ones hold what they may", lambda: sum(one.at_once for one in slowly) == 2)
        releases.publish(20)
        await soon("the good one has all", lambda: receipts.through == releases.ends())
        assert sum(one.at_once for one in slowly) == 2
        assert {one.at_once_most for one in slowly if one.at_once} == {1}


async def test_names_that_hang_hold_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers whose name servers do not answer take no thread that another receiver needs."""
    let_go, system = threading.Event(), socket.getaddrinfo
    hanging: list[str] = []

    def looked_up(host: str, *asked: Any, **how: Any) -> Any:
        if host.startswith("hangs"):
            hanging.append(host)
            let_go.wait(DEADLINE_S)
        return system("127.0.0.1" if host.startswith("hangs") else host, *asked, **how)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    async with receiving("webhook", tmp_path) as receiver:
        assert isinstance(receiver, WebReceiver)
        parcel = await receiver.channel.next_parcel(0, {})
        assert parcel is not None
        # More than asyncio has threads for names on any machine.
        channels = [
            WebhookChannel(
                f"h{index}", f"https://hangs{index}.example/", receiver.releases, LOG.partitions, receiver.post
            )
            for index in range(40)
        ]
        waiting = [asyncio.create_task(one.hand_over(parcel)) for one in channels]
        try:
            await soon("they hang", lambda: len(hanging) == len(channels))
            assert (await receiver.channel.hand_over(parcel)).verdict is Verdict.RECEIVED
        finally:
            let_go.set()
            await asyncio.gather(*waiting)
            receiver.post.close()


async def test_what_is_in_its_inbox_comes_to_a_receiver_too_and_is_no_receipt(tmp_path: Path) -> None:
    """Reports are brought in their order and once, beside notices; the hub has none of it as received."""
    async with receiving("webhook", tmp_path) as receiver:
        assert isinstance(receiver, WebReceiver)
        for word in ("one", "two"):
            receiver.inboxes.tell(word)
        receipts, words = Receipts(), ["one", "two", "three"]
        await receiver.behave("flaps")
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts) as courier:
            await soon("both came", lambda: receiver.letters == words[:2])
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
            receiver.inboxes.tell("three")
            courier.look_again()
            await soon("the third is received", lambda: courier.place(INBOX) == len(words))
        assert receiver.letters == words
        assert receipts.through == receiver.releases.ends(), "an inbox is no partition"
        assert whole(receiver)
        again = WebReceiver(receiver.releases, tmp_path, posting(quick_settings(tmp_path), receiver.inboxes))
        await again.start()
        receiver.releases.publish(1, DAY_BEFORE)
        said = Receipts()
        async with carrying(tmp_path, again.channel, receiver.releases, said):
            await soon("it goes on", lambda: said.through == receiver.releases.ends())
            assert again.letters == [], "what it was told before a restart came again"
        await again.close()


async def test_a_record_that_is_no_notice_holds_nobody_up(tmp_path: Path) -> None:
    """A position whose bytes are none of the hub's is passed over and counts as received."""
    async with receiving("webhook", tmp_path) as receiver:
        receiver.releases.spoil(1)
        receiver.releases.publish(3, DAY_BEFORE)
        receipts = Receipts()
        async with carrying(tmp_path, receiver.channel, receiver.releases, receipts):
            await soon("all is received", lambda: receipts.through == receiver.releases.ends())
        assert whole(receiver)


async def test_a_retry_after_is_honoured_within_bounds(tmp_path: Path) -> None:
    """A receiver that asks for time gets it, up to a bound: it cannot send itself away for ever."""
    async with receiving("webhook", tmp_path) as receiver:
        await receiver.behave("busy_for_ever")
        async with carrying(tmp_path, receiver.channel, receiver.releases, Receipts()) as courier:
            await soon("it was asked", lambda: courier.health.overall.failures >= 1)
            for _, pace in courier.health.lanes:
                assert pace.failing_since is not None
                assert 500 <= pace.try_at - pace.failing_since <= 650
            asked = receiver.attempts
            await soon("it is asked again", lambda: receiver.attempts > asked)
