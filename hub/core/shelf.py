"""This module keeps the coverage stage's state of one partition of `acks`, and decides what to do next, as values.

`hub.stream.coverage` carries these decisions out; a driver in the tests does so too, with dictionaries and a clock of
its own. The rules:

1. What platforms said is merged at once; coverage is published from memory. A chunk of `acks` is acked only once every
   tile that it changed is durable in `tiles`: a `Flush` says what to write, then which chunks to ack, then what to
   remove. A worker that dies in between reads those chunks again, and merging them again changes nothing.
2. A tile's key ends in an epoch, random for each acquisition of the partition, so each key has one writer. A new owner
   ORs the tiles of every epoch; once its own tile is durable it removes those of other epochs. A replaced worker (a
   zombie) can write a stale tile only under its own epoch, so it never unsets a bit.
3. A book is replaced by a fresh one only if a platform's keys now count differently (`hub.core.books`). All its tiles
   are written. A zombie's stale tile is then merged again at the next start.
4. Tiles may hold acknowledgements that were not acked. So figures are exact from the end of `acks` seen at the start
   (`exact_from`), and nothing is published before.
5. A platform's coverage is published only while its book is settled.

For example, `bank` says UNBOUND of 7-120033: the next flush has its tile (7, 1) and its `received` of partition 7. Its
coverage is due at once (`heard`), and the gaps of that segment at the next refresh.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hub.core.acks import Digests, OpenedAck
from hub.core.books import AckBooks
from hub.core.figures import SegmentKey
from hub.core.model import Acknowledgement, AsOf, Coverage, Gaps, Key, Platform, Received, Record, Refusal, Tile
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe

Ack = Callable[[], None]
"""Tells the broker that a chunk of `acks` is durable."""


def tile_key(platform: str, key: SegmentKey, epoch: bytes) -> bytes:
    """Return the key of a record of `tiles` that holds a tile."""
    return f"{platform}/{key[0]}/{key[1]}/{epoch.hex()}".encode()


def received_key(platform: str, partition: int, epoch: bytes) -> bytes:
    """Return the key of a record of `tiles` that holds how far a platform received a partition."""
    return f"{platform}/{partition}/received/{epoch.hex()}".encode()


def says_received(key: bytes | None) -> bool:
    """Return whether a key of `tiles` was made by `received_key`; the other keys are those of tiles."""
    return key is not None and b"/received/" in key


def _thing(key: bytes) -> bytes:
    """Return a key of `tiles` without its epoch: what the record is about."""
    return key.rpartition(b"/")[0]


class Write(NamedTuple):
    """A record of `tiles` to be written."""

    key: bytes
    value: Tile | Received


class Refused(NamedTuple):
    """A message of `acks` that does not count. `platform` is told about it, if it is known."""

    record: Record
    platform: Platform | None
    reason: Refusal


class Flush(NamedTuple):
    """What is made durable, in this order: `writes` and `refused`; then `acks` are called; then `removes` are removed.

    `writes` are made one by one as they are read. `at_ms` is the record time of the last message, or None.
    """

    writes: Iterator[Write]
    refused: list[Refused]
    acks: list[Ack]
    removes: set[bytes]
    at_ms: int | None


class Taken(NamedTuple):
    """How many messages of a chunk counted, and how many positions they named, by platform."""

    messages: Counter[str]
    positions: Counter[str]


class Read(NamedTuple):
    """How far this process has read the other logs: next offsets of `releases` and `reported`, and the time."""

    releases: tuple[int, ...]
    reported: int
    now_ms: int


class Shelf(AckBooks):
    """The books of the platforms whose acknowledgements come in one partition.

    Args:
        partition: the partition of `acks`.
        epoch: 16 random bytes, new for each acquisition of the partition.
        is_home: says whether a platform's acknowledgements come in this partition.
    """

    def __init__(
        self,
        universe: Universe,
        digests: Digests,
        roster: Roster,
        disputes: Disputes,
        *,
        partition: int,
        epoch: bytes,
        is_home: Callable[[str], bool],
    ) -> None:
        super().__init__(universe, digests, roster, disputes)
        self.next_ack = 0
        """The next offset of `acks` to be merged."""

        self.exact_from = 0
        """Figures are exact once `next_ack` has reached this offset."""

        self.heard: set[str] = set()
        """Platforms that said something since their coverage was last published."""

        self._partition, self._epoch, self._is_home = partition, epoch, is_home
        self._chunks: list[tuple[Ack, list[int]]] = []
        """How to ack each chunk that waits for a flush, and the record time of its last message, if it has one."""

        self._refused: list[Refused] = []
        self._gone: set[bytes] = set()
        """The keys of our own records that the fresh books no longer hold."""

        self._foreign: dict[bytes, set[bytes]] = defaultdict(set)
        """The keys of other epochs' records, by what the records are about."""

        self._published: dict[str, Coverage] = {}
        self._stale_gaps: set[tuple[str, SegmentKey]] = set()

    # ---- At the start ----

    def load(self, key: bytes, stored: Tile | Received | None) -> None:
        """Take in a record of `tiles` of any epoch; None removes it."""
        if stored is None:
            self._foreign[_thing(key)].discard(key)
            return
        self._foreign[_thing(key)].add(key)
        book = self.book(stored.platform)
        if isinstance(stored, Tile):
            segment = (stored.partition, stored.segment)
            book.tile(segment).merge(stored.said)
            book.touch(segment)
        else:
            book.receive(stored.partition, stored.through)

    def begin(self, roster_place: int, *, next_ack: int, exact_from: int) -> None:
        """Begin after the tiles were loaded.

        Tiles do not say by which keys they were judged, so a key that is now revoked may have counted there.

        Args:
            roster_place: the next offset of `platforms`.
            next_ack: the offset of `acks` that is committed.
            exact_from: where `acks` ended after the tiles were read.
        """
        self.next_ack, self.exact_from = next_ack, exact_from
        self.sync_roster(roster_place)
        for book in self.books.values():
            book.judged_by = () if book.platform is None else tuple(map(_unrevoked, book.platform.keys))

    def platforms(self) -> list[Platform]:
        """Return the platforms of the roster whose partition this is."""
        return [one for one in self.roster.platforms.values() if self._is_home(one.id)]

    # ---- Acknowledgements ----

    def take(self, opened: Sequence[OpenedAck], end: int, ack: Ack) -> Taken:
        """Merge a chunk. A later flush acks it. The same chunk may come again.

        Args:
            opened: its messages, in order; there may be none.
            end: the offset before which there are no others.
            ack: acks the chunk.
        """
        taken = Taken(Counter(), Counter())
        for one in opened:
            refusal = self.merge(one)
            if refusal is not None:
                self._refused.append(Refused(one.record, one.platform, refusal))
            elif one.ack is not None:
                taken.messages[one.ack.platform] += 1
                for addition in one.additions:
                    taken.positions[one.ack.platform] += len(addition.bits)
        self.next_ack = max(self.next_ack, end)
        self._chunks.append((ack, [one.record.record_time for one in opened[-1:]]))
        return taken

    def _merge(self, opened: OpenedAck, ack: Acknowledgement) -> None:
        super()._merge(opened, ack)
        self.heard.add(ack.platform)

    def refuse(self, lost: Sequence[OpenedAck]) -> None:
        """Refuse messages that counted before and no longer count."""
        self._refused += [Refused(one.record, one.platform, Refusal.BAD_SIGNATURE) for one in lost]

    def replace(self, platform: Platform, fresh: AckBooks) -> None:
        """Replace the old book by a fresh one, all of which is written."""
        name = platform.id
        old, new = self.book(name), fresh.book(name)
        self._gone |= {tile_key(name, one, self._epoch) for one in old.tiles.keys() - new.tiles.keys()}
        self._gone |= {received_key(name, one, self._epoch) for one in old.received.keys() - new.received.keys()}
        self.heard.add(name)
        super().replace(platform, fresh)

    def flush(self) -> Flush | None:
        """Return what to make durable now; None if there is nothing. No later flush holds the same."""
        chunks, self._chunks = self._chunks, []
        tiles, self.dirty_tiles = self.dirty_tiles, set()
        received, self.dirty_received = self.dirty_received, set()
        refused, self._refused = self._refused, []
        gone, self._gone = self._gone, set()
        if not (chunks or tiles or received or refused or gone):
            return None
        ours = {tile_key(*one, self._epoch) for one in tiles}
        ours |= {received_key(*one, self._epoch) for one in received}
        return Flush(
            writes=self._writes(tiles, received),
            refused=refused,
            acks=[ack for ack, _ in chunks],
            removes=(gone - ours) | self._replaced_by(ours | gone),
            at_ms=next((at_ms for _, times in reversed(chunks) for at_ms in times), None),
        )

    def _writes(self, tiles: set[tuple[str, SegmentKey]], received: set[tuple[str, int]]) -> Iterator[Write]:
        for name, key in tiles:
            tile = Tile(name, *key, self._epoch, self.book(name).tile(key).packed())
            yield Write(tile_key(name, key, self._epoch), tile)
        for name, partition in received:
            through = self.book(name).received.get(partition)  # none if the book was replaced meanwhile
            if through is not None:
                value = Received(name, partition, self._epoch, through)
                yield Write(received_key(name, partition, self._epoch), value)

    def _replaced_by(self, keys: set[bytes]) -> set[bytes]:
        """Return the keys of other epochs' records of the same things. Our records then hold their bits durably."""
        return set().union(*(self._foreign.pop(_thing(key), ()) for key in keys))

    # ---- Publishing ----

    @property
    def exact(self) -> bool:
        """Return whether figures may be published."""
        return self.next_ack >= self.exact_from

    def publish(self, platform_id: str, read: Read, *, complete: bool) -> Coverage | None:
        """Return a platform's coverage, or None if nothing is new, or while its book is not settled.

        Args:
            complete: a change of the place in the logs or of the time alone counts as new too.
        """
        book = self.books[platform_id]
        if book.platform is None:
            return None
        if book.judged_by != book.platform.keys:
            self.heard.add(platform_id)  # it is published once it is settled
            return None
        moved = book.refresh(self.universe, read.now_ms)
        self._stale_gaps.update((platform_id, key) for key in moved)
        coverage, before = book.coverage(self._as_of(read)), self._published.get(platform_id)
        if before is not None and _says_nothing_new(coverage, before, complete=complete):
            return None
        self._published[platform_id] = coverage
        return coverage

    def stale_gaps(self) -> list[tuple[str, SegmentKey]]:
        """Return the platforms and segments whose gaps changed since the last call."""
        stale, self._stale_gaps = self._stale_gaps, set()
        return sorted(stale)

    def gaps(self, platform_id: str, key: SegmentKey, read: Read) -> Gaps:
        """Return the gaps of a platform in one segment."""
        return self.books[platform_id].gaps(self.universe, key, self._as_of(read))

    def _as_of(self, read: Read) -> AsOf:
        return AsOf(read.releases, self._partition, self.next_ack, self.roster_place, read.now_ms, read.reported)


def _says_nothing_new(coverage: Coverage, before: Coverage, *, complete: bool) -> bool:
    return coverage == before if complete else coverage._replace(as_of=before.as_of) == before


def _unrevoked(key: Key) -> Key:
    return key._replace(revoked_at=None)
