"""This module shows how far an adapter is: a bar with the time left during a backlog, or lines without a terminal.

For example, without a terminal it logs "120000 notices behind, about 40 s left".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hub.platform.metrics import lag_notices
from hub.sdk.adapter.adapter import PlatformAdapter

log = logging.getLogger(__name__)

BACKLOG_NOTICES = 1_000
"""Fewer notices than this are no backlog, and get no bar."""

LOOK_S = 0.5
LINE_EVERY_S = 10.0
RATE_OVER_S = 30.0


class Pace:
    """This measures how fast a backlog shrinks, over the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def left_s(self, at_s: float, lag: int) -> float | None:
        """Return the seconds until nothing is left, or None if it cannot be told.

        Args:
            at_s: a monotonic time, in seconds.
        """
        self._seen.append((at_s, lag))
        while self._seen[0][0] < at_s - RATE_OVER_S:
            self._seen.popleft()
        first_s, first = self._seen[0]
        gone = first - lag
        return lag * (at_s - first_s) / gone if gone > 0 else None


async def show_progress(adapter: PlatformAdapter, console: Console) -> None:
    """Show an adapter's progress until cancelled."""
    if console.is_terminal:
        await _show_bar(adapter, console)
    else:
        await _write_lines(adapter)


async def _show_bar(adapter: PlatformAdapter, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    while True:
        await asyncio.sleep(LOOK_S)
        backlog = lag_notices(adapter)
        if backlog < BACKLOG_NOTICES:
            continue
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("notices", total=backlog)
            while (lag := lag_notices(adapter)) > 0:
                backlog = max(backlog, lag)
                bar.update(task, total=backlog, completed=backlog - lag)
                await asyncio.sleep(LOOK_S)


async def _write_lines(adapter: PlatformAdapter) -> None:
    pace, behind, line_at_s = Pace(), False, time.monotonic()
    while True:
        await asyncio.sleep(LOOK_S)
        now_s, lag = time.monotonic(), lag_notices(adapter)
        left_s = pace.left_s(now_s, lag)
        if lag >= BACKLOG_NOTICES and now_s - line_at_s >= LINE_EVERY_S:
            behind, line_at_s = True, now_s
            log.info("%d notices behind, %s", lag, "no rate yet" if left_s is None else f"about {left_s:.0f} s left")
        if behind and lag == 0:
            behind = False
            log.info("caught up: %s", summary(adapter))


def summary(adapter: PlatformAdapter) -> str:
    """Return what an adapter did, in one line."""
    one = adapter.counts
    return (
        f"{one.notices} notices, {one.frozen} frozen, {one.unbound} unbound, {one.reinstated} put back, "
        f"{one.failed} failed, {one.declined} declined, {adapter.acks} acknowledgements{_care(adapter)}"
    )


def _care(adapter: PlatformAdapter) -> str:
    """Return what a person is to look at, or nothing."""
    without, held = adapter.counts.without_number, adapter.fuses.blown
    said = f"; {without} put back without their number, which others hold by now" if without else ""
    return said + "".join(f"; fuse of {one} blown: {count} cases held" for one, count in sorted(held.items()))
