"""This module hears notices again: those that failed at some account, and those of cases a person decided about.

For example, the store says that the retry of 7-120033 is due: its notice is read from the log again, and what failed
is tried once more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hub.core.model import Record, Source
from hub.sdk.accounts import AccountStore, HeardNotice
from hub.sdk.adapter.wire import Wire, read_notice

log = logging.getLogger(__name__)
T = TypeVar("T")


class Rehearing:
    """This finds and reads what one adapter is to hear again.

    Args:
        in_store: runs work on the store's thread.
        most: so many cases are heard again at once.
    """

    def __init__(
        self,
        name: str,
        store: AccountStore,
        in_store: Callable[[Callable[[], list[Source]]], Awaitable[list[Source]]],
        most: int,
    ) -> None:
        self._name = name
        self._store = store
        self._in_store = in_store
        self._most = most
        self._gone: set[Source] = set()

    async def batch(self, wire: Wire, now_ms: int, *, retrying: bool) -> list[HeardNotice]:
        """Return what is to be heard again now.

        Args:
            retrying: what failed is tried again by the clock.
        """
        wanted = set(await self._in_store(lambda: self._wanted(now_ms, retrying=retrying))) - self._gone
        if not wanted:
            return []
        found = await wire.reread(sorted(wanted))
        if found.gone:  # these cases are left to their next stage
            log.error("%s: %d notices to be heard again cannot be read any more", self._name, len(found.gone))
        self._gone |= found.gone
        return [_heard_again(record) for record in found.records]

    def _wanted(self, now_ms: int, *, retrying: bool) -> list[Source]:
        due = [one.position for one in self._store.due(now_ms, self._most)] if retrying else []
        return due + [one.position for one in self._store.fuses.decided(self._most)]


def _heard_again(record: Record) -> HeardNotice:
    notice = read_notice(record)
    assert notice is not None, "what is heard again was a notice"
    position = Source(record.partition, record.offset)
    return HeardNotice(position, notice, hashlib.sha256(record.value or b"").digest(), again=True)
