"""Files that others read at any moment: written beside, then put in place, so that nobody sees half of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Where to write; at the end it takes the place of `path`. If the writing fails, nothing does."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    yield scratch
    scratch.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, such as one that says that a program serves."""
    with written_whole(path) as scratch:
        scratch.write_text(json.dumps(value), encoding="utf-8")
