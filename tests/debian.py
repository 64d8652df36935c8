"""Programs of Debian's that the tests need: one process at a time asks `apt-get`, and looks again when it is its turn.

Where they cannot be had the tests fail: what was not tried is not known to work.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hub.local.machine import locked

Found = TypeVar("Found")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unbind-hub"
FETCH_S = 600
"""How long one `apt-get` may take, and how long to wait for others': two of them, after an update."""
TURN_S = 3 * FETCH_S


def once(look: Callable[[], Found | None], fetch: Callable[[], None], folder: Path = CACHE) -> Found:
    """What `look` finds, fetched first if it finds nothing; by one process of this machine at a time."""
    found = look()
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "apt.lock", "apt-get", deadline_s=TURN_S):
            found = look()
            if found is None:
                fetch()
                found = look()
    assert found is not None, "apt-get fetched it, and it is not there"
    return found


def apt_get(*words: str, packages: tuple[str, ...], as_root: bool, folder: Path | None = None) -> None:
    """Run `apt-get` for packages, after an update if it does not know them; whoever holds dpkg's lock is awaited."""
    root = ["sudo", "-n"] if as_root and os.geteuid() else []
    command = [*root, "apt-get", "-q", "-y", "-o", f"DPkg::Lock::Timeout={FETCH_S}"]
    wanted = [*command, *words, *packages]
    if subprocess.run(wanted, cwd=folder, capture_output=True, timeout=FETCH_S, check=False).returncode:
        subprocess.run([*command, "update"], check=True, capture_output=True, timeout=FETCH_S)
        ended = subprocess.run(wanted, cwd=folder, capture_output=True, timeout=FETCH_S, check=False)
        assert ended.returncode == 0, f"apt-get cannot get {', '.join(packages)}: {ended.stderr[-2_000:]!r}"
