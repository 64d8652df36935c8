"""This module runs tasks that must not fail. If one fails, the program ends at once and commits nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Coroutine
from typing import Any, NoReturn

log = logging.getLogger(__name__)

EXIT_FAILED = 70
"""The exit code is BSD's EX_SOFTWARE, so that a supervisor starts the worker again."""
GC_THRESHOLDS = (50_000, 20, 20)
"""A chunk, or an answer, is thousands of tuples that die together. With Python's default of 700 the collector would
look through all of them, and again and again through the state beside them, for cycles that are not there."""


def collect_seldom() -> None:
    """Make the garbage collector run seldom, and never look through the objects that exist now.

    A program calls this when it begins to serve, and again when its state is read: looking through that state would
    stop the program for up to a second.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()


def die(what: str, error: BaseException) -> NoReturn:
    """End the process without committing anything."""
    log.critical("%s failed; this worker ends without committing", what, exc_info=error)
    logging.shutdown()
    os._exit(EXIT_FAILED)


def guarded(what: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run something that must not fail. If it fails, the process ends."""

    async def run() -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  (this is the one place that must see every error)
            die(what, error)

    return asyncio.create_task(run(), name=what)
