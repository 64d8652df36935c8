"""What must not fail while a program runs, and how it ends if it does: at once, and nothing is committed."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Coroutine
from typing import Any, NoReturn

log = logging.getLogger(__name__)

EXIT_FAILED = 70
"""BSD's EX_SOFTWARE: a supervisor starts the worker again."""
GC_THRESHOLDS = (50_000, 20, 20)
"""A chunk, or an answer, is thousands of tuples that die together. Python's 700 would look through all of them, again
and again through the state beside them, for cycles that are not there."""


def collect_seldom() -> None:
    """Have the garbage collector come seldom, and never look through what is there by now.

    For a program that begins to serve, and again when its state is read: to look through that would stop it for as
    long as a second.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()


def die(what: str, error: BaseException) -> NoReturn:
    """End the process without committing anything."""
    log.critical("%s failed; this worker ends without committing", what, exc_info=error)
    logging.shutdown()
    os._exit(EXIT_FAILED)


def guarded(what: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run something that must not fail: if it does, the process ends."""

    async def run() -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  (the one place that must see everything)
            die(what, error)

    return asyncio.create_task(run(), name=what)
