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
   are written. Once all others are removed, it is written by which keys the book was judged: the next owner of the
   partition judges again where the roster says otherwise by then, also if what counts now was refused before. A
   zombie's stale tile is then merged again at the next start.
4. Tiles may hold acknowledgements that were not acked. So figures are exact from the end of `acks` seen at the start
   (`exact_from`), and nothing is published before; and what is judged again goes up to there (`held_to`).
5. A platform's coverage is published only while its book is settled.

For example, `bank` says UNBOUND of 7-120033: the next flush has its tile (7, 1) and its `received` of partition 7. Its
coverage is due at once (`heard`), and the gaps of that segment at the next refresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hub.core.acks import Digests, OpenedAck
from hub.core.books import AckBooks
from hub.core.figures import SegmentKey
from hub.core.flush import Ack, Change, Flush, Refused, Write
from hub.core.model import Acknowledgement, AsOf, Coverage, Gaps, Judged, Key, Platform, Received, Refusal, Tile
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.tile_records import OtherEpochs, judged_key, received_key, tile_key
from hub.core.universe import Universe


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

        self._to_judge: set[str] = set()
        """Platforms of which it is not durable by which keys their books are judged now."""

        self._begun: dict[str, tuple[Key, ...]] = {}
        """By which keys the loaded books were judged, of each platform of which this epoch has written nothing."""

        self._spoken: set[str] = set()
        """The platforms of which this epoch has written something."""

        self._others = OtherEpochs()
        self._published: dict[str, Coverage] = {}
        self._stale_gaps: set[tuple[str, SegmentKey]] = set()

    # ---- At the start ----

    def load(self, key: bytes, stored: Tile | Received | Judged) -> None:
        """Take in a record of `tiles` of any epoch, which is the newest of its key."""
        self._others.note(key, stored)
        if isinstance(stored, Judged):
            return
        book = self.book(stored.platform)
        if isinstance(stored, Tile):
            segment = (stored.partition, stored.segment)
            book.tile(segment).merge(stored.said)
            book.touch(segment)
        else:
            book.receive(stored.partition, stored.through)

    def begin(self, roster_place: int, *, next_ack: int, exact_from: int) -> None:
        """Begin after the tiles were loaded.

        Args:
            roster_place: the next offset of `platforms`.
            next_ack: the offset of `acks` that is committed.
            exact_from: where `acks` ended after the tiles were read.
        """
        self.next_ack, self.exact_from = next_ack, exact_from
        self.sync_roster(roster_place)
        for name, book in self.books.items():
            if book.platform is not None:
                book.judged_by = self._others.judged_by(name, book.platform.keys)
                self._begun[name] = book.judged_by
        self._to_judge.update(self._begun)

    def platforms(self) -> list[Platform]:
        """Return the platforms of the roster whose partition this is."""
        return [one for one in self.roster.platforms.values() if self._is_home(one.id)]

    @property
    def held_to(self) -> int:
        """Return the offset of `acks` before which everything may be in the books, and nothing from there on."""
        return max(self.next_ack, self.exact_from)

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

    def settle(self, platform: Platform) -> None:
        """Note that a platform's book agrees with its keys."""
        super().settle(platform)
        self._to_judge.add(platform.id)

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
        judged, self._to_judge = {name: self.book(name).judged_by for name in self._to_judge}, set()
        if not (chunks or tiles or received or refused or gone or judged):
            return None
        ours = {tile_key(*one, self._epoch) for one in tiles}
        ours |= {received_key(*one, self._epoch) for one in received}
        names = {name for name, _ in (*tiles, *received)} | judged.keys()
        return Flush(
            writes=self._writes(tiles, received, self._first_words(names - self._spoken)),
            refused=refused,
            acks=[ack for ack, _ in chunks],
            changes=self._changes((gone - ours) | self._others.replaced_by(ours | gone), judged),
            at_ms=next((at_ms for _, times in reversed(chunks) for at_ms in times), None),
        )

    def _first_words(self, names: set[str]) -> list[Write]:
        """Return what comes before all else of some platforms: by which keys the books were judged that were loaded.

        Otherwise a worker that dies among the tiles of a fresh book leaves some, and no word about what the rest are.
        """
        self._spoken |= names
        judged = {name: Judged(name, self._epoch, self._begun.pop(name, ())) for name in sorted(names)}
        return [Write(judged_key(name, self._epoch), one) for name, one in judged.items()]

    def _writes(
        self, tiles: set[tuple[str, SegmentKey]], received: set[tuple[str, int]], first: list[Write]
    ) -> Iterator[Write]:
        yield from first
        for name, key in tiles:
            tile = Tile(name, *key, self._epoch, self.book(name).tile(key).packed())
            yield Write(tile_key(name, key, self._epoch), tile)
        for name, partition in received:
            through = self.book(name).received.get(partition)  # none if the book was replaced meanwhile
            if through is not None:
                value = Received(name, partition, self._epoch, through)
                yield Write(received_key(name, partition, self._epoch), value)

    def _changes(self, removed: set[bytes], judged: dict[str, tuple[Key, ...]]) -> list[Change]:
        """Return what follows the writes: nothing that was judged otherwise is left when it is said who judged."""
        said = {judged_key(name, self._epoch): Judged(name, self._epoch, keys) for name, keys in judged.items()}
        return [
            *(Change(key, None) for key in sorted(removed)),
            *(Change(key, value) for key, value in said.items()),
            *(Change(key, None) for key in sorted(self._others.replaced_by(said))),
        ]

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
