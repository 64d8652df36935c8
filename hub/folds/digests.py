"""This module keeps the digest of every notice of `releases`, by which acknowledgements are judged.

An acknowledgement may name any notice of the log. Ten million digests in memory would be 320 MB beside the sets of
cases, so they are rows of the case store on disk. Only those that are not written yet, and some that were read lately,
are in memory. For example, row `v` 7 120033 holds the SHA-256 of the value of notice 7-120033.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from hub.folds.case_packing import place_key

KEPT = 16_384
"""How many digests that were read are kept, about 4 MB: acknowledgements name the newest notices again and again."""


class NoticeDigests:
    """Implements `hub.core.acks.Digests`. A notice never changes, so what was read once stays true.

    Args:
        row: returns the stored row of a key, or None.
    """

    def __init__(self, row: Callable[[bytes], bytes | None]) -> None:
        self._row = row
        self._fresh: dict[tuple[int, int], bytes] = {}
        self._read = lru_cache(KEPT)(self._read_row)

    def note(self, partition: int, offset: int, digest: bytes) -> None:
        """Note the SHA-256 (32 bytes) of the value of a notice that is folded."""
        self._fresh[partition, offset] = digest

    def digest_of(self, partition: int, offset: int) -> bytes:
        """Return the SHA-256 of the value of the notice at a position.

        Raises:
            KeyError: no notice is known there.
        """
        found = self._fresh.get((partition, offset))
        return self._read(partition, offset) if found is None else found

    def _read_row(self, partition: int, offset: int) -> bytes:
        row = self._row(place_key(b"v", partition, offset))
        if row is None:
            raise KeyError(f"{partition}-{offset}")
        return row

    def flush(self) -> Iterable[tuple[bytes, bytes]]:
        """Return the rows to write. The caller writes them before it asks again."""
        fresh, self._fresh = self._fresh, {}
        return [(place_key(b"v", *place), digest) for place, digest in fresh.items()]
