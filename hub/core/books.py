"""What platforms said, a book for each of them, judged by the keys that the roster has.

An acknowledgement counts or not by its platform's keys (`hub.core.roster.keys_changed`), and the roster may come to say
otherwise of a time that has passed. Sets that only grow cannot lose what they hold, so the book is then replaced:

1. A book is *settled* if the keys it was judged by (`judged_by`) are those of its platform's roster record.
2. Where the keys are others, but no acknowledgement counts otherwise for it, the book is settled as it is.
3. Else the platform's acknowledgements are merged again, into fresh books, which then replace its book whole.

For example, `bank` revokes `bank-1` from yesterday on. What `bank-1` signed today is in the book's sets and in none of
the fresh ones, so these cases are gaps again. `hub.folds.acks` reads the log for it; everything here is values.
"""

from __future__ import annotations

from typing import NamedTuple

from hub.core.acks import OpenedAck, apply, is_beyond_log
from hub.core.figures import PlatformBook, SegmentKey
from hub.core.model import Acknowledgement, Platform, Refusal, Source
from hub.core.reports import Disputes
from hub.core.roster import Roster
from hub.core.universe import Universe


class Fault(NamedTuple):
    """A message whose merging raised an error: where it stands, and the error's kind."""

    source: Source
    kind: str


class AckBooks:
    """The books of some platforms, and which parts of them changed since somebody last took note.

    Args:
        universe: the cases that are folded; it holds all that a merged acknowledgement names.
        roster: the roster as it is known.
        disputes: people's reports that count.
    """

    def __init__(self, universe: Universe, roster: Roster, disputes: Disputes) -> None:
        self.universe = universe
        self.roster = roster
        self.disputes = disputes
        self.books: dict[str, PlatformBook] = {}
        self.dirty_tiles: set[tuple[str, SegmentKey]] = set()
        """Tiles that changed, by platform."""

        self.dirty_received: set[tuple[str, int]] = set()
        """Partitions of which a platform received more, by platform."""

        self.roster_place = 0
        """The next offset of `platforms` as the books have it."""

        self.faults: list[Fault] = []
        """What raised an error; whoever runs this writes it to its log and empties the list."""

    def book(self, platform_id: str) -> PlatformBook:
        """The book of a platform; it is made if it is new, and has no roster record then."""
        book = self.books.get(platform_id)
        if book is None:
            book = self.books[platform_id] = PlatformBook(platform_id, None, self.disputes)
        return book

    def platforms(self) -> list[Platform]:
        """The platforms of the roster whose acknowledgements come here."""
        return list(self.roster.platforms.values())

    def refusal_of(self, opened: OpenedAck) -> Refusal | None:
        """Why an acknowledgement does not count; None if it does."""
        if opened.refusal is not None or opened.ack is None:
            return opened.refusal or Refusal.HUB_FAULT
        beyond = is_beyond_log(opened.ack, opened.record.record_time, self.universe)
        return Refusal.BEYOND_LOG if beyond else None

    def merge(self, opened: OpenedAck) -> Refusal | None:
        """Merge an acknowledgement if it counts, or say why it does not.

        One that raises an error is refused (HUB_FAULT) and noted in `faults`: one message must not stop the rest.
        """
        try:
            refusal = self.refusal_of(opened)
            if refusal is None and opened.ack is not None:
                self._merge(opened, opened.ack)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is refused and noted
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
        """Put the newest record of every platform into its book; `roster_place`: the next offset of `platforms`."""
        self.roster_place = roster_place
        for platform in self.platforms():
            self.book(platform.id).platform = platform

    def unsettled(self) -> list[Platform]:
        """The platforms whose book was judged by other keys than the roster has."""
        return [one for one in self.platforms() if self.book(one.id).judged_by != one.keys]

    def settle(self, platform: Platform) -> None:
        """Say that a platform's book is what its keys say."""
        self.book(platform.id).judged_by = platform.keys

    def fresh(self) -> AckBooks:
        """Empty books, into which one platform's acknowledgements are merged again."""
        return AckBooks(self.universe, self.roster, self.disputes)

    def replace(self, platform: Platform, fresh: AckBooks) -> None:
        """Put what was merged again by a platform's keys in place of its book.

        Args:
            platform: its roster record, by whose keys the fresh book was judged.
            fresh: made by `fresh()`, with this platform's acknowledgements and no others.
        """
        name = platform.id
        book = self.books[name] = fresh.book(name)
        book.platform = platform
        self.dirty_tiles = {one for one in self.dirty_tiles if one[0] != name} | {(name, key) for key in book.tiles}
        self.dirty_received = {one for one in self.dirty_received if one[0] != name}
        self.dirty_received |= {(name, partition) for partition in book.received}
        self.settle(platform)
