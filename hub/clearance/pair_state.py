"""This module folds what `PairsNow` knows in memory, and keeps it in RocksDB on local disk.

`PairState` is the fold: every platform's tiles, how far it received, and its cohorts' first effects, merged with the
code of the coverage stage. Each book says by which keys its acknowledgements were judged: it is settled if the roster
has the same keys. `PairStore` is the durable copy. What a run of acks changed and the offsets at which they end are
written together, so a kill at any moment leaves a state that is true at some offset. Acks beyond it are merged once;
this matters for the counts, which are not merged by OR. If the directory is lost, a fold from the start is needed.

The rows are `t` platform NUL partition segment -> tile; `r` platform NUL partition -> through; `h` platform NUL day ->
first effects by bucket; `k` platform -> keys it is judged by; `o` partition -> next offset of `acks`; `l` -> log id and
form. For example, `o` 7 -> 5120 says that the acks of partition 7 before offset 5120 are merged.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from rocksdict import Options, Rdict, WriteBatch

from hub.core.acks import Digests, OpenedAck
from hub.core.books import AckBooks
from hub.core.cases import Case
from hub.core.cohorts import BUCKETS, Cohorts
from hub.core.coverage import pack, unpack
from hub.core.figures import PlatformBook
from hub.core.model import Acknowledgement, Key, Outcome, Platform, Source
from hub.core.pairs import CaseNow, PairNow, open_pairs
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe

_TWO = struct.Struct(">II")
_ONE = struct.Struct(">I")
_SAID = struct.Struct(">BI")
_PLACE = struct.Struct(">Q")
OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
FORM = b"3"
"""The version of the rows and of the rules by which they were merged. State of another version is folded again: before
version 3 no digest was compared."""


class PairState(AckBooks):
    """Knows every pair of a case and a platform at one place in the logs, and how long first effects took."""

    def __init__(self, universe: Universe, digests: Digests, roster: Roster, disputes: Disputes) -> None:
        super().__init__(universe, digests, roster, disputes)
        self.cohorts = Cohorts()
        self.dirty_hours: set[tuple[str, int]] = set()
        self.dirty_keys: set[str] = set()
        self.replaced: set[str] = set()

    def current(self) -> list[PlatformBook]:
        """Return a book for every platform on the roster, with its newest record."""
        return [self.current_of(platform) for platform in self.platforms()]

    def current_of(self, platform: Platform) -> PlatformBook:
        """Return the book of one platform of the roster."""
        book = self.book(platform.id)
        book.platform = platform
        return book

    def open_pairs(
        self, cases: Iterable[Case], platforms: Iterable[Platform], now_ms: int
    ) -> dict[Source, list[PairNow]]:
        """Return the gaps of some cases at some platforms of the roster, by case."""
        found: dict[Source, list[PairNow]] = {}
        books = [self.current_of(one) for one in platforms]
        asked = [CaseNow(one.position, one.stage, one.published_at, one.reissue_not_before) for one in cases]
        for position, pair in open_pairs(books, asked, now_ms):
            found.setdefault(position, []).append(pair)
        return found

    def _merge(self, opened: OpenedAck, ack: Acknowledgement) -> None:
        book, at_ms = self.book(ack.platform), opened.record.record_time
        self.dirty_hours |= self.cohorts.first_effects(book, opened.additions, self.universe, at_ms)
        super()._merge(opened, ack)

    def settle(self, platform: Platform) -> None:
        """Note that a platform's book agrees with its keys."""
        super().settle(platform)
        self.dirty_keys.add(platform.id)

    def fresh(self) -> PairState:
        """Return an empty state, into which one platform's acknowledgements are merged again."""
        return PairState(self.universe, self.digests, self.roster, self.disputes)

    def replace(self, platform: Platform, fresh: AckBooks) -> None:
        """Replace a platform's book and its first effects by what was merged again by its keys."""
        assert isinstance(fresh, PairState), "made by fresh()"
        name = platform.id
        self.cohorts.forget(name)
        self.cohorts.hours |= fresh.cohorts.hours
        self.dirty_hours = {one for one in self.dirty_hours if one[0] != name} | fresh.dirty_hours
        self.replaced.add(name)
        super().replace(platform, fresh)


