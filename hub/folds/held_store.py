"""This module follows `held`, and keeps the fold of held events on local disk.

Each record is folded into the store before the offset after it is written, and folding twice changes nothing: so a kill
at any moment leaves a state that is true at some offset. If the directory is lost, a fold from the start is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from aiokafka import TopicPartition
from rocksdict import Options, Rdict

from hub.core.held import HeldBook
from hub.core.model import HeldDecided, HeldEvent, HeldRelease, NumberEvent, Source
from hub.errors import ContractError
from hub.kafka.follower import Follower
from hub.settings import WorkerSettings
from hub.wire import contracts
from hub.wire.contracts import decode

log = logging.getLogger(__name__)

PLACE = b"o%d"
LOG_ID = b"l"


class HeldStore:
    """The book of held events on disk, and how far each partition is folded into it."""

    def __init__(self, path: Path, log_id: bytes) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self._db = Rdict(str(path), options)
        if self._db.get(LOG_ID) not in (None, log_id):
            for key in list(self._db.keys()):
                del self._db[key]
        self._db[LOG_ID] = log_id
        self.book = HeldBook(cast(Any, self._db))

    def place(self, partition: int) -> int:
        """Return the next offset of a partition of `held` to be folded."""
        return int(self._db.get(PLACE % partition) or 0)

    def moved(self, partition: int, place: int) -> None:
        """Note how far a partition is folded."""
        self._db[PLACE % partition] = str(place).encode()

    def close(self) -> None:
        """Close the directory."""
        self._db.close()


class HeldFollower(Follower):
    """Folds `held` into a store.

    Args:
        counts: says whether a notice of a source counts; that source is not held then.
    """

    def __init__(
        self, settings: WorkerSettings, store: HeldStore, partitions: int, counts: Callable[[Source], bool]
    ) -> None:
        super().__init__(settings, [TopicPartition(contracts.HELD, one) for one in range(partitions)])
        self.book = store.book
        self._store = store
        self._counts = counts
        for tp in self.tps:
            self.places[tp] = store.place(tp.partition)

    def handle(self, raw: Any) -> None:
        """Fold one record. One that cannot be read changes nothing."""
        try:
            self._fold(decode(raw.value, HeldEvent, HeldRelease, HeldDecided))
        except ContractError as wrong:
            log.error("held %d-%d: %s; ignored", raw.partition, raw.offset, wrong.message)

    def reach(self, tp: TopicPartition, place: int) -> None:
        """Note that everything of a partition before an offset was folded."""
        if self.places[tp] != place:
            self._store.moved(tp.partition, place)
        super().reach(tp, place)

    def _fold(self, record: HeldEvent | HeldRelease | HeldDecided) -> None:
        if isinstance(record, HeldRelease):
            self.book.judge(record)
        elif isinstance(record, HeldDecided):
            self.book.settle(record)
        else:
            self.book.hold(record, decode(record.value, NumberEvent).number)
            if self._counts(record.source):
                self.book.void(record.source)

    async def folded(self, partition: int, end: int) -> None:
        """Wait until everything before an offset was folded."""
        await self.reached({TopicPartition(contracts.HELD, partition): end})
