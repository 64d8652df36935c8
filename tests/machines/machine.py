"""A fresh machine, as far as a program can tell: a user with a home, a clone in it, and an environment of its own.

- The clone is of what is committed, so a file that somebody forgot to add is missing in it.
- Of this process's environment it gets what a network asks for (proxies, certificates, pip's settings), no more.
- Nothing runs on after a command: what it started is killed with it.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.machines import crowded

ROOT = Path(__file__).resolve().parents[2]
CLOSED = 0o700
ODD = "my hub, 释号 100%"
"""A name for a folder; who writes a path without thinking of spaces stumbles over it."""
PASSED_ON = re.compile(r"(?i)(https?|ftp|all|no)_proxy|PIP_\w+|\w+_CA_BUNDLE|SSL_CERT_\w+")
"""Names of variables without which a machine behind a proxy reaches no package."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHORT_S = 120.0
QUOTED_CHARS_MAX = 12_000


class Ended(NamedTuple):
    """How a command ended, and all it printed."""

    code: int
    said: str


@dataclass(frozen=True)
class Machine:
    """A machine to run commands on.

    Args:
        home: the user's home.
        clone: where the repository lies.
        person: the user's entry in the list of users.
        python: the Python that the user would call.
        umask: what is taken from the modes of new files.
        env: the user's whole environment.
        inside: words before each command, which make what the machine is like; they become the user themselves.
    """

    home: Path
    clone: Path
    person: pwd.struct_passwd
    python: Path
    umask: int = 0o022
    env: Mapping[str, str] = field(default_factory=dict)
    inside: tuple[str, ...] = ()

    def run(self, *command: str, deadline_s: float = SHORT_S) -> Ended:
        """Run a command in the clone, as the user, to its end."""
        is_ours = self.inside or self.person.pw_uid == os.getuid()
        return to_its_end(
            [*self.inside, *command],
            self.home / "said.log",
            deadline_s,
            cwd=self.clone,
            env=dict(self.env),
            umask=self.umask,
            user=None if is_ours else self.person.pw_uid,
            group=None if is_ours else self.person.pw_gid,
            extra_groups=None if is_ours else [],
        )

    def make(self, *words: str, deadline_s: float) -> Ended:
        """Run `make` as somebody would who has this machine's Python."""
        return self.run("make", f"PYTHON={self.python}", *words, deadline_s=deadline_s)

    def with_env(self, **env: str) -> Machine:
        """The same machine with more in the environment."""
        return replace(self, env={**self.env, **env})

    def crowded(self) -> Machine:
        """The same machine with a server at every usual port, in a network of its own; it needs root."""
        who = (str(self.person.pw_uid), str(self.person.pw_gid))
        return replace(self, inside=("unshare", "--net", sys.executable, crowded.__file__, *who))

    def without_home(self) -> Machine:
        """The same machine, where nothing says where the home is."""
        return replace(self, env={name: value for name, value in self.env.items() if name != "HOME"})


def to_its_end(command: Sequence[str], log: Path, deadline_s: float, **options: Any) -> Ended:
    """Run a command with its words in a log; what it started is killed with it. The test fails at the deadline.

    Args:
        command: its words.
        log: the file for what it says.
        deadline_s: how long it may take.
        options: of `subprocess.Popen`.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        code = process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        pytest.fail(f"not done after {deadline_s:.0f} s: {' '.join(command)}\n{_last(log)}", pytrace=False)
    finally:
        _end_all(process)
    return Ended(code, _last(log))


def _end_all(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own, so its id is the group's
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _last(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-QUOTED_CHARS_MAX:]


@contextmanager
def machine(folder: Path, person: pwd.struct_passwd, *, name: str = "hub", umask: int = 0o022) -> Iterator[Machine]:
    """A home of mode 0700 in a folder that anybody may pass, with a clone in it; removed at the end.

    Args:
        folder: where the home is made.
        person: whose it is.
        name: of the clone's folder.
    """
    home = folder / "home"
    home.mkdir(mode=CLOSED)
    clone = cloned(home / name)
    for path in (clone, *clone.rglob("*")):
        path.chmod(path.stat().st_mode & ~umask)
    made = Machine(home, clone, person, python_for(person), umask, environment(home))
    give(home, person)
    try:
        yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


def environment(home: Path) -> dict[str, str]:
    """What a user's shell hands on at the least, and what the network asks for."""
    passed = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    return {**passed, "HOME": str(home), "PATH": SYSTEM_PATH, "TMPDIR": _temporary(home)}


def _temporary(home: Path) -> str:
    """A place for temporary files beside the home: what is left behind goes with it. Short, as /tmp is."""
    folder = home / "tmp"
    folder.mkdir(exist_ok=True)
    return str(folder)


def give(folder: Path, person: pwd.struct_passwd) -> None:
    """Make a user the owner of all that is in a folder; links to files of others' stay others'."""
    if person.pw_uid == os.getuid():
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink() or path.is_dir() or path.stat().st_nlink == 1:
            os.chown(path, person.pw_uid, person.pw_gid, follow_symlinks=False)


def cloned(target: Path) -> Path:
    """A clone of what is committed here; skips where there is no repository."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("a fresh clone needs git, and a repository to clone: this is a copy without one")
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)]
    subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=SHORT_S)
    return target


def root() -> pwd.struct_passwd:
    """Root; skips where this process is somebody else."""
    if os.getuid() != 0:
        pytest.skip("only root can try what root meets")
    return pwd.getpwuid(0)


def somebody() -> pwd.struct_passwd:
    """An ordinary user: who runs this, or, where that is root, one whom every Debian lists."""
    return pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("games")


def python_for(person: pwd.struct_passwd) -> Path:
    """A Python that a user may run, of the version that runs this, so that its packages fit; skips if there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = Path(sys.base_prefix, "bin", version)
    for python in (ours, Path("/usr/bin", version), Path("/usr/local/bin", version)):
        if python.exists() and (person.pw_uid == os.getuid() or _is_anybodys(python.resolve())):
            return python
    pytest.skip(f"no {version} on this machine that the user {person.pw_name} may run")


def _is_anybodys(path: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


def with_our_environment(made: Machine) -> Machine:
    """The machine with a copy of the environment that runs this, in place of one that pip would fetch for minutes.

    The packages are the same files (hard links where the disk allows), at another path and below another Python.
    """
    ended = made.run(str(made.python), "-m", "venv", "--without-pip", ".venv")
    assert ended.code == 0, ended.said
    (packages,) = made.clone.glob(".venv/lib/python*/site-packages")
    (ours,) = Path(sys.prefix).glob("lib/python*/site-packages")
    shutil.copytree(ours, packages, dirs_exist_ok=True, copy_function=_linked, symlinks=True)
    jars = Path.home() / ".m2" / "repository"
    if jars.is_dir():  # else Maven Central is asked, as on a fresh machine
        shutil.copytree(jars, made.home / ".m2" / "repository")
    (made.clone / ".venv" / ".ready").touch()
    give(made.home, made.person)
    return made


def _linked(source: str, target: str) -> None:
    try:
        if os.stat(source).st_mode & 0o004:  # noqa: PTH116 - shutil gives names, not paths
            os.link(source, target)
            return
    except OSError:
        pass  # another disk
    shutil.copy2(source, target)
