"""This module notes whose fuse is blown, for the log, the metrics and the line on what an adapter did.

For example, once a fuse holds 7 cases of `north`, `FuseWatch.blown` is `{"north": 7}`, and the log has said so once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from hub.sdk.accounts import AccountStore
from hub.sdk.fuses import HeldSum, blown

log = logging.getLogger(__name__)

LOOK_SHARE = 20
"""Of so many seconds, counting what the fuses hold may take one."""


class FuseWatch:
    """This watches the fuses of one adapter.

    Args:
        in_store: runs work on the store's thread.
    """

    def __init__(
        self,
        name: str,
        store: AccountStore,
        in_store: Callable[[Callable[[], list[HeldSum]]], Awaitable[list[HeldSum]]],
    ) -> None:
        self.blown: dict[str, int] = {}
        """The operators whose fuse holds cases for a person, each with how many."""

        self._name = name
        self._store = store
        self._in_store = in_store
        self._look_at_s = 0.0

    async def look(self) -> None:
        """Note whose fuse is blown, and tell it in the log when that changes; a long look is not taken often."""
        began_at_s = time.monotonic()
        if began_at_s < self._look_at_s:
            return
        now = blown(await self._in_store(lambda: self._store.fuses.sums()))
        self._look_at_s = began_at_s + LOOK_SHARE * (time.monotonic() - began_at_s)
        for operator in now.keys() - self.blown.keys():
            log.error(
                "%s: a fuse holds cases of operator %s; its accounts are frozen, none is unbound or given its number "
                "back. Look at them: unbind-hub platform fuse list",
                *(self._name, operator),
            )
        self.blown = now
