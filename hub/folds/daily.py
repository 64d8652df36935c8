"""This module counts how many notices of each operator were published on each UTC day; limits are compared with this.

The counts are made with the fold and kept beside it. What this worker has decided and not folded yet is counted too, so
that its twelve partitions do not each use the rest of a limit. For example, 1,000 notices are folded and 3 more are
decided: `published` says 1,003.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

from hub.core.held import Published
from hub.core.model import DAY_MS, Operator, ReleaseNotice, Source
from hub.core.numbers import in_ranges

_PUBLISHED = struct.Struct(">QQ")
KIND = b"d"


def _key(operator: str, at_ms: int) -> bytes:
    return _day_key(operator, at_ms // DAY_MS)


def _day_key(operator: str, day: int) -> bytes:
    return KIND + day.to_bytes(4, "big", signed=True) + operator.encode()


class DailyCounts:
    """The counts of all operators.

    Args:
        row: reads a stored row.
    """

    def __init__(self, row: Callable[[bytes], bytes | None]) -> None:
        self._row = row
        self._changed: dict[bytes, Published] = {}
        self._expected: dict[Source, tuple[bytes, Published]] = {}
        self._sums: dict[bytes, Published] = {}

    def published(self, operator: str, day: int) -> Published:
        """Return how many notices an operator had on a UTC day, including the expected ones."""
        key = _day_key(operator, day)
        return _plus(self._folded(key), self._sums.get(key, Published()))

    def _folded(self, key: bytes) -> Published:
        found = self._changed.get(key)
        if found is None:
            row = self._row(key)
            found = Published() if row is None else Published(*_PUBLISHED.unpack(row))
        return found

    def count(self, notice: ReleaseNotice, operator: Operator) -> None:
        """Count a folded notice."""
        self.forget([notice.source])
        key = _key(operator.id, notice.published_at)
        self._changed[key] = _plus(self._folded(key), _one(notice, operator))

    def expect(self, notice: ReleaseNotice, operator: Operator) -> None:
        """Count a notice that was decided and will be folded."""
        key, one = _key(operator.id, notice.published_at), _one(notice, operator)
        self._expected[notice.source] = (key, one)
        self._sums[key] = _plus(self._sums.get(key, Published()), one)

    def forget(self, sources: Iterable[Source]) -> None:
        """Stop expecting these: they were folded, or another worker's notice came first."""
        for source in sources:
            key, one = self._expected.pop(source, (b"", Published()))
            if key:
                left = Published(self._sums[key].every - one.every, self._sums[key].ported - one.ported)
                self._sums[key] = left
                if not left.every:
                    del self._sums[key]

    def flush(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows that changed since the last flush."""
        for key, published in self._changed.items():
            yield key, _PUBLISHED.pack(*published)
        self._changed.clear()


def _one(notice: ReleaseNotice, operator: Operator) -> Published:
    return Published(1, int(not in_ranges(notice.subject.value, operator.ranges)))


def _plus(one: Published, other: Published) -> Published:
    return Published(one.every + other.every, one.ported + other.ported)
