"""This module makes files of days, which together hold every position of `releases` exactly once.

A file has the same bytes whenever it is made. The file of a day holds, of each partition, the positions from the first
one recorded at or after the day's begin (UTC) up to the first one recorded at or after its end. For example, a notice
that is recorded at 2026-01-31T23:59:59.999Z is in the file of 2026-01-31. These bounds depend only on the log, so files
never overlap and leave nothing out, even where brokers' clocks differ. They are final once a day has been over for
`file_grace_s`, which is longer than those clocks may differ. The file is CSV with times in UTC milliseconds; its
signature is Ed25519 over ``unbind-hub/v1`` NUL hub id NUL ``files/<day>`` NUL SHA-256 of the file.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from hub.core.model import HubLog
from hub.delivery.channels import Span
from hub.delivery.releases import Releases, Told
from hub.delivery.settings import DeliverySettings
from hub.wire.signing import Signer, signed_bytes

READ_NOTICES = 500
KNOWN_MAX = 64
"""The digests of so many files are remembered."""

COLUMNS = (
    *("position", "case", "stage", "scheme", "number", "key_id", "operator", "occurred_at", "published_at"),
    *("bound_before", "cooling_until", "reissue_not_before", "reminders", "event_id", "digest"),
)


class DayFile(NamedTuple):
    """This is one day's file on disk."""

    day: date
    path: Path
    spans: tuple[Span, ...]
    sha256: bytes
    signature: bytes
    positions: int


class Listed(NamedTuple):
    """This is one day in the list, with the positions in its file, by partition as [first, end)."""

    day: date
    spans: dict[int, tuple[int, int]]

    @property
    def positions(self) -> int:
        """Return how many positions the file has."""
        return sum(end - first for first, end in self.spans.values())


def begin_ms(day: date) -> int:
    """Return when a day begins, UTC milliseconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000)


def day_of(at_ms: int) -> date:
    """Return the UTC day of a time."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).date()


def row_of(told: Told) -> tuple[object, ...]:
    """Return one position as a row; if it is no notice, the row has only its position and digest."""
    position = f"{told.partition}-{told.offset}"
    notice = told.notice
    if notice is None:
        return (position, *[""] * (len(COLUMNS) - 2), told.digest.hex())
    case = told.offset if notice.opened_at is None else notice.opened_at
    return (
        *(position, f"{told.partition}-{case}", notice.stage, notice.subject.scheme, notice.subject.value),
        *(notice.subject.key_id or "", notice.operator, notice.occurred_at, notice.published_at),
        *(notice.bound_before, _or_empty(notice.cooling_until), _or_empty(notice.reissue_not_before)),
        *(notice.reminders, notice.event_id.hex(), told.digest.hex()),
    )


def _or_empty(at_ms: int | None) -> object:
    return "" if at_ms is None else at_ms


def csv_bytes(rows: list[tuple[object, ...]]) -> bytes:
    """Return rows as CSV (RFC 4180), lines ending in LF."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


class DayFiles:
    """This makes files of days, and keeps the newest on disk."""

    def __init__(
        self,
        settings: DeliverySettings,
        hub_log: HubLog,
        releases: Releases,
        signer: Signer,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._hub_log = hub_log
        self._releases = releases
        self._signer = signer
        self._clock = clock
        self._folder = settings.data_dir / "files"
        self._bounds: dict[date, list[int]] = {}
        self._known: dict[date, DayFile] = {}
        self._making = asyncio.Lock()
        self._first: date | None = None

    def clear(self) -> None:
        """Remove the files that an earlier run left on disk, as they hold numbers; they are made again on request."""
        for left in [*self._folder.glob("*.csv"), *self._folder.glob("*.tmp")]:
            left.unlink()

    async def first_day(self) -> date:
        """Return the day of the log's first notice, or, without one, the day on which the log was made."""
        if self._first is None:
            found = [await self._releases.read(one, 0, 1) for one in range(self._hub_log.partitions)]
            times = [told[0].record_time for told in found if told]
            if not times:
                return day_of(self._hub_log.made_at)
            self._first = day_of(min(times))
        return self._first

    def last_day(self) -> date:
        """Return the last day whose file is final."""
        return day_of(self._clock() - int(self._settings.file_grace_s * 1_000)) - timedelta(days=1)

    async def positions(self, day: date) -> Listed:
        """Return which positions are in the file of a day that is final."""
        first, end = await self._bound(day), await self._bound(day + timedelta(days=1))
        spans = {p: (first[p], end[p]) for p in range(self._hub_log.partitions) if first[p] < end[p]}
        return Listed(day, spans)

    async def _bound(self, day: date) -> list[int]:
        known = self._bounds.get(day)
        if known is None:
            known = self._bounds[day] = await self._releases.first_at(begin_ms(day))
        return known

    async def days(self, since: date, limit: int) -> list[Listed]:
        """Return at most `limit` days that have notices, from `since` on."""
        day, found = max(since, await self.first_day()), list[Listed]()
        while day <= self.last_day() and len(found) < limit:
            listed = await self.positions(day)
            found += [listed] if listed.spans else []
            day += timedelta(days=1)
        return found

    async def file(self, day: date) -> DayFile | None:
        """Return the file of a day, and make it if it is not there; return None if the day has none, or none yet."""
        if day > self.last_day() or day < await self.first_day():
            return None
        async with self._making:
            known = self._known.get(day)
            if known is None or not known.path.exists():
                listed = await self.positions(day)
                if not listed.spans:
                    return None
                known = await self._make(listed)
                self._forget()
                self._known[day] = known
            return known

    async def _make(self, listed: Listed) -> DayFile:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds numbers
        path = self._folder / f"{self._hub_log.log_id.hex()[:8]}-{listed.day}.csv"
        scratch, digest, spans = path.with_suffix(".tmp"), sha256(), list[Span]()
        with scratch.open("wb") as out:
            head = csv_bytes([COLUMNS])
            out.write(head)
            digest.update(head)
            for partition, (first, end) in sorted(listed.spans.items()):
                last = b""
                async for told in self._read(partition, first, end):
                    piece = csv_bytes([row_of(one) for one in told])
                    out.write(piece)
                    digest.update(piece)
                    last = told[-1].digest
                spans.append(Span(partition, first, end - 1, last))
        scratch.replace(path)
        signed = signed_bytes(self._hub_log.hub_id, f"files/{listed.day}", digest.digest())
        signature = self._signer.sign(signed)
        return DayFile(listed.day, path, tuple(spans), digest.digest(), signature, listed.positions)

    async def _read(self, partition: int, first: int, end: int) -> AsyncIterator[list[Told]]:
        while first < end:
            told = list(await self._releases.read(partition, first, min(READ_NOTICES, end - first)))
            if not told:
                raise RuntimeError(f"releases {partition}-{first} cannot be read, though the log is longer")
            yield told
            first = told[-1].offset + 1

    def _forget(self) -> None:
        """Keep only the newest files; others are made again on request."""
        while len(self._known) >= min(self._settings.files_kept_max, KNOWN_MAX):
            self._known.pop(min(self._known)).path.unlink(missing_ok=True)
