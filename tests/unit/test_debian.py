"""Fetching what the tests need of Debian's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.debian import once

MANY = 4


def test_of_many_that_miss_a_program_one_fetches_it(tmp_path: Path) -> None:
    """Processes that start at once on a fresh machine do not trip over each other's `apt-get`."""
    all_missed_it = threading.Barrier(MANY)
    looked = threading.local()
    fetching = threading.Lock()
    fetched: list[str] = []

    def look() -> str | None:
        if not hasattr(looked, "once"):
            looked.once = True
            all_missed_it.wait()
            return None
        return next(iter(fetched), None)

    def fetch() -> None:
        assert fetching.acquire(blocking=False), "two at a time"
        fetched.append("it")
        fetching.release()

    with ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(lambda _: once(look, fetch, tmp_path), range(MANY))) == ["it"] * MANY
    assert fetched == ["it"]
