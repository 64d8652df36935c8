"""Where the command line begins: what a program of the hub loads, and what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from aiokafka.errors import KafkaTimeoutError
from typer.main import get_command

from hub.cli import main, programs, start

SAY = """
import sys
from hub.cli import run
sys.argv = ["unbind-hub", sys.argv[1], "--help"]
try:
    run()
except SystemExit:
    print(*sys.modules)
"""


def loaded(command: str) -> set[str]:
    """The modules that are loaded once a command has printed its help."""
    ended = subprocess.run([sys.executable, "-c", SAY, command], capture_output=True, encoding="utf-8", check=True)
    return set(ended.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("program", programs.NAMES)
def test_a_program_loads_none_of_the_commands_that_people_type(program: str) -> None:
    """A program holds in memory neither the commands of operators and platforms nor the SDK under them."""
    found = loaded(program)
    assert f"hub.cli.{program}" in found
    assert not found & {"hub.cli.main", "hub.cli.operator", "hub.sdk", "sqlalchemy"}


def test_a_command_that_people_type_is_found() -> None:
    """Every other command comes from the whole command line."""
    assert {"hub.cli.main", "hub.cli.operator", "hub.sdk"} <= loaded("operator")


def test_programs_are_commands_like_any_other() -> None:
    """The whole command line has every program of the short one, and the short one has no other."""
    short, whole = get_command(programs.app), get_command(main.app)
    assert set(short.commands) == set(programs.NAMES)  # type: ignore[attr-defined]
    assert set(short.commands) < set(whole.commands)  # type: ignore[attr-defined]


def test_a_cluster_that_goes_silent_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever a command did when its cluster went silent, it ends with what to look at, not with a traceback."""

    def asks() -> None:
        raise KafkaTimeoutError("no broker answered in 40 s")

    monkeypatch.setattr(start, "_commands", lambda: asks)
    with pytest.raises(SystemExit) as ended:
        start.run()
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert "no broker answered in 40 s" in said
    assert f"What to do: {start.CLUSTER_TODO}" in said


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw is not hidden behind a sentence about the cluster."""

    def breaks() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(start, "_commands", lambda: breaks)
    with pytest.raises(ZeroDivisionError):
        start.run()
