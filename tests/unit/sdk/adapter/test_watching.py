"""The watch over an adapter's fuses: what the log, the metrics and a person are told."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from hub.core.model import Stage
from hub.sdk.adapter import watching
from hub.sdk.adapter.watching import FuseWatch
from hub.sdk.fuses import Decision, HeldState, HeldSum
from hub.sdk.stores import MemoryStore
from tests.unit.adapter_driver import NOW, NUMBER, OLD, Log, hear


async def at_once(work: Callable[[], list[HeldSum]]) -> list[HeldSum]:
    return work()


def held() -> MemoryStore:
    """A store in which a fuse holds a case of `north`."""
    store, log = MemoryStore([("a", NUMBER, OLD)]), Log()
    log.add(Stage.REASSIGNED)
    hear(store, log, fuse=0)
    return store


async def test_a_blown_fuse_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names the operator once and no number; after a person's decision no fuse is blown any more."""
    monkeypatch.setattr(watching, "LOOK_SHARE", 0)
    store = held()
    watch = FuseWatch("shop", store, at_once)
    with caplog.at_level(logging.ERROR):
        await watch.look()
        await watch.look()
    assert watch.blown == {"north": 1}
    assert [("north" in line, NUMBER[3:] in line) for line in caplog.messages] == [(True, False)]
    store.fuses.decide(Decision("north", HeldState.GIVE_UP, "Li", "wrong", NOW))
    await watch.look()
    assert watch.blown == {}


async def test_a_long_look_is_not_taken_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where counting takes long, what was found stands for a while."""
    monkeypatch.setattr(watching, "LOOK_SHARE", 10**9)
    store = held()
    watch = FuseWatch("shop", store, at_once)
    await watch.look()
    store.fuses.decide(Decision("north", HeldState.GIVE_UP, "Li", "wrong", NOW))
    await watch.look()
    assert watch.blown == {"north": 1}
