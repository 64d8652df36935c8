"""One town for the stories of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stories import town as towns
from tests.stories.town import Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town with a hub and an operator."""
    with towns.opened(tmp_path_factory.mktemp("town")) as one:
        yield one
