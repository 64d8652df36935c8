"""This module is the channel of daily files: a file is received once the receiver proves that it has all of it.

A server cannot know that what it wrote into a connection has arrived. So a file counts as received when its SHA-256
comes back (`PUT /v1/platforms/{id}/files/{day}/receipt`), in the order of days, so that `received` has no holes. For
example, the receipt of 2026-02-01 is refused as NOT_IN_ORDER while that of 2026-01-31 is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hub.delivery.channels import Parcel
from hub.delivery.day_files import DayFile, DayFiles
from hub.delivery.health import Answer, Verdict
from hub.delivery.journal import Place
from hub.delivery.settings import FILE_PATIENCE, Patience


class FileChannel:
    """This offers days one after another to one receiver."""

    lanes: Sequence[int] = (0,)

    comes_by_itself = True
    has_inbox = False

    def __init__(
        self, day_files: DayFiles, partitions: int, offer_s: float, patience: Patience = FILE_PATIENCE
    ) -> None:
        self.patience = patience
        self.offered: DayFile | None = None
        self.slow = False
        self._day_files = day_files
        self._partitions = partitions
        self._offer_s = offer_s
        self._from: date | None = None
        self._passed: dict[int, int] = {}
        self._confirmed: date | None = None
        self._some = asyncio.Event()

    async def next_parcel(self, lane: int, places: Mapping[int, Place]) -> Parcel | None:
        """Return the file of the first day that holds something not received, or None while there is none yet."""
        del lane
        if any(end > places.get(one, Place()).next for one, end in self._passed.items()):  # the place went back
            self._from, self._passed = None, {}
        for listed in await self._day_files.days(self._from or date.min, 1_000):
            if any(end > places.get(one, Place()).next for one, (_, end) in listed.spans.items()):
                made = await self._day_files.file(listed.day)
                if made is None:
                    return None
                self.offered = made
                ahead = [one for one in made.spans if one.last >= places.get(one.partition, Place()).next]
                return Parcel(f"file_{listed.day}", tuple(ahead), made.sha256)
            self._from = listed.day + timedelta(days=1)
            self._passed |= {one: end for one, (_, end) in listed.spans.items()}
        self.offered = None
        return None

    async def hand_over(self, parcel: Parcel) -> Answer:
        """Wait for the proof that the offered file was fetched whole."""
        try:
            async with asyncio.timeout(self._offer_s):
                while self._confirmed is None or parcel.id != f"file_{self._confirmed}":
                    self._some.clear()
                    await self._some.wait()
        except TimeoutError:
            return Answer(Verdict.FAILED, "not_fetched")
        return Answer(Verdict.RECEIVED, "fetched")

    def confirm(self, day: date, sha256: bytes) -> bool:
        """Confirm that the offered file was fetched whole; return False if day or SHA-256 are not those offered."""
        if self.offered is None or (day, sha256) != (self.offered.day, self.offered.sha256):
            return False
        self._confirmed = day
        self._some.set()
        return True

    async def close(self) -> None:
        """Do nothing, because there is no connection."""
