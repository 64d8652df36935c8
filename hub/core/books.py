"""This module keeps what each platform said in a book of its own, judged by the keys that the roster has.

Its platform's keys decide whether an acknowledgement counts (`hub.core.roster.keys_changed`), and the roster may later
change this for a time in the past. Sets that only grow cannot lose what they hold, so the book is then replaced:

1. A book is *settled* if the keys it was judged by (`judged_by`) are those of its platform's roster record.
2. If the keys differ, but every acknowledgement counts as before, the book is settled as it is.
3. Otherwise the platform's acknowledgements are merged again into fresh books, which then replace its whole book.

For example, `bank` revokes its key `bank-1` from yesterday on. What `bank-1` signed today is in the book's sets and not
in the fresh ones, so these cases are gaps again. `hub.folds.acks` reads the log for it; this module computes on values
only.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.acks import Digests, OpenedAck, apply, refusal_of_received
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import SEGMENT, Acknowledgement, Platform, Refusal, Source
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe


class Fault(NamedTuple):
    """A message whose merging raised an error: where it lies, and the kind of the error."""

    source: Source
    kind: str


class AckBooks:
    """The books of some platforms, and the parts of them that changed since the caller last cleared these sets.

    Args:
        universe: the cases that are folded; it holds all that a merged acknowledgement names.
        digests: the digests of the notices that are folded.
        roster: the roster as it is known now.
        disputes: people's reports that count.
    """

    def __init__(self, universe: Universe, digests: Digests, roster: Roster, disputes: Disputes) -> None:
        self.universe = universe
        self.digests = digests
        self.roster = roster
        self.disputes = disputes
        self.books: dict[str, PlatformBook] = {}
        self.dirty_tiles: set[tuple[str, SegmentKey]] = set()
        """The tiles that changed, each with its platform."""

        self.dirty_received: set[tuple[str, int]] = set()
        """The partitions of which a platform received more, each with its platform."""

        self.roster_place = 0
        """The next offset of `platforms` that the books have not taken in."""

        self.faults: list[Fault] = []
        """What raised an error. The caller writes it to its log and empties the list."""

    def book(self, platform_id: str) -> PlatformBook:
        """Return the book of a platform. A new book is made if there is none; it has no roster record yet."""
        book = self.books.get(platform_id)
        if book is None:
            book = self.books[platform_id] = PlatformBook(platform_id, None, self.disputes)
        return book

    def in_use(self, case: Source) -> list[Platform]:
        """Return the platforms that declined a case because the number is in use, as far as they are merged here.

        Each has its tier. The answer can only grow, unless a key is taken back.
        """
        key, bit = (case.partition, case.offset // SEGMENT), case.offset % SEGMENT
        found = []
        for platform in self.platforms():
            book = self.books.get(platform.id)
            tile = None if book is None else book.tiles.get(key)
            if tile is not None and tile.in_use is not None and bit in tile.in_use:
                found.append(platform)
        return found

    def platforms(self) -> list[Platform]:
        """Return the platforms of the roster whose acknowledgements are merged here."""
        return list(self.roster.platforms.values())

    def refusal_of(self, opened: OpenedAck) -> Refusal | None:
        """Return why an acknowledgement does not count; None if it does."""
        if opened.refusal is not None or opened.ack is None:
            return opened.refusal or Refusal.HUB_FAULT
        return refusal_of_received(opened.ack, opened.record.record_time, self.universe, self.digests)

    def merge(self, opened: OpenedAck) -> Refusal | None:
        """Merge an acknowledgement if it counts, or say why it does not.

        A message that raises an error is refused (HUB_FAULT) and noted in `faults`: one message must not stop the rest.
        """
        try:
            refusal = self.refusal_of(opened)
            if refusal is None and opened.ack is not None:
                self._merge(opened, opened.ack)
        except Exception as error:  # noqa: BLE001 - any error is refused and noted
            place = Source(opened.record.partition, opened.record.offset)
            self.faults.append(Fault(place, type(error).__name__))
            return Refusal.HUB_FAULT
        return refusal

    def _merge(self, opened: OpenedAck, ack: Acknowledgement) -> None:
        tiles, received = apply(self.book(ack.platform), ack, opened.additions)
        for key in tiles:
            self.dirty_tiles.add((ack.platform, key))
        for partition in received:
            self.dirty_received.add((ack.platform, partition))

    def sync_roster(self, roster_place: int) -> None:
        """Put the newest record of every platform into its book. `roster_place` is the next offset of `platforms`."""
        self.roster_place = roster_place
        for platform in self.platforms():
            self.book(platform.id).platform = platform

    def unsettled(self) -> list[Platform]:
        """Return the platforms whose book was judged by keys other than those on the roster."""
        return [one for one in self.platforms() if self.book(one.id).judged_by != one.keys]

    def settle(self, platform: Platform) -> None:
        """Note that a platform's book agrees with its keys."""
        self.book(platform.id).judged_by = platform.keys

    def fresh(self) -> AckBooks:
        """Return empty books, into which one platform's acknowledgements are merged again."""
        return AckBooks(self.universe, self.digests, self.roster, self.disputes)

    def replace(self, platform: Platform, fresh: AckBooks) -> None:
        """Replace a platform's book by what was merged again by its keys.

        Args:
            platform: its roster record; the fresh book was judged by the keys there.
            fresh: the books made by `fresh()`, with this platform's acknowledgements and no others.
        """
        name = platform.id
        book = self.books[name] = fresh.book(name)
        book.platform = platform
        self.dirty_tiles = {one for one in self.dirty_tiles if one[0] != name} | {(name, key) for key in book.tiles}
        self.dirty_received = {one for one in self.dirty_received if one[0] != name}
        self.dirty_received |= {(name, partition) for partition in book.received}
        self.settle(platform)
