"""This module writes that the adapter has heard all notices; without it the login check cannot answer "no"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.sdk.accounts import AccountStore, Changes
from hub.sdk.adapter.handling import NOTHING_COMMITTED, check_not_gone_back


def beat(
    store: AccountStore, at_ms: int, partitions: Iterable[int], committed: Mapping[int, int] = NOTHING_COMMITTED
) -> None:
    """Write that everything in these partitions was heard.

    Args:
        at_ms: when the ends of the partitions were asked for, UTC milliseconds; what came later may not have been
            heard.
        committed: as for `hub.sdk.adapter.handling.check_not_gone_back`.

    Raises:
        PlatformError: the store has gone back.
    """
    progress = store.progress()
    check_not_gone_back(progress.places, committed)
    nothing = Changes(progress.log_id, {}, {}, {}, {}, {}, {}, {})
    with store.transaction() as session:
        # A partition in which there never was a notice is heard from now on.
        session.save(nothing._replace(caught_up_at=at_ms, evidence=dict.fromkeys(partitions, at_ms)))
