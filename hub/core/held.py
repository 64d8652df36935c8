"""This module folds the topic `held` into the events that wait for a person.

Rules:
1. An event over its operator's limit is held: neither refused nor published (`hub.core.limits`). The counts come from
   the fold of `releases` and what a worker has decided and not folded yet.
2. What only lifts what may be lifted is never held for a limit: holding it harms people.
3. While an event of a number is held, every later one of that operator and number is held behind it, so that order
   is kept. Another operator's are not: else whoever is over its limit could hold up other operators' numbers.
4. A person releases or drops held events by name. Then the same bytes are sent into `events` again, with a header that
   names the held source. Such a copy is judged at its own place in the log. But what the sender did (signature, times,
   LATE_EVENT) is judged at the first record time, by the roster as it is now; so a key that was revoked from an earlier
   time on no longer signs. It passes the limit and counts in none. Only the registrar writes verdicts, so a sender
   gains nothing by the header alone.
5. The first verdict on a held event counts, and its first copy decides it; any later copy is a duplicate.
6. A copy that is sent while an earlier event of its number still waits changes nothing.
7. A source with a notice that counts is not held, even if a worker that was already replaced wrote that it is.

For example, with `limit_daily` 1000 an operator's COOLING at 7-240517 is the 1,001st of a day, and is held. A person
releases it, and its bytes come again at 7-240600 with the header `held-source: 7-240517`: this copy becomes the notice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, MutableMapping
from hashlib import sha256
from typing import NamedTuple

from hub.core.model import (
    Header,
    HeldDecided,
    HeldEvent,
    HeldRelease,
    HeldVerdict,
    HeldWhy,
    Record,
    Source,
)

HELD_SOURCE_HEADER = "held-source"
"""The header of a held event sent again. It names the partition and offset of the held event, such as `8-240517`."""

HEADERS_KEPT_BYTES = 64 * 1024
"""How many bytes of an event's headers are kept, the headers of the signature first."""

SEAL = ("signature", "key-id")
OPERATORS_KEY = b"q"


class HeldRow(NamedTuple):
    """A held event as folded. `copy` is the source that decided it; it is its own source if its own notice counts."""

    operator: str
    number: str
    event_id: bytes
    digest: bytes
    why: HeldWhy
    recorded_at: int
    verdict: HeldVerdict | None = None
    copy: Source | None = None


class HeldCopy(NamedTuple):
    """What is known of a held event that is sent again. `decided` says whether an earlier copy decided it."""

    source: Source
    recorded_at: int
    verdict: HeldVerdict
    decided: bool


