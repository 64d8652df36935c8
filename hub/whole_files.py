"""This module writes files that others read at any moment: a new file replaces the old one, so none sees half of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path to write to. At the end that file replaces `path`; if the writing fails, `path` stays as it was."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    yield scratch
    scratch.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, such as one that says that a program serves."""
    with written_whole(path) as scratch:
        scratch.write_text(json.dumps(value), encoding="utf-8")
