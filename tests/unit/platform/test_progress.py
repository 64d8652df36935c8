"""How far the adapter is, as a person is told."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from typing import Any

import pytest
from rich.console import Console

from hub.platform import progress
from hub.platform.progress import Pace, show_progress, summary
from hub.sdk.adapter.adapter import PlatformAdapter
from hub.sdk.stores import MemoryStore
from hub.settings import HubAddress
from hub.wire.signing import Signer


def test_the_time_left_follows_the_last_half_minute() -> None:
    """At the pace of the last half minute; nothing is said before anything moved, or while it grows."""
    pace = Pace()
    assert pace.left_s(0.0, 1_000) is None
    assert pace.left_s(10.0, 500) == 10.0
    assert pace.left_s(11.0, 2_000) is None
    assert pace.left_s(100.0, 1_000) is None
    assert pace.left_s(110.0, 900) == 90.0


def behind(notices: int) -> PlatformAdapter:
    adapter = PlatformAdapter("shop", MemoryStore(), Signer.generate("k", "h"), HubAddress("127.0.0.1:1", "h", 1))
    adapter.ends, adapter.done = {0: notices}, {0: 0}
    return adapter


def test_whose_fuse_is_blown_is_said() -> None:
    """The line on what an adapter did names every operator of which cases wait for a person, and nobody else."""
    adapter = behind(0)
    assert "fuse" not in summary(adapter)
    adapter.fuses.blown = {"south": 2, "north": 7}
    adapter.counts.without_number = 3
    said = summary(adapter)
    assert said.endswith("; fuse of north blown: 7 cases held; fuse of south blown: 2 cases held")
    assert "3 put back without their number" in said


async def _shown(adapter: PlatformAdapter, console: Console, holds: Any) -> None:
    task = asyncio.create_task(show_progress(adapter, console))
    async with asyncio.timeout(20):
        while not holds():
            assert not task.done(), task
            adapter.done[0] += 20
            await asyncio.sleep(0.01)
    task.cancel()


def _plain(written: io.StringIO) -> str:
    """What was written, without colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())


async def test_a_terminal_shows_a_bar_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a backlog is worked off a terminal shows how many of how many, and how long it will take."""
    monkeypatch.setattr(progress, "LOOK_S", 0.01)
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100)
    await _shown(behind(9_000), console, lambda: re.search(r"\d+/\d{4} 0:00:\d\d", _plain(written)))


async def test_without_a_terminal_lines_tell_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A log gets a line now and then while there is a backlog, and one when it is worked off."""
    monkeypatch.setattr(progress, "LOOK_S", 0.01)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.02)
    caplog.set_level(logging.INFO, "hub")
    await _shown(behind(9_000), Console(file=io.StringIO()), lambda: "caught up" in caplog.text)
    assert "notices behind, about" in caplog.text
