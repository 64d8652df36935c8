"""One run for all tests of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.running import Web, running


@pytest.fixture(scope="package")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The API of a hub with thirty cases."""
    with running(tmp_path_factory.mktemp("web")) as one:
        yield one
