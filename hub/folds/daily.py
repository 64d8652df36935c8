"""This module counts how many notices of each operator were published in each UTC day and hour; limits go by this.

The counts are made with the fold and kept beside it, as is when an operator last went beyond what is usual for it. What
this worker has decided and not folded yet is counted too, so that its twelve partitions do not each use the rest of a
limit. For example, 1,000 notices are folded and 3 more are decided: `published` says 1,003.

The rows are `d` day, operator -> counts; `h` hour, operator -> counts; `t` operator -> when it last went beyond. Days
and hours are of record times, UTC.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

from hub.core.limits import USUAL_DAYS, Published, hour_of, trips
from hub.core.model import DAY_MS, Operator, ReleaseNotice, Source

_PUBLISHED = struct.Struct(">QQQQ")
_TIME = struct.Struct(">q")
DAY, HOUR, TRIPPED = b"d", b"h", b"t"


def _key(kind: bytes, operator: str, number: int) -> bytes:
    return kind + number.to_bytes(4, "big", signed=True) + operator.encode()


def _keys(operator: str, at_ms: int) -> tuple[bytes, bytes]:
    return _key(DAY, operator, at_ms // DAY_MS), _key(HOUR, operator, hour_of(at_ms))


def _unpack(row: bytes | None) -> Published:
    """Read a row. Rows of earlier versions have the first two counts alone."""
    return Published() if row is None else Published(*_PUBLISHED.unpack(row.ljust(_PUBLISHED.size, b"\0")))


class DailyCounts:
    """The counts of all operators.

    Args:
        row: reads a stored row.
    """

    def __init__(self, row: Callable[[bytes], bytes | None]) -> None:
        self._row = row
        self._changed: dict[bytes, Published] = {}
        self._expected: dict[Source, tuple[tuple[bytes, bytes], Published]] = {}
        self._sums: dict[bytes, Published] = {}
        self._tripped: dict[bytes, int] = {}
        self._usual: dict[str, tuple[int, list[int]]] = {}

    def published(self, operator: str, day: int) -> Published:
        """Return how many notices an operator had on a UTC day, including the expected ones."""
        return self._with_expected(_key(DAY, operator, day))

    def published_in_hour(self, operator: str, hour: int) -> Published:
        """Return how many notices an operator had in an hour since 1970, including the expected ones."""
        return self._with_expected(_key(HOUR, operator, hour))

    def tripped_at(self, operator: str) -> int | None:
        """Return when an operator last went beyond what is usual for it; None if it never did."""
        key = TRIPPED + operator.encode()
        found = self._tripped.get(key)
        if found is None and (row := self._row(key)) is not None:
            (found,) = _TIME.unpack(row)
        return found

    def _with_expected(self, key: bytes) -> Published:
        return self._folded(key).plus(self._sums.get(key, Published()))

    def _folded(self, key: bytes) -> Published:
        found = self._changed.get(key)
        return _unpack(self._row(key)) if found is None else found

    def count(self, notice: ReleaseNotice, operator: Operator, one: Published) -> None:
        """Count a folded notice. `one` is what it adds."""
        self.forget([notice.source])
        day = notice.published_at // DAY_MS
        keys = _keys(operator.id, notice.published_at)
        for key in keys:
            self._changed[key] = self._folded(key).plus(one)
        if trips(self._changed[keys[0]].every, operator, lambda: self._usual_before(operator.id, day)):
            self._tripped[TRIPPED + operator.id.encode()] = notice.published_at

    def _usual_before(self, operator: str, day: int) -> list[int]:
        """Return the counts of the days before one. They are folded, and asked for at each notice of a busy day."""
        known, found = self._usual.get(operator, (None, []))
        if known != day:
            found = [self._folded(_key(DAY, operator, one)).every for one in range(day - USUAL_DAYS, day)]
            self._usual[operator] = (day, found)
        return found

    def expect(self, notice: ReleaseNotice, one: Published) -> None:
        """Count a notice that was decided and will be folded."""
        keys = _keys(notice.operator, notice.published_at)
        self._expected[notice.source] = (keys, one)
        for key in keys:
            self._sums[key] = self._sums.get(key, Published()).plus(one)

    def forget(self, sources: Iterable[Source]) -> None:
        """Stop expecting these: they were folded, or another worker's notice came first."""
        for source in sources:
            keys, one = self._expected.pop(source, ((), Published()))
            for key in keys:
                left = self._sums[key].minus(one)
                self._sums[key] = left
                if not left.every:
                    del self._sums[key]

    def flush(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows that changed since the last flush."""
        for key, published in self._changed.items():
            yield key, _PUBLISHED.pack(*published)
        for key, at_ms in self._tripped.items():
            yield key, _TIME.pack(at_ms)
        self._changed.clear()
        self._tripped.clear()
