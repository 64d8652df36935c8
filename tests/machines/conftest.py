"""What the tests of machines share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that anybody may pass, as `/home` is; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="unbind-machine-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
