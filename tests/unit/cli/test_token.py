"""`unbind-hub token` as a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hub.clock import system_clock
from hub.core.model import Role
from hub.web.access.auth import AuthSettings, Doorman
from hub.web.access.tokens import KEY_FILE, LocalIssuer


def token(folder: Path, role: str) -> subprocess.CompletedProcess[str]:
    words = ("token", "--role", role, "--subject", "ana", "--data-dir", str(folder), "--hub-id", "hub-1")
    return subprocess.run(
        [sys.executable, "-m", "hub", *words], capture_output=True, encoding="utf-8", timeout=120, check=False
    )


@pytest.mark.long
async def test_a_token_by_command_lets_its_owner_in(tmp_path: Path) -> None:
    """The command makes the issuer's key for its owner's eyes alone and prints a token that counts; no other role."""
    made = token(tmp_path / "web", "auditor")
    assert made.returncode == 0, made.stderr
    key_file = tmp_path / "web" / KEY_FILE
    assert key_file.stat().st_mode & 0o777 == 0o600
    doorman = Doorman(AuthSettings(), LocalIssuer.open(key_file, "hub-1"))
    caller = await doorman.admit(f"Bearer {made.stdout.strip()}", system_clock())
    assert (caller.role, caller.subject) == (Role.AUDITOR, "ana")
    await doorman.close()
    assert token(tmp_path / "web", "king").returncode == 2
