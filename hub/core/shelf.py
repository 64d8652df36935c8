"""The coverage stage's state of one partition of `acks`, and what to do next, as values.

`hub.stream.coverage` carries out what this decides, and so does a driver in the tests, with dictionaries and a clock of
its own. The rules:

1. What platforms said is merged at once; coverage is published from memory. A chunk of `acks` is acked only once every
   tile that it changed is durable in `tiles`: a `Flush` says what to write, then which chunks to ack, then what to
   remove. Whoever dies in between reads those chunks again, and merging them again changes nothing.
2. A tile's key ends in an epoch, random for each acquisition of the partition, so each key has one writer. A new owner
   ORs the tiles of every epoch; once a tile of its own is durable it removes the others'. A zombie can write a stale
   tile under its own epoch, and so never unset a bit.
3. Only where a platform's keys come to count otherwise (`hub.core.books`) is a book replaced by a fresh one, all of
   whose tiles are written anew. A stale tile of a zombie's is then met at the next start, where it is merged again.
4. Tiles may hold acknowledgements that were not acked: figures are exact from the end of `acks` seen at the start
   (`exact_from`), and nothing is published before.
5. A platform's coverage is published only while its book is settled.

For example, `bank` says UNBOUND of 7-120033: its tile (7, 1) and its `received` of partition 7 are in the next flush,
its coverage is due at once (`heard`), and the gaps of that segment are due at the next refresh.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hub.core.acks import OpenedAck
from hub.core.books import AckBooks
from hub.core.figures import SegmentKey
from hub.core.model import Acknowledgement, AsOf, Coverage, Gaps, Key, Platform, Received, Record, Refusal, Tile
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe

Ack = Callable[[], None]
"""Tells the broker that a chunk of `acks` is durable."""


def tile_key(platform: str, key: SegmentKey, epoch: bytes) -> bytes:
    """The key of a record of `tiles` that holds a tile."""
    return f"{platform}/{key[0]}/{key[1]}/{epoch.hex()}".encode()


def received_key(platform: str, partition: int, epoch: bytes) -> bytes:
    """The key of a record of `tiles` that holds how far a platform received a partition."""
    return f"{platform}/{partition}/received/{epoch.hex()}".encode()


def says_received(key: bytes | None) -> bool:
    """Whether the key of a `tiles` record is one of `received_key`; the others are of what platforms said."""
    return key is not None and b"/received/" in key


def _thing(key: bytes) -> bytes:
    """What a record of `tiles` is of: its key without the epoch."""
    return key.rpartition(b"/")[0]


class Write(NamedTuple):
    """A record of `tiles` to be written."""

    key: bytes
    value: Tile | Received


class Refused(NamedTuple):
    """A message of `acks` that does not count. `platform`: who is told of it, if that is known."""

    record: Record
    platform: Platform | None
    reason: Refusal


class Flush(NamedTuple):
    """What is made durable, in this order: `writes` and `refused`; then `acks` are told; then `removes` go.

    `writes` are made one by one as they are asked for. `at_ms`: the record time of the last chunk, or None.
    """

    writes: Iterator[Write]
    refused: list[Refused]
    acks: list[Ack]
    removes: set[bytes]
    at_ms: int | None


class Taken(NamedTuple):
    """What of a chunk counted, by platform: messages, and the positions named in them."""

    messages: Counter[str]
    positions: Counter[str]


class Read(NamedTuple):
    """How far this process has read beside `acks`: next offsets of `releases` and `reported`, and the time."""

    releases: tuple[int, ...]
    reported: int
    now_ms: int


class Shelf(AckBooks):
    """The books of the platforms whose acknowledgements come in one partition.

    Args:
        partition: of `acks`.
        epoch: 16 random bytes, new for each acquisition of the partition.
        is_home: whether a platform's acknowledgements come in this partition.
    """

    def __init__(
        self,
        universe: Universe,
        roster: Roster,
        disputes: Disputes,
        *,
        partition: int,
        epoch: bytes,
        is_home: Callable[[str], bool],
    ) -> None:
        super().__init__(universe, roster, disputes)
        self.next_ack = 0
        """The next offset of `acks` to be merged."""

        self.exact_from = 0
        """Figures are exact once `next_ack` is here."""

        self.heard: set[str] = set()
        """Platforms that said something since their coverage was last published."""

        self._partition, self._epoch, self._is_home = partition, epoch, is_home
        self._chunks: list[tuple[Ack, int]] = []
        """How to ack each chunk that waits for a flush, and its last record time; not its records."""

        self._refused: list[Refused] = []
        self._gone: set[bytes] = set()
        """Keys of our own records that fresh books hold no more."""

        self._foreign: dict[bytes, set[bytes]] = defaultdict(set)
        """Keys of other epochs' records, by what they are of."""

        self._published: dict[str, Coverage] = {}
        self._stale_gaps: set[tuple[str, SegmentKey]] = set()

    # ---- At the start ----

    def load(self, key: bytes, stored: Tile | Received | None) -> None:
        """Take in a record of `tiles`, of whatever epoch; None removes it."""
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

        Tiles do not say by which keys they were judged, so a revoked key is one that may have counted there.

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
        """The platforms of the roster that are at home here."""
        return [one for one in self.roster.platforms.values() if self._is_home(one.id)]

    # ---- Acknowledgements ----

    def take(self, opened: Sequence[OpenedAck], end: int, ack: Ack) -> Taken:
        """Merge a chunk. It is acked by a later flush; a chunk may come once more.

        Args:
            opened: its messages, in order; at least one.
            end: the offset after the last of them.
            ack: how to ack it.
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
        self._chunks.append((ack, opened[-1].record.record_time))
        return taken

    def _merge(self, opened: OpenedAck, ack: Acknowledgement) -> None:
        super()._merge(opened, ack)
        self.heard.add(ack.platform)

    def refuse(self, lost: Sequence[OpenedAck]) -> None:
        """Refuse what counted before and does so no more."""
        self._refused += [Refused(one.record, one.platform, Refusal.BAD_SIGNATURE) for one in lost]

    def replace(self, platform: Platform, fresh: AckBooks) -> None:
        """Put a fresh book in place of the old one, and write all of it."""
        name = platform.id
        old, new = self.book(name), fresh.book(name)
        self._gone |= {tile_key(name, one, self._epoch) for one in old.tiles.keys() - new.tiles.keys()}
        self._gone |= {received_key(name, one, self._epoch) for one in old.received.keys() - new.received.keys()}
        self.heard.add(name)
        super().replace(platform, fresh)

    def flush(self) -> Flush | None:
        """What to make durable now; None if there is nothing. What it holds is in no later flush."""
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
            at_ms=chunks[-1][1] if chunks else None,
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
        """Other epochs' records of the same things: their bits are in ours, durably, when these are removed."""
        return set().union(*(self._foreign.pop(_thing(key), ()) for key in keys))

    # ---- Publishing ----

    @property
    def exact(self) -> bool:
        """Whether figures may be published."""
        return self.next_ack >= self.exact_from

    def publish(self, platform_id: str, read: Read, *, complete: bool) -> Coverage | None:
        """A platform's coverage, if there is anything new to say; not while its keys are not settled.

        Args:
            complete: say also that only the place in the logs, or the time, has moved.
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
        """Whose gaps moved, and in which segments, since this was last asked."""
        stale, self._stale_gaps = self._stale_gaps, set()
        return sorted(stale)

    def gaps(self, platform_id: str, key: SegmentKey, read: Read) -> Gaps:
        """The gaps of a platform in one segment."""
        return self.books[platform_id].gaps(self.universe, key, self._as_of(read))

    def _as_of(self, read: Read) -> AsOf:
        return AsOf(read.releases, self._partition, self.next_ack, self.roster_place, read.now_ms, read.reported)


def _says_nothing_new(coverage: Coverage, before: Coverage, *, complete: bool) -> bool:
    return coverage == before if complete else coverage._replace(as_of=before.as_of) == before


def _unrevoked(key: Key) -> Key:
    return key._replace(revoked_at=None)
