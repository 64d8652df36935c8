"""This module checks batches of messages on threads, by a roster that is read to its end where that may matter.

For example, a message is signed with a key that was put on the roster a moment ago. Its first check fails, the roster
is read to its end, and the second check accepts the message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hub.core.acks import OpenedAck
from hub.core.intake import Arrival
from hub.core.model import Record, Refusal
from hub.core.roster import Roster
from hub.folds.roster import RosterFollower
from hub.wire.checking import OpenedAnswer, OpenedReport, Opener, wants_newer_roster

T = TypeVar("T")

SLICE = 250
"""How many messages one thread checks at a time: enough to be worth the hand-over, few enough to share out."""


class Checker:
    """Opens messages: it checks their signatures and decodes their values.

    Args:
        opener: opens one message at this hub.
        roster: says whose keys count.
        pool: the threads; libsodium works outside Python's lock, so there may be several.
    """

    def __init__(self, opener: Opener, roster: RosterFollower, pool: ThreadPoolExecutor) -> None:
        self._opener = opener
        self.roster = roster
        self._pool = pool

    async def events(self, records: Sequence[Record]) -> list[Arrival]:
        """Open messages of `events`, in order."""
        return await self._check(records, self._opener.events, wants_newer_roster)

    async def acks(self, records: Sequence[Record]) -> list[OpenedAck]:
        """Open messages of `acks`, in order."""
        return await self._check(records, self._opener.acks, lambda one: one.refusal is Refusal.BAD_SIGNATURE)

    async def reports(self, records: Sequence[Record]) -> list[OpenedReport]:
        """Open messages of `reports`, in order."""
        return await self._check(records, self._opener.reports, lambda one: one.content is Refusal.BAD_SIGNATURE)

    async def answers(self, records: Sequence[Record]) -> list[OpenedAnswer]:
        """Open messages of `answers`, in order."""
        return await self._check(records, self._opener.answers, lambda one: one.content is Refusal.BAD_SIGNATURE)

    async def _check(
        self,
        records: Sequence[Record],
        opener: Callable[[Sequence[Record], Roster], list[T]],
        is_unknown: Callable[[T], bool],
    ) -> list[T]:
        """Open messages. If a newer roster may change a result, read the roster to its end and open them again."""
        opened = await self._on_threads(records, opener)
        again = [index for index, one in enumerate(opened) if is_unknown(one)]
        if again:
            await self.roster.caught_up()
            fresh = await self._on_threads([records[index] for index in again], opener)
            for index, one in zip(again, fresh, strict=True):
                opened[index] = one
        return opened

    async def _on_threads(
        self, records: Sequence[Record], opener: Callable[[Sequence[Record], Roster], list[T]]
    ) -> list[T]:
        loop = asyncio.get_running_loop()
        slices = [records[start : start + SLICE] for start in range(0, len(records), SLICE)]
        done = await asyncio.gather(
            *(loop.run_in_executor(self._pool, opener, one, self.roster.roster) for one in slices)
        )
        return [item for part in done for item in part]
