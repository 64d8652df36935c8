"""A follower of the logs in a process of its own, to be killed: `python -m tests.broker.standing_child SERVERS DIR`.

It prints MERGING once it, or an earlier life of it, has written something it merged.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hub.clearance.pairs import following_pairs
from hub.settings import WorkerSettings
from hub.staff.roster import find_hub

MERGING = "merging"
POLL_S = 0.05


async def follow(servers: str, folder: Path) -> None:
    """Follow until killed."""
    _, hub_log = await find_hub(servers)
    async with following_pairs(WorkerSettings(servers, folder, "web-1"), hub_log) as standings:
        while not any(standings.acks.saved):
            await asyncio.sleep(POLL_S)
        print(MERGING, flush=True)  # noqa: T201  (its console is what the test looks at)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], Path(sys.argv[2])))
