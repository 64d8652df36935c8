"""This module decides as which user the local PostgreSQL runs: as this user, or as `nobody` if this user is root.

PostgreSQL refuses to run as root. But root's files are often where no other user may go: for example, a clone in a home
of mode 0700 holds the server's programs as well as its data. No folder is opened for `nobody`, here called the servant.
Instead it gets one of root's rights, to pass through folders and to read, and only if it could not get through without.
Linux passes that right on as an "ambient capability" (capabilities(7)). In a container where root does not have it, the
wider CAP_DAC_OVERRIDE takes its place. Only root can read the server's socket, so nobody sees more than before.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from typing import NamedTuple

from hub.errors import HubError

SERVANT = "nobody"
_NOBODY_ID = 65_534
"""The id of `nobody` in a small container that lists no users."""

# The child runs this first: it becomes another user, asks once more to be stopped when its parent ends (a change of
# user clears that), and becomes the program. SIGINT is the server's "fast shutdown".
_AS_USER = """
import ctypes, os, signal, sys
user, group, parent, program = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
places = [program, *sys.argv[5:7]]
libc = ctypes.CDLL(None)
prctl = getattr(libc, "prctl", None)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, of this process
def hold(effective, kept):
    libc.capset(header, (ctypes.c_uint32 * 6)(effective, kept, kept, 0, 0, 0))
def may_pass():
    return all(os.access(place, os.R_OK | os.X_OK) for place in places)
def become():
    rights = (ctypes.c_uint32 * 6)()
    if prctl is not None:
        libc.capget(header, rights)
        prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
        prctl(28, 4, 0, 0, 0)  # PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP: else access(2) does not count the right
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    if prctl is None:
        return
    right = next((one for one in (2, 1) if rights[1] & 1 << one), 0)  # CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE
    hold(0, right and 1 << right)
    if right and not may_pass():
        hold(1 << right, 1 << right)
        prctl(47, 2, right, 0, 0)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE
    if not may_pass():
        sys.exit(f"the user {user} has no way to {' and '.join(places)}, and root has no right here to give it one: "
            "install and keep the hub where others may pass, or run it as an ordinary user")
if os.getuid() != user:
    become()
if prctl is not None:
    prctl(1, signal.SIGINT, 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() == parent:
    os.execv(program, [program, *sys.argv[7:]])
"""


class Servant(NamedTuple):
    """A user and a group of this machine, by number."""

    user: int
    group: int

    @property
    def is_another(self) -> bool:
        """Say whether this process runs as another user."""
        return self.user != os.getuid()

    def gets(self, *folders: Path) -> None:
        """Make this user the owner of folders, if it is another user."""
        for folder in folders if self.is_another else ():
            os.chown(folder, self.user, self.group)

    def command(self, program: Path, *arguments: str, data: Path, socket: Path) -> list[str]:
        """Return a child's command that runs a program as this user, with access to the data and the socket folder."""
        who = (str(self.user), str(self.group), str(os.getpid()))
        return [sys.executable, "-I", "-S", "-c", _AS_USER, *who, str(program), str(data), str(socket), *arguments]


def servant() -> Servant:
    """Return the user as whom PostgreSQL runs.

    Raises:
        HubError: this user has no name on this machine, and PostgreSQL refuses to run without one.
    """
    if os.getuid() != 0:
        try:
            pwd.getpwuid(os.getuid())
        except KeyError:
            raise HubError(
                f"the user {os.getuid()} has no name on this machine, and PostgreSQL does not run without one",
                todo="add the user to /etc/passwd, run as a user who is in it, or give --dsn for a PostgreSQL of yours",
            ) from None
        return Servant(os.getuid(), os.getgid())
    try:
        entry = pwd.getpwnam(SERVANT)
    except KeyError:
        return Servant(_NOBODY_ID, _NOBODY_ID)
    return Servant(entry.pw_uid, entry.pw_gid)
