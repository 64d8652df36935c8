"""Files that others read at any moment are never seen half written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.whole_files import write_json, written_whole


def test_a_file_takes_the_place_of_the_old_one_at_once(tmp_path: Path) -> None:
    """While it is written the old one is there, afterwards the new one, and nothing is left beside it."""
    path = tmp_path / "ready.json"
    write_json(path, {"port": 1})
    with written_whole(path) as scratch:
        scratch.write_text("{", encoding="utf-8")
        assert json.loads(path.read_text(encoding="utf-8")) == {"port": 1}
        scratch.write_text('{"port": 2}', encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"port": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_a_writing_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The old file stays as it is, and what is left of a failed try does not stop the next."""
    path = tmp_path / "ready.json"
    write_json(path, 1)
    with pytest.raises(OSError, match="full"), written_whole(path) as scratch:  # noqa: PT012 - it fails while open
        scratch.write_text("2", encoding="utf-8")
        raise OSError("full")
    assert path.read_text(encoding="utf-8") == "1"
    write_json(path, 3)
    assert path.read_text(encoding="utf-8") == "3"
