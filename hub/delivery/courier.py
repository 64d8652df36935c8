"""This module is one receiver's courier: it takes what comes next in each lane, hands it over, and keeps the place.

For example, after parcel 7-120033 to 7-120040 was received, the place of lane 7 is 120041, and a receipt is written.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from aiokafka.errors import KafkaError

from hub.delivery.channels import INBOX, Channel, Parcel, Span
from hub.delivery.health import Answer, Health, Verdict, judged
from hub.delivery.journal import NONE, Journal, Place
from hub.delivery.metrics import DeliveryMetrics
from hub.delivery.receipts import ReceiptBook
from hub.delivery.releases import Releases
from hub.errors import HubError

log = logging.getLogger(__name__)

IDLE_S = 60.0
"""A courier looks again after so long even if nothing woke it; this is a bound, not a pace."""


class Office(NamedTuple):
    """This is what all couriers share."""

    releases: Releases
    journal: Journal
    receipts: ReceiptBook
    metrics: DeliveryMetrics
    in_flight_per_receiver_max: int
    clock: Callable[[], int]
    """This gives the present time, UTC milliseconds."""


class Courier:
    """This carries notices to one receiver.

    Args:
        name: the channel as it is written on the roster; a new name starts with new health.
        received: by partition, how far the hub has it as received (inclusive).
        first_at: the receiver is not tried before this time, UTC milliseconds.
    """

    def __init__(
        self,
        platform: str,
        name: str,
        channel: Channel,
        office: Office,
        received: dict[int, int],
        first_at: int = 0,
    ) -> None:
        self.platform = platform
        self.name = name
        self.channel = channel
        self._office = office
        self.health: Health = office.journal.health(platform, name)
        self._first_at = first_at
        self._places = office.journal.places(platform)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._turn = 0
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self._wrong: BaseException | None = None
        self._say_again(received)
        self.hub_has(received)
        office.metrics.show(platform, self.health)

    def _say_again(self, received: dict[int, int]) -> None:
        """Write again receipts that are in the journal and that the hub does not have."""
        self._say(
            Span(partition, place.next - 1, place.next - 1, place.digest)
            for partition, place in self._places.items()
            if place.digest and place.next - 1 > received.get(partition, NONE)
        )

    def _say(self, spans: Iterable[Span]) -> None:
        """Have receipts written, except for the inbox, whose messages the hub does not count."""
        if told := [one for one in spans if one.partition != INBOX]:
            self._office.receipts.add(self.platform, told)

    def hub_has(self, received: dict[int, int]) -> None:
        """Go on from what the hub has as received, through this program or in another way.

        If the hub has less than before, and nothing was handed over since, go back: a stolen key had claimed to receive
        more.
        """
        for partition in {*self._places, *received} - {INBOX}:
            place, following = self._places.get(partition, Place()), received.get(partition, NONE) + 1
            if following > place.next or (following < place.next and not place.digest):
                self._places[partition] = Place(following)
                self._wake.set()

    def place(self, partition: int) -> int:
        """Return the next offset that the receiver has not received."""
        return self._places.get(partition, Place()).next

    def look_again(self) -> None:
        """Wake the courier, because there may be something to carry."""
        self._wake.set()

    async def until(self, condition: Callable[[], bool], patience_s: float) -> bool:
        """Wait for a condition that this courier brings about; return whether it came in time."""
        self.look_again()
        try:
            async with asyncio.timeout(patience_s), self._moved:
                await self._moved.wait_for(condition)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Carry until cancelled."""
        self._office.releases.listen(self._wake)
        try:
            while True:
                self._wake.clear()
                if self._wrong is not None:  # the receiver did not cause it: the program ends and is started again
                    raise self._wrong
                now_ms = self._office.clock()
                for lane in self._due(now_ms):
                    await self._begin(lane)
                    if self._room() <= 0:
                        break
                async with self._moved:
                    self._moved.notify_all()
                await self._rest()
        finally:
            self._office.releases.leave(self._wake)
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await self.channel.close()

    def _room(self) -> int:
        """Return how many more parcels may be on their way; only one may while the receiver only fails, or is slow."""
        one = self.channel.slow or self.health.overall.failing_since is not None
        most = 1 if one else self._office.in_flight_per_receiver_max
        return most - len(self._running)

    def _due(self, now_ms: int) -> list[int]:
        """Return the lanes to look at now, beginning with another one each time, so that none starves."""
        if now_ms < self._first_at or self._room() <= 0:
            return []
        lanes = self.channel.lanes
        self._turn = (self._turn + 1) % len(lanes)
        turned = [*lanes[self._turn :], *lanes[: self._turn]]
        return [one for one in turned if one not in self._running and self.health.may_try(one, now_ms)]

    async def _begin(self, lane: int) -> None:
        try:
            parcel = await self.channel.next_parcel(lane, self._places)
        except (HubError, KafkaError, OSError) as wrong:  # the hub's own fault: it is tried again soon
            log.warning("%s waits for the hub: %s", self.platform, type(wrong).__name__)
            return
        if parcel is None:
            return
        attempt = {}
        for span in parcel.spans:
            place = self._places.get(span.partition, Place())
            if place.attempt_last != span.last:
                attempt[span.partition] = place._replace(attempt_last=span.last)
        if attempt:
            self._places |= attempt
            self._office.journal.put(self.platform, attempt)
        task = asyncio.create_task(self._carry(lane, parcel))
        self._running[lane] = task
        task.add_done_callback(lambda done: self._done(lane, done))

    def _done(self, lane: int, task: asyncio.Task[None]) -> None:
        self._running.pop(lane, None)
        if not task.cancelled() and task.exception() is not None:
            self._wrong = task.exception()
        self._wake.set()

    async def _carry(self, lane: int, parcel: Parcel) -> None:
        begun = time.monotonic()
        answer = await self.channel.hand_over(parcel)
        self._office.metrics.took(time.monotonic() - begun)
        if answer.verdict is Verdict.RECEIVED:
            self._received(parcel.spans)
        self._judge(lane, answer)

    def _received(self, spans: Iterable[Span]) -> None:
        moved, told = {}, []
        for span in spans:
            known = self._places.get(span.partition, Place())
            if span.first > known.next:  # the place went back meanwhile, and what lies before has to come first
                continue
            # The greater one is kept, because the hub may have it further by now.
            moved[span.partition] = max(known._replace(attempt_last=NONE), Place(span.last + 1, span.digest))
            told.append(span)
        self._places |= moved
        self._office.journal.put(self.platform, moved)  # before the receipt, which a crash in between repeats
        self._say(told)

    def _judge(self, lane: int, answer: Answer) -> None:
        before = self.health
        after = judged(before, lane, answer, self._office.clock(), self.channel.patience, random.random())
        self.health = after
        self._office.metrics.answered(self.platform, answer)
        if after.state is not before.state:
            log.info("%s is %s: %s", self.platform, after.state, answer.why)
            self._office.metrics.show(self.platform, after)
        if answer.verdict is not Verdict.RECEIVED or after._replace(received_at=0) != before._replace(received_at=0):
            self._office.journal.put_health(self.platform, self.name, after)

    async def _rest(self) -> None:
        """Wait until something comes, something ends, or a pause is over."""
        now_ms = self._office.clock()
        pauses = [one for one in (self._first_at, self.health.overall.try_at) if one > now_ms]
        if not pauses:
            pauses = [pace.try_at for _, pace in self.health.lanes if pace.try_at > now_ms]
        rest_s = min([IDLE_S, *[(one - now_ms) / 1_000 for one in pauses]])
        try:
            async with asyncio.timeout(max(rest_s, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return
