"""This module is the adapter of one platform: it reads `releases`, acts on the account store, and acknowledges.

It has no rules of its own (they are in `acting`). Its loop collects a batch, carries it out in one transaction
(`handling`), sends what is committed, and forgets it once the broker has it. After a crash the store says where to read
on, and what was not acknowledged is sent first. For example, `PlatformAdapter("bank", store, signer, address)` runs
with `await adapter.run(stop)` until `stop` is set.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hub.clock import Silence, system_clock
from hub.core.model import Record, Source
from hub.errors import HubError, StoreAway, StoreUnreadable
from hub.sdk.accounts import AccountStore, HeardNotice
from hub.sdk.adapter.acking import acknowledgements, covered_until
from hub.sdk.adapter.acting import Act, Counts, Plan
from hub.sdk.adapter.ahead import Ahead
from hub.sdk.adapter.answering import Answering
from hub.sdk.adapter.handling import carry_out
from hub.sdk.adapter.heartbeat import beat
from hub.sdk.adapter.inbox import Inbox, Ledger, following
from hub.sdk.adapter.looking_ahead import look_ahead
from hub.sdk.adapter.rehearing import Rehearing
from hub.sdk.adapter.settings import AdapterSettings, Listen, Listening, always_act, always_done
from hub.sdk.adapter.watching import FuseWatch
from hub.sdk.adapter.wire import Wire, connected, read_notice
from hub.sdk.stores.dry_run import DryRun
from hub.settings import HubAddress
from hub.wire.contracts import ACKS, encode
from hub.wire.signing import Signer

log = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_POLL_MS = 250
"""An idle adapter waits so long for notices before it looks whether it is to stop."""


class PlatformAdapter:
    """This is one platform's adapter. Only one may work on a store at a time, and `run` may run only once at a time.

    `counts` and `acks` say what it did since it was made; `places` is the next offset to read by partition, `ends`
    is where the log ends as far as it is known, `last_published_at` the greatest of what was handled (UTC
    milliseconds). `fuses.blown` has the operators whose fuse holds cases for a person, each with how many.

    Args:
        platform_id: the id on the roster.
        store: the platform's accounts and the adapter's records; it is used from one thread at a time.
        signer: holds a key that the roster has for this platform.
        act: is asked about each account before it is touched; see `hub.sdk.adapter.plans.Act`.
        listening: which notices the platform acts on, receives, or does not hear.
    """

    def __init__(
        self,
        platform_id: str,
        store: AccountStore,
        signer: Signer,
        address: HubAddress,
        settings: AdapterSettings | None = None,
        *,
        act: Act = always_done,
        listening: Listen = always_act,
    ) -> None:
        self.settings = settings or AdapterSettings()
        self.platform_id = platform_id
        self.counts = Counts()
        self.acks = 0
        self.places: dict[int, int] = {}
        self.done: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.last_published_at: int | None = None
        self.unbound_in_day = 0
        self._store: AccountStore = DryRun(store) if self.settings.dry_run else store
        self._rules = self.settings.rules(act)
        self.fuses = FuseWatch(platform_id, self._store, self._in_store)
        self._look_again_at_s = 0.0
        self._ahead = Ahead({})
        self._rehearing = Rehearing(platform_id, self._store, self._in_store, self.settings.retry_batch_max)
        self._committed: dict[int, int] = {}
        self._signer = signer
        self._address = address
        self._listening = listening
        self._deaf: set[int] = set()
        self._until: dict[int, int] = {}
        self._silence = Silence(self.settings.silence_s_max)
        self._thread: ThreadPoolExecutor | None = None
        self._beat_at_s = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Follow `releases` until `stop` is set.

        Raises:
            StoreUnreadable: too many numbers of the store cannot be read; nothing was answered.
            PlatformError: the log is not the store's, or holds messages that this version cannot read.
            HubError: the cluster refuses, or did not answer for too long.
        """
        self._until = {}
        await self._work(stop.is_set, range(self._address.partitions))

    async def run_until(self, ends: Mapping[int, int]) -> None:
        """Handle and acknowledge everything before an offset in each partition, then return.

        Args:
            ends: by partition, the offset after the last to be handled; partitions not named are not read.

            Raises:
                As `run` does, and:
            HubError: nothing more comes before the ends, for longer than `settings.silence_s_max`.
        """
        self._until = dict(ends)
        self._silence.end()
        await self._work(self._at_ends, self._until)

    async def _work(self, enough: Callable[[], bool], partitions: Mapping[int, int] | range) -> None:
        with ThreadPoolExecutor(1, f"store of {self.platform_id}") as self._thread:
            await self._open_store(partitions)
            inbox = Inbox(self.platform_id, self._signer, self._address) if self.settings.clock != "world" else None
            async with connected(self._address, self.platform_id, self.settings) as wire, following(inbox) as ledger:
                await self._acknowledge(wire)
                self.ends = await wire.ends(self.places)
                await wire.seek(self.places)
                while not enough():
                    await self._look_ahead(wire, enough)
                    if enough():
                        break
                    await self._step(wire)
                    await self._beat(wire)
                    await self._hear_again(wire)
                    await self._answer(wire, ledger)

    async def _open_store(self, partitions: Mapping[int, int] | range) -> None:
        found = await self._in_store(self._store.readability)
        if found.share > self.settings.unreadable_share_max:
            ambiguous = f", {found.ambiguous} because they may be one of several" if found.ambiguous else ""
            raise StoreUnreadable(
                f"{found.unreadable} of {found.rows} numbers of the account store cannot be read{ambiguous}",
                todo="Declare every form the store writes numbers in (hub.sdk.numbering), or mend the rows.",
            )
        progress = await self._in_store(self._store.progress)
        self.places = {one: progress.places[one].next_offset if one in progress.places else 0 for one in partitions}
        self.done = dict(self.places)
        self._committed = {one: place.next_offset for one, place in progress.places.items()}
        self._ahead = Ahead({one: place.last_source for one, place in progress.places.items()})
        await self.fuses.look()
        self._deaf.clear()

    async def _look_ahead(self, wire: Wire, enough: Callable[[], bool]) -> None:
        """With a backlog, look to the end of the log before anything of it is done; a world has no further on."""
        if self.settings.clock == "world" or self._deaf:
            return
        ends = {one: min(end, self._until.get(one, end)) for one, end in self.ends.items() if one in self.places}
        if all(end <= self.places[one] for one, end in ends.items()):
            self._ahead.forget()
        unseen = sum(max(0, end - max(self.places[one], self._ahead.until.get(one, 0))) for one, end in ends.items())
        if unseen and (not self._ahead.until or unseen > self.settings.batch_max):
            await look_ahead(wire, self._ahead, self.places, ends, self._silence, self.settings.batch_max, enough)

    async def _step(self, wire: Wire) -> None:
        before = dict(self.places)
        batch = await self._collect(wire)
        self.ends |= wire.ends_seen()
        if self.places != before:
            self._silence.end()
        if not batch:
            self.done |= self.places
            if self._until and self._silence.is_too_long:
                raise HubError("the brokers bring nothing more", todo="Look whether they run; nothing is lost.")
            return
        places = dict(self.places)
        await self._carry_out(batch)
        newest = max(heard.notice.published_at for heard in batch)
        self.last_published_at = max(newest, self.last_published_at or newest)
        await self._acknowledge(wire)
        self.done |= places
        self._silence.end()

    async def _carry_out(self, batch: list[HeardNotice]) -> Plan:
        now_ms = system_clock() if self.settings.clock == "world" else self.settings.clock()
        plan = await self._in_store(lambda: carry_out(self._store, batch, self._rules, now_ms, self._committed))
        self._committed |= {one: place.next_offset for one, place in plan.changes.places.items()}
        self.counts.add(plan.counts)
        self.unbound_in_day = plan.unbound_in_day or self.unbound_in_day
        return plan

    async def _hear_again(self, wire: Wire) -> None:
        """Hear again the notices that failed and whose time has come, and those of cases a person decided about."""
        if self.settings.dry_run or time.monotonic() < self._look_again_at_s:
            return
        batch = await self._rehearing.batch(wire, system_clock(), retrying=self._rules.retries is not None)
        if batch:
            await self._carry_out(batch)
            await self._acknowledge(wire)
        await self.fuses.look()
        self._look_again_at_s = time.monotonic() + self.settings.retry_poll_ms / 1_000

    async def _answer(self, wire: Wire, ledger: Ledger) -> None:
        """Look again where a report asks for it, and carry out test cases."""
        answering = Answering(
            *(self.platform_id, self._signer, self._store, self._rules, self.counts),
            *(self._in_store, self._acknowledge, self.settings.dry_run),
        )
        await answering.step(wire, ledger, self.done)

    async def _beat(self, wire: Wire) -> None:
        """From time to time, if all notices were heard, tell the store. All that was collected is committed by now."""
        clock = self.settings.clock
        whole = len(self.places) == self._address.partitions and not self._deaf
        if clock == "world" or not whole or time.monotonic() < self._beat_at_s:
            return
        asked_at = clock()
        ends = await wire.ends(self.places)
        if all(min(self.places[one], self._until.get(one, end)) >= end for one, end in ends.items()):
            await self._in_store(lambda: beat(self._store, asked_at, self.places, self._committed))
        self._beat_at_s = time.monotonic() + self.settings.heartbeat_s

    def _at_ends(self) -> bool:
        return all(self.places[one] >= end or one in self._deaf for one, end in self._until.items())

    async def _collect(self, wire: Wire) -> list[HeardNotice]:
        """Return a batch that is full, or what came within `linger_ms` of its first notices."""
        batch: list[HeardNotice] = []
        wait_ms, full_at_s = IDLE_POLL_MS, float("inf")
        while len(batch) < self.settings.batch_max and wait_ms >= 0:
            for record in await wire.fetch(wait_ms, self.settings.batch_max - len(batch)):
                heard = self._hear(record, wire)
                if heard is not None:
                    batch.append(heard)
            self.places |= await wire.places()
            if not batch or (self._until and self._at_ends()):
                break
            full_at_s = min(full_at_s, time.monotonic() + self.settings.linger_ms / 1_000)
            wait_ms = int((full_at_s - time.monotonic()) * 1_000)
        return batch

    def _hear(self, record: Record, wire: Wire) -> HeardNotice | None:
        partition, offset = record.partition, record.offset
        if partition in self._deaf:
            return None
        self.places[partition] = offset + 1
        if offset >= self._until.get(partition, offset + 1):
            return None
        notice = read_notice(record)
        listening = Listening.ACT if notice is None else self._listening(notice)
        if listening is Listening.DEAF:
            self._deaf.add(partition)
            wire.leave(partition)
        if notice is None or listening is Listening.DEAF:
            return None
        digest = hashlib.sha256(record.value or b"").digest()
        position = Source(partition, offset)
        undone_later = self._ahead.is_undone(position, notice)
        return HeardNotice(position, notice, digest, listening is Listening.ACT, undone_later=undone_later)

    async def _acknowledge(self, wire: Wire) -> None:
        """Send what is committed and not acknowledged; forget it only once the broker has all of it."""
        outbox = await self._in_store(self._store.outbox)
        if not outbox.waiting:
            return
        clock = self.settings.clock
        sent_at = covered_until(outbox) if clock == "world" else clock()
        for ack in acknowledgements(outbox, self.platform_id, sent_at, self.settings.actions):
            value = encode(ack)
            await wire.send(ACKS, self.platform_id.encode(), value, self._signer.headers(ACKS, value), sent_at)
            self.acks += 1
        await self._in_store(lambda: self._store.acknowledged(outbox))

    async def _in_store(self, work: Callable[[], T]) -> T:
        """Run work in the store's own thread; if the store is away, try again a bounded number of times."""
        settings = self.settings
        for retry in range(settings.retries_max):
            try:
                return await self._in_thread(work)
            except StoreAway as away:
                if retry + 1 == settings.retries_max:
                    raise
                log.warning("%s: %s, trying again", self.platform_id, away.message)
                await asyncio.sleep(min(settings.backoff_ms << retry, settings.backoff_max_ms) / 1_000)
        raise AssertionError("retries_max is at least 1")

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
