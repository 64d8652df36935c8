"""Where the command line begins: what a program of the hub loads, and what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from hub.cli import main, programs

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
