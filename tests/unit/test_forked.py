"""A forked program of the hub is like one that was started: it has its own arguments, folder, console and end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from hub.local.children import Child
from tests.forked.launch import Fork

END_S = 60.0


def program(folder: Path, *arguments: str) -> Child:
    """A program of the hub."""
    return Child([sys.executable, "-m", "hub", *arguments], folder / "console.log")


def said(folder: Path) -> str:
    """What is on its console."""
    return (folder / "console.log").read_text(encoding="utf-8")


def test_a_fork_ends_with_the_programs_own_exit_code(tmp_path: Path) -> None:
    """A command that succeeds ends with 0, one that nobody knows with 2, and each says so on its own console."""
    for place, words, code in (("a", ("worker", "--help"), 0), ("b", ("nonsense",), 2)):
        (tmp_path / place).mkdir()
        one = program(tmp_path / place, *words)
        assert isinstance(one.process, Fork)
        assert one.ended.wait(END_S)
        assert one.process.returncode == code
    assert "--bootstrap-servers" in said(tmp_path / "a")
    assert "nonsense" in said(tmp_path / "b")


def test_a_fork_has_its_own_folder_and_session(tmp_path: Path) -> None:
    """It runs where its console lies, in a session of its own."""
    one = program(tmp_path, "web", "run", "--bootstrap-servers", "127.0.0.1:1")
    assert Path(f"/proc/{one.process.pid}/cwd").readlink() == tmp_path
    assert os.getsid(one.process.pid) == one.process.pid
    assert one.end(signal.SIGKILL, END_S)


def test_a_killed_fork_is_known_to_be_killed(tmp_path: Path) -> None:
    """`kill -9` of a fork ends that process alone, and its exit code names the signal."""
    first, second = (program(tmp_path, "worker", "--bootstrap-servers", "127.0.0.1:1") for _ in range(2))
    assert first.end(signal.SIGKILL, END_S)
    assert first.process.returncode == -signal.SIGKILL
    assert second.end(signal.SIGKILL, END_S)


def test_whole_hubs_are_started_as_anybody_starts_them(tmp_path: Path) -> None:
    """`up` and `demo`, and whatever is no program of the hub, are not forked."""
    for words in (["-m", "hub", "up", "--help"], ["-c", "pass"]):
        one = Child([sys.executable, *words], tmp_path / "console.log")
        assert not isinstance(one.process, Fork)
        assert one.ended.wait(END_S)
        assert one.process.returncode == 0
