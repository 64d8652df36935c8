"""This module folds `releases` into RocksDB on local disk, and into packed sets in memory.

One fold serves both stages of a worker: intake asks for a number's case, coverage for the universe of pairs. What a run
of notices changed and the offset they are folded to are written together, so a kill at any moment leaves a state that
is true at some offset. If the directory is lost, a new fold rebuilds it.

The rows are `n` number -> case; `e` partition, operator, event id -> digest and position; `s` partition, source offset
-> position and breaches of an accepted event (the last `SOURCES_KEPT` a partition); `b` partition, block -> times and
stages of 64 positions; `v` partition, offset -> SHA-256 of the notice's value; `d`, `h` and `t`: see `hub.folds.daily`;
`o` partition -> next offset, last source; `l` -> log id and form. For example, `o` 7 -> 120034, 240517 says that
notices before 7-120034 are folded, the last from source 7-240517.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rocksdict import Options, Rdict, WriteBatch

from hub.core import breaches
from hub.core.cases import Case, Folded, fold
from hub.core.intake import SeenEvent
from hub.core.limits import adds
from hub.core.model import SEGMENT, Operator, ReleaseNotice, Source
from hub.core.universe import NO_TIME, STAGES, Universe, UniverseSegment
from hub.folds.case_packing import (
    PLACE,
    AcceptedSource,
    event_key,
    pack_accepted,
    pack_case,
    place_key,
    unpack_accepted,
    unpack_case,
)
from hub.folds.daily import DailyCounts
from hub.folds.digests import NoticeDigests

BLOCK = 64
"""How many positions a stored block has. It is small, because later stages touch blocks all over the log."""

SOURCES_KEPT = 20_000
"""How many accepted sources are kept for each partition: more than a worker can have decided and not committed."""

FORM = b"2"
"""The version of the rows. A directory that was written in another version is folded again: before version 2 there were
no digests."""

_PROGRESS = struct.Struct(">Qq")
_STAGE_CODE = {stage: code + 1 for code, stage in enumerate(STAGES)}


class WorldFailed(BaseException):
    """Raised if the disk failed, not a message: nothing may be refused for that, and the process ends."""


class CaseStore:
    """Implements `hub.core.intake.KnownCases`. It must be used by one thread only."""

    def __init__(self, path: Path, log_id: bytes, partitions: int) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self.universe = Universe()
        self._db = Rdict(str(path), options)
        self._next = dict.fromkeys(range(partitions), 0)
        self._last_source = dict.fromkeys(range(partitions), -1)
        self._cases: dict[str, Case] = {}
        self._events: dict[bytes, SeenEvent] = {}
        self._sources: dict[tuple[int, int], AcceptedSource] = {}
        self.digests = NoticeDigests(self._row)
        self.days = DailyCounts(self._row)
        self._kept: dict[int, deque[int]] = {partition: deque() for partition in range(partitions)}
        self._dropped_sources: list[tuple[int, int]] = []
        self._dirty_blocks: set[tuple[int, int]] = set()
        self._moved: set[int] = set()
        if self._db.get(b"l") not in (None, log_id + FORM):
            self._clear()
        self._db[b"l"] = log_id + FORM
        self._load()

    def _clear(self) -> None:
        for key in list(self._db.keys()):
            del self._db[key]

    def _row(self, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._db.get(key)
        except Exception as broken:
            raise WorldFailed("the case store cannot be read") from broken
        return found

    def _rows(self, kind: bytes) -> Iterable[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=kind):
            if key[:1] != kind:
                return
            yield key[1:], value

    def _load(self) -> None:
        for key, value in self._rows(b"o"):
            partition, _ = PLACE.unpack(key)
            self._next[partition], self._last_source[partition] = _PROGRESS.unpack(value)
        for key, _ in self._rows(b"s"):
            partition, offset = PLACE.unpack(key)
            self._kept[partition].append(offset)
        stages: dict[UniverseSegment, npt.NDArray[np.uint8]] = {}
        for key, value in self._rows(b"b"):
            partition, block = PLACE.unpack(key)
            segment, start = self.universe.at(partition, block * BLOCK)
            if segment not in stages:
                stages[segment] = np.zeros(SEGMENT, dtype=np.uint8)
            times = np.frombuffer(value, dtype=np.int64, offset=BLOCK, count=2 * BLOCK)
            lags = np.frombuffer(value, dtype=np.int32, offset=BLOCK + times.nbytes)  # earlier versions wrote none
            stages[segment][start : start + BLOCK] = np.frombuffer(value, dtype=np.uint8, count=BLOCK)
            segment.at_ms[start : start + BLOCK] = times[:BLOCK]
            segment.reissue_ms[start : start + BLOCK] = times[BLOCK:]
            segment.lag_ms[start : start + len(lags)] = lags
        for segment, found in stages.items():
            segment.load(found)

    def case_of(self, number: str) -> Case | None:
        """Return the last case of a number."""
        case = self._cases.get(number)
        if case is None:
            row = self._row(b"n" + number.encode())
            case = None if row is None else unpack_case(row)
        return case

    def event_of(self, partition: int, operator: str, event_id: bytes) -> SeenEvent | None:
        """Return the accepted event of that id from that operator in that partition."""
        key = event_key(partition, operator, event_id)
        seen = self._events.get(key)
        if seen is None:
            row = self._row(key)
            seen = None if row is None else SeenEvent(row[:32], Source(partition, int.from_bytes(row[32:], "big")))
        return seen

    def last_source(self, partition: int) -> int:
        """Return the offset of the last folded source of a partition, -1 before the first."""
        return self._last_source[partition]

    def accepted(self, source: Source) -> AcceptedSource | None:
        """Return what the fold says of a source, if its notice was folded lately."""
        accepted = self._sources.get((source.partition, source.offset))
        if accepted is None:
            row = self._row(place_key(b"s", *source))
            if row is not None:
                accepted = unpack_accepted(source.partition, row)
        return accepted

    def next_offset(self, partition: int) -> int:
        """Return the next offset of `releases` to be folded."""
        return self._next[partition]

    def next_offsets(self) -> tuple[int, ...]:
        """Return the next offset of every partition, in order."""
        return tuple(self._next[partition] for partition in sorted(self._next))

    def reach(self, partition: int, place: int) -> None:
        """Count everything before an offset as folded: no notice is there that was not added."""
        if self._next[partition] != place:
            self._next[partition] = place
            self._moved.add(partition)

    def add(
        self,
        notice: ReleaseNotice,
        position: Source,
        operator: Operator | None,
        *,
        digest: bytes,
        recorded_at: int,
        released: bool = False,
    ) -> Folded | None:
        """Fold the next notice of a partition.

        Args:
            operator: its roster record; None if breaches and limits do not matter here.
            digest: the SHA-256 of the notice's value, 32 bytes.
            recorded_at: its record time, UTC milliseconds.
            released: a person released it, so it counts in no limit.
        """
        partition, offset = position
        before = self.case_of(notice.subject.value)
        folded = fold(notice, position, self._last_source[partition], lambda _: before)
        self.reach(partition, offset + 1)
        segment, bit = self.universe.at(partition, offset)
        segment.note(bit, notice.published_at, recorded_at)
        self.digests.note(partition, offset, digest)
        self._dirty_blocks.add((partition, offset // BLOCK))
        if folded is None:
            return None
        self._last_source[partition] = notice.source.offset
        self._cases[folded.number] = folded.case
        if operator is not None and not released:
            self.days.count(notice, operator, adds(notice, operator, before))
        key = event_key(partition, notice.operator, notice.event_id)
        self._events[key] = SeenEvent(notice.event_digest, position)
        shown = () if operator is None else breaches.of_notice(notice, operator, before)
        self._remember_source(
            notice.source, AcceptedSource(position, shown, None if folded.opened else folded.case.position)
        )
        self._note_stage(folded, notice)
        return folded

    def _remember_source(self, source: Source, accepted: AcceptedSource) -> None:
        place = (source.partition, source.offset)
        self._sources[place] = accepted
        kept = self._kept[source.partition]
        kept.append(source.offset)
        if len(kept) > SOURCES_KEPT:
            dropped = (source.partition, kept.popleft())
            self._sources.pop(dropped, None)
            self._dropped_sources.append(dropped)

    def _note_stage(self, folded: Folded, notice: ReleaseNotice) -> None:
        partition, offset = folded.case.position
        segment, bit = self.universe.at(partition, offset)
        if folded.opened:
            segment.open(bit, notice.stage, notice.published_at, notice.reissue_not_before)
        else:
            segment.move(bit, notice.stage)
            self._dirty_blocks.add((partition, offset // BLOCK))

    def flush(self) -> None:
        """Write what changed since the last flush, in one atomic batch."""
        if not self._moved:
            return
        batch = WriteBatch(raw_mode=True)
        for number, case in self._cases.items():
            batch.put(b"n" + number.encode(), pack_case(case))
        for key, seen in self._events.items():
            batch.put(key, seen.digest + seen.position.offset.to_bytes(8, "big"))
        for place, accepted in self._sources.items():
            batch.put(place_key(b"s", *place), pack_accepted(accepted))
        for key, digest in self.digests.flush():
            batch.put(key, digest)
        for day, published in self.days.flush():
            batch.put(day, published)
        for place in self._dropped_sources:
            batch.delete(place_key(b"s", *place))
        for partition, block in self._dirty_blocks:
            batch.put(place_key(b"b", partition, block), self._pack_block(partition, block))
        for partition in self._moved:
            progress = _PROGRESS.pack(self._next[partition], self._last_source[partition])
            batch.put(place_key(b"o", partition, 0), progress)
        self._db.write(batch)
        self._cases.clear()
        self._events.clear()
        self._sources.clear()
        self._dropped_sources.clear()
        self._dirty_blocks.clear()
        self._moved.clear()

    def _pack_block(self, partition: int, block: int) -> bytes:
        segment, start = self.universe.at(partition, block * BLOCK)
        stages = np.zeros(BLOCK, dtype=np.uint8)
        for stage, members in segment.by_stage.items():
            for bit in members.iter_equal_or_larger(start):
                if bit >= start + BLOCK:
                    break
                stages[bit - start] = _STAGE_CODE[stage]
        span = slice(start, start + BLOCK)
        times = (segment.at_ms, segment.reissue_ms, segment.lag_ms)
        return stages.tobytes() + b"".join(one[span].tobytes() for one in times)

    def close(self) -> None:
        """Write what is left and close the directory."""
        self.flush()
        self._db.close()


assert SEGMENT % BLOCK == 0
assert np.iinfo(np.int64).max == NO_TIME