class HeldBook:
    """The fold of `held`. Folding anything twice changes nothing.

    Args:
        rows: where it is kept: a dictionary, or a store on disk. The rows are `h` source -> held event; `c` operator
            and number -> offsets that wait; `e` partition, operator, event id -> offsets ever held; `m` partition ->
            the last offset held; `q` -> operators that ever had an event held.
    """

    def __init__(self, rows: MutableMapping[bytes, bytes] | None = None) -> None:
        self._rows = {} if rows is None else rows
        # They are kept in memory too: this is asked for every event, and nearly all operators stay below their limits.
        self._operators: set[str] = set(json.loads(self._rows.get(OPERATORS_KEY) or b"[]"))

    def hold(self, held: HeldEvent, number: str) -> None:
        """Fold a held event."""
        source = held.source
        if self.of(source) is not None:
            return
        if held.operator not in self._operators:
            self._operators.add(held.operator)
            self._rows[OPERATORS_KEY] = json.dumps(sorted(self._operators)).encode()
        # Its own row is written last: a process that dies before that folds the event again.
        self._put_offsets(_event_key(source.partition, held.operator, held.event_id), source.offset)
        self._put_offsets(_chain_key(held.operator, number), source.offset)
        if source.offset > self.last_held(source.partition):
            self._rows[_last_key(source.partition)] = str(source.offset).encode()
        digest = sha256(held.value).digest()
        self._put(source, HeldRow(held.operator, number, held.event_id, digest, held.why, held.recorded_at))

    def judge(self, release: HeldRelease) -> None:
        """Fold a person's verdict."""
        for source in release.sources:
            row = self.of(source)
            # An event whose own notice counts takes the verdict too: its copy is then known as a copy, and is a
            # duplicate.
            if (
                row is not None
                and (row.operator, row.verdict) == (release.operator, None)
                and row.copy in (None, source)
            ):
                self._put(source, row._replace(verdict=release.verdict))

    def settle(self, decided: HeldDecided) -> None:
        """Fold the hub's decision."""
        self._settle(decided.source, decided.copy)

    def void(self, source: Source) -> None:
        """Note that a notice of this source counts, so the source is not held."""
        self._settle(source, source)

    def _settle(self, source: Source, copy: Source) -> None:
        row = self.of(source)
        if row is None or row.copy is not None:
            return
        key = _chain_key(row.operator, row.number)
        left = [offset for offset in self._offsets(key) if offset != source.offset]
        if left:
            self._rows[key] = json.dumps(left).encode()
        elif self._rows.get(key) is not None:
            del self._rows[key]
        self._put(source, row._replace(copy=copy))

    def of(self, source: Source) -> HeldRow | None:
        """Return the held event of a source."""
        data = self._rows.get(_row_key(source))
        if data is None:
            return None
        operator, number, event_id, digest, why, recorded_at, verdict, copy = json.loads(data)
        return HeldRow(
            operator,
            number,
            bytes.fromhex(event_id),
            bytes.fromhex(digest),
            HeldWhy(why),
            recorded_at,
            None if verdict is None else HeldVerdict(verdict),
            None if copy is None else Source(*copy),
        )

    def waiting(self, operator: str, number: str) -> list[int]:
        """Return the offsets of an operator's events of a number that are held and not decided, in order."""
        return self._offsets(_chain_key(operator, number)) if operator in self._operators else []

    def ever_held(self, partition: int, operator: str, event_id: bytes) -> list[int]:
        """Return the offsets at which an event was held, decided or not."""
        return self._offsets(_event_key(partition, operator, event_id)) if operator in self._operators else []

    def last_held(self, partition: int) -> int:
        """Return the last offset of a partition of `events` that was held; -1 before the first."""
        return int(self._rows.get(_last_key(partition)) or -1)

    def copy_of(self, record: Record) -> HeldCopy | None:
        """Return the held event that a message of `events` is a copy of, if a person has decided on that event."""
        source = named_source(record)
        if source is None or source.partition != record.partition:
            return None
        row = self.of(source)
        if row is None or row.verdict is None or row.digest != sha256(record.value or b"").digest():
            return None
        decided = row.copy not in (None, Source(record.partition, record.offset))
        return HeldCopy(source, row.recorded_at, row.verdict, decided)

    def _put(self, source: Source, row: HeldRow) -> None:
        plain = [*row[:2], row.event_id.hex(), row.digest.hex(), *row[4:]]
        self._rows[_row_key(source)] = json.dumps(plain).encode()

    def _offsets(self, key: bytes) -> list[int]:
        data = self._rows.get(key)
        return [] if data is None else [int(one) for one in json.loads(data)]

    def _put_offsets(self, key: bytes, offset: int) -> None:
        self._rows[key] = json.dumps(sorted({*self._offsets(key), offset})).encode()


def _row_key(source: Source) -> bytes:
    return b"h%d-%d" % source


def _chain_key(operator: str, number: str) -> bytes:
    return f"c{number} {operator}".encode()


def _event_key(partition: int, operator: str, event_id: bytes) -> bytes:
    return b"e%d " % partition + event_id + operator.encode()


def _last_key(partition: int) -> bytes:
    return b"m%d" % partition


def named_source(record: Record) -> Source | None:
    """Return the held source that a message says it is the copy of."""
    for name, value in record.headers:
        if name == HELD_SOURCE_HEADER and value is not None:
            partition, _, offset = value.partition(b"-")
            if partition.isdigit() and offset.isdigit() and len(value) < HEADERS_KEPT_BYTES:
                return Source(int(partition[:10]), int(offset[:19]))
    return None


def kept_headers(headers: Iterable[tuple[str, bytes | None]]) -> tuple[Header, ...]:
    """Return the headers of an event that are kept: those of the signature first, and without `HELD_SOURCE_HEADER`."""
    kept, size = [], 0
    found = [(name, value or b"") for name, value in headers if name != HELD_SOURCE_HEADER]
    for name, value in sorted(found, key=lambda one: one[0] not in SEAL):
        size += len(name) + len(value)
        if size <= HEADERS_KEPT_BYTES:
            kept.append(Header(name, value))
    return tuple(kept)
