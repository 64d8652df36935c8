"""Small parts of one machine: where fetched things are kept, and what is said of a full disk."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
import typer

from hub.cli import main, start
from hub.errors import HubError
from hub.local.machine import MB, cache_folder, require_space, scratch_folder, todo_at

MORE_THAN_ANY_MB = 10**9


def test_what_is_fetched_is_kept_where_this_user_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named cache comes first, then the home's; a user who has neither gets one among the temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named" / "unbind-hub"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "unbind-hub"
    monkeypatch.setenv("HOME", "/dev/null")
    found = cache_folder()
    assert found == tmp_path / f"unbind-hub-cache-{os.getuid()}"
    assert found.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another user's folder")
def test_a_cache_that_another_user_made_first_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the temporary files another user could lay programs ready for us: then it is said what to set."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    laid = tmp_path / f"unbind-hub-cache-{os.getuid()}"
    laid.mkdir()
    os.chown(laid, 12_345, 12_345)
    with pytest.raises(HubError, match="set XDG_CACHE_HOME"):
        cache_folder()


def test_a_disk_with_too_little_room_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """A hub that would fill its disk while it starts says how much it needs, and how much there is."""
    require_space(tmp_path, 0)
    with pytest.raises(HubError, match=rf"MB left, and a hub needs {MORE_THAN_ANY_MB} MB to start"):
        require_space(tmp_path, MORE_THAN_ANY_MB)
    assert todo_at(tmp_path, "see the log") == "see the log", f"this machine has less than {32 * MB} bytes left"


def test_no_room_for_temporary_files_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no temporary folder can be made, the command says which setting helps."""
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/nowhere")
    with pytest.raises(HubError, match="set TMPDIR"), scratch_folder():
        pass


def test_a_disk_that_fills_under_a_command_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`No space left on device` in the middle of a command ends it with words, not with a traceback."""
    full = typer.Typer()

    @full.command()
    def write() -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as file:
            file.write("x" * MB)

    monkeypatch.setattr(main, "app", full)
    monkeypatch.setattr("sys.argv", ["unbind-hub"])
    with pytest.raises(SystemExit) as ended:
        start.run()
    assert ended.value.code == 1
    assert "disk is full" in capsys.readouterr().err
    assert start.FULL[0] == errno.ENOSPC
