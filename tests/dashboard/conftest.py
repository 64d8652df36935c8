"""Chromium and a simulated hub for a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.dashboard.browser import a_browser
from tests.dashboard.simulator import Simulator
from tests.dashboard.world import World


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module, gone before the next: its loop and those of asynchronous tests do not go together."""
    with a_browser() as one:
        yield one


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A hub at rest."""
    one = Simulator(World())
    one.start()
    yield one
    one.stop()
