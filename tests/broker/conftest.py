"""What the broker tests share: a scene on a hub of its own, started once a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.broker import scene as scenes
from tests.broker.scene import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A hub with one worker and the operator `north`, which serves +86135."""
    with scenes.running(tmp_path_factory.mktemp("hub")) as one:
        one.put_operator("north", "+86135")
        yield one
