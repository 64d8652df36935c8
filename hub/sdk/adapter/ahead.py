"""This module remembers which cases are undone further on in the log, so that an adapter with a backlog spares them.

An adapter that was away may find a case and its withdrawal in one backlog. It looks ahead to the end of the log before
it acts on anything: what was withdrawn by then is never done. For example, COOLING at 7-120033 and WITHDRAWN at
7-120990 lie in the backlog: the account is not frozen first.

It is pure. `hub.sdk.adapter.looking_ahead` reads the log for it. Memory is bounded: one bit for each position of the
backlog at most, in Roaring bitmaps; 10 M notices of which every one is undone take 1.3 MB (`until` is one number for
each partition). Nothing of it is kept over a restart, because the rest of the log is looked ahead again then.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyroaring import BitMap

from hub.core.lifecycle import UNDONE
from hub.core.model import SEGMENT, ReleaseNotice, Source


class Ahead:
    """This holds the undone cases of a backlog.

    Args:
        last_sources: the offset of the last folded source of each partition (`hub.sdk.accounts.Place`); the fold
            ignores notices whose source is not beyond it, and so does this.
    """

    def __init__(self, last_sources: Mapping[int, int]) -> None:
        self.until: dict[int, int] = {}
        """The next offset to look at, by partition."""

        self._last_sources = dict(last_sources)
        self._undone: dict[tuple[int, int], BitMap] = {}

    def look(self, position: Source, notice: ReleaseNotice) -> None:
        """Take a notice into account that lies further on in the log. They come in the order of their offsets."""
        partition = position.partition
        if position.offset < self.until.get(partition, 0):
            return
        self.until[partition] = position.offset + 1
        source = notice.source
        if source.partition != partition or source.offset <= self._last_sources.get(partition, -1):
            return
        self._last_sources[partition] = source.offset
        if notice.stage in UNDONE and notice.opened_at is not None:
            key = (partition, notice.opened_at // SEGMENT)
            self._undone.setdefault(key, BitMap()).add(notice.opened_at % SEGMENT)

    def is_undone(self, position: Source, notice: ReleaseNotice) -> bool:
        """Return whether a notice's case is undone by a later one, which itself is then heard as usual."""
        if not self._undone or notice.stage in UNDONE:
            return False
        offset = position.offset if notice.opened_at is None else notice.opened_at
        return offset % SEGMENT in self._undone.get((position.partition, offset // SEGMENT), ())

    def forget(self) -> None:
        """Drop the undone cases, once the adapter has heard everything that was looked at."""
        self._undone.clear()
