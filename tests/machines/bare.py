"""A bare Debian in a folder, made by `mmdebstrap`, with this machine's sources, proxies and certificates passed on.

It has nothing but what apt, a few named packages and they themselves need. Commands in it have its file system, its
processes and its users, and this machine's network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.debian import Program, unpacked
from tests.machines.machine import PASSED_ON, SYSTEM_PATH, Ended, to_its_end

MMDEBSTRAP = Program("mmdebstrap", ("mmdebstrap",))
MAKE_S = 900.0
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
PASSED_FILES = (
    *("etc/apt/apt.conf.d", "usr/share/keyrings"),
    *("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "usr/local/share/ca-certificates", CERTIFICATES),
)
# In namespaces of its own: what is mounted and started here goes when the command ends.
ENTER = """
set -e
mount --make-rprivate /
mount --rbind /dev "$0/dev"
mount -t tmpfs none "$0/dev/shm"
mount -t proc none "$0/proc"
exec chroot "$0" "$@"
"""


def make(root: Path, packages: Sequence[str]) -> None:
    """Make a Debian of this machine's release in a folder, with some packages and what they need."""
    script = unpacked(MMDEBSTRAP).root / "usr/bin/mmdebstrap"
    sources = [str(path) for path in _sources()]
    command = ["perl", str(script), "--quiet", "--mode=root", "--variant=apt", f"--include={','.join(packages)}"]
    subprocess.run([*command, _release(), str(root), *sources], check=True, capture_output=True, timeout=MAKE_S)
    for name in PASSED_FILES:
        _copy(Path("/", name), root / name)


def _sources() -> list[Path]:
    found = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return [one for one in found if one.suffix in {".list", ".sources"} and one.is_file()]


def _release() -> str:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["VERSION_CODENAME"]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(source, target)


def run(root: Path, folder: str, command: str, deadline_s: float) -> Ended:
    """Run a command of the shell in a bare Debian, as its root, to its end.

    Args:
        root: where it lies.
        folder: in it, where to run.
        command: for its `sh`.
        deadline_s: how long it may take.
    """
    kept = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return to_its_end(
        [*spaces, "sh", "-c", ENTER, str(root), "sh", "-c", f"cd {folder} && {command}"],
        root.with_suffix(".log"),
        deadline_s,
        env={**kept, "HOME": "/root", "PATH": SYSTEM_PATH},
    )