class PairStore:
    """Keeps the durable copy. It must be used by one thread only."""

    def __init__(self, path: Path, log_id: bytes) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self._db = Rdict(str(path), options)
        if self._db.get(b"l") not in (None, log_id + FORM):
            for key in list(self._db.keys()):
                del self._db[key]
        self._db[b"l"] = log_id + FORM

    def places(self, partitions: int) -> dict[int, int]:
        """Return the next offset of each partition of `acks` to be merged."""
        rows = {one: self._db.get(b"o" + _ONE.pack(one)) for one in range(partitions)}
        return {one: 0 if row is None else int(_PLACE.unpack(row)[0]) for one, row in rows.items()}

    def load(self, state: PairState) -> None:
        """Load everything that is kept into a new state."""
        for key, value in self._rows(b"t"):
            platform, numbers = _split(key)
            partition, segment = _TWO.unpack(numbers)
            tile = state.book(platform).tile((partition, segment))
            for outcome, bits in _unpack_tile(value):
                tile.add(outcome, unpack(bits))
            state.book(platform).touch((partition, segment))
        for key, value in self._rows(b"r"):
            platform, numbers = _split(key)
            state.book(platform).receive(_ONE.unpack(numbers)[0], _PLACE.unpack(value)[0])
        for key, value in self._rows(b"h"):
            platform, numbers = _split(key)
            state.cohorts.hours[platform, _ONE.unpack(numbers)[0]] = np.frombuffer(value, dtype="<u4").astype(np.uint32)
        for key, value in self._rows(b"k"):
            state.book(key.decode()).judged_by = tuple(_unpack_keys(value))

    def save(self, state: PairState, places: Iterable[tuple[int, int]]) -> None:
        """Write what changed since the last time, and how far it is merged, in one atomic batch."""
        batch = WriteBatch(raw_mode=True)
        for platform in state.replaced:
            for kind in (b"t", b"r", b"h"):
                for rest, _ in self._rows(kind + platform.encode() + b"\0"):
                    batch.delete(kind + platform.encode() + b"\0" + rest)
        for platform in state.dirty_keys:
            batch.put(b"k" + platform.encode(), _pack_keys(state.book(platform).judged_by))
        for platform, key in state.dirty_tiles:
            said = state.book(platform).tile(key).said
            row = b"".join(_pack_said(outcome, pack(bits)) for outcome, bits in said.items())
            batch.put(b"t" + platform.encode() + b"\0" + _TWO.pack(*key), row)
        for platform, partition in state.dirty_received:
            through = state.book(platform).received[partition]
            batch.put(b"r" + platform.encode() + b"\0" + _ONE.pack(partition), _PLACE.pack(through))
        for platform, day in state.dirty_hours:
            hours = state.cohorts.hours[platform, day].astype("<u4").tobytes()
            batch.put(b"h" + platform.encode() + b"\0" + _ONE.pack(day), hours)
        for partition, place in places:
            batch.put(b"o" + _ONE.pack(partition), _PLACE.pack(place))
        self._db.write(batch)
        state.dirty_tiles.clear()
        state.dirty_received.clear()
        state.dirty_hours.clear()
        state.dirty_keys.clear()
        state.replaced.clear()

    def close(self) -> None:
        """Close the directory."""
        self._db.close()

    def _rows(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=prefix):
            if not key.startswith(prefix):
                return
            yield key[len(prefix) :], value


def _split(key: bytes) -> tuple[str, bytes]:
    platform, _, numbers = key.partition(b"\0")
    return platform.decode(), numbers


def _pack_keys(keys: tuple[Key, ...]) -> bytes:
    return json.dumps([one._replace(public=one.public.hex()) for one in keys]).encode()  # type: ignore[arg-type]


def _unpack_keys(row: bytes) -> Iterator[Key]:
    for key_id, public, *times in json.loads(row):
        yield Key(key_id, bytes.fromhex(public), *times)


def _pack_said(outcome: Outcome, bits: bytes) -> bytes:
    return _SAID.pack(OUTCOMES.index(outcome), len(bits)) + bits


def _unpack_tile(row: bytes) -> Iterator[tuple[Outcome, bytes]]:
    at = 0
    while at < len(row):
        code, size = _SAID.unpack_from(row, at)
        at += _SAID.size
        yield OUTCOMES[code], row[at : at + size]
        at += size


assert BUCKETS < 64, "a row of first effects stays small"
