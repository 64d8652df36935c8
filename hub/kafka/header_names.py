"""This module lets every consumer read records whose header names are not UTF-8.

Kafka stores header names as bytes; aiokafka reads them as strict UTF-8, and a record with any other name makes every
fetch of its partition fail from then on (aiokafka 0.14, `record/default_records.py`). So anyone who may write to a
topic could stop the hub with one message, for example with a header name of the one byte FF. Therefore the reader
inside the fetcher is replaced. The new reader parses such a batch again, slowly, with the bad bytes of names replaced;
the message is then refused like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _LenientBytes(bytearray):
    """Bytes whose slices can always be decoded."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _LenientBytes(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """Return the text, with bad bytes replaced."""
        return super().decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # it is final for the type checker, not for Python
    """A batch that is parsed in Python."""

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _LenientBytes(self._buffer)


class TolerantBatch:
    """A batch as aiokafka's own reader gives it; if that fails at a name, as the lenient reader gives it."""

    def __init__(self, buffer: Any) -> None:
        self._bytes = buffer
        self._batch = DefaultRecordBatch(buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(list(_LenientBatch(self._bytes)))


def tolerate_header_names() -> None:
    """Have every consumer of this process read such records. To call it twice changes nothing."""
    memory_records.DefaultRecordBatch = TolerantBatch
    fetcher.MemoryRecords = _MemoryRecordsPy
