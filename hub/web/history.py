"""This module asks the archive for the web, in a thread; while the archive is not there, it answers 503.

For example, a web program without `--dsn` answers every question about history with 503 NO_ARCHIVE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from hub.archive.keys import read_keys
from hub.archive.queries import History
from hub.errors import HubError
from hub.problems import Problem

T = TypeVar("T")


def _away(detail: str) -> Problem:
    return Problem(503, "NO_ARCHIVE", detail, "Run `unbind-hub archive run`; ask again in a while.", retry_after_s=30)


class Archive:
    """The archive, which may be there or not. If `dsn` is None, this hub has none."""

    def __init__(self, dsn: str | None, key_file: Path | None) -> None:
        self._dsn = dsn
        self._key_file = key_file
        self._history: History | None = None

    @property
    def is_there(self) -> bool:
        """Say whether this hub keeps history at all."""
        return self._dsn is not None

    async def ask(self, question: Callable[[History], T]) -> T:
        """Ask in a thread, and open the archive at the first question.

        Raises:
            Problem: 503, this hub keeps no history, or the database or its keys are not there now.
        """
        return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: Callable[[History], T]) -> T:
        if self._dsn is None or self._key_file is None:
            raise _away("this hub keeps no history")
        try:
            if self._history is None:
                self._history = History(self._dsn, read_keys(self._key_file))
            return question(self._history)
        except SQLAlchemyError as wrong:
            raise _away(f"the archive does not answer ({type(wrong).__name__})") from None
        except HubError as wrong:
            raise _away(wrong.message) from None

    def close(self) -> None:
        """Disconnect."""
        if self._history is not None:
            self._history.close()
