"""Who the local PostgreSQL runs as: this user, or, because PostgreSQL refuses to run as root, root's servant `nobody`.

Root's files often lie where no other user may go: a clone in a home of mode 0700 holds the server's programs as well as
its data. No folder is opened for the servant. It gets one right of root's instead, to pass through folders and to read,
and only where it would not get through without it. Linux hands that right on as an "ambient capability"
(capabilities(7)); a container that has taken it from root leaves the wider CAP_DAC_OVERRIDE, which then takes its
place. Whoever may read the server's socket is root already, so nobody learns by this what they could not see before.
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
"""Of `nobody` where a small container lists no users at all."""

# What the child runs first: it becomes another user, asks to be stopped with its parent anew, since that wish does
# not survive a change of user, and becomes the program. SIGINT is the server's "fast shutdown".
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
        """Whether it is not the user this process runs as."""
        return self.user != os.getuid()

    def gets(self, *folders: Path) -> None:
        """Give it folders, as far as it is another user."""
        for folder in folders if self.is_another else ():
            os.chown(folder, self.user, self.group)

    def command(self, program: Path, *arguments: str, data: Path, socket: Path) -> list[str]:
        """A child's command that runs a program as this user, with access to a folder of data and one of a socket."""
        who = (str(self.user), str(self.group), str(os.getpid()))
        return [sys.executable, "-I", "-S", "-c", _AS_USER, *who, str(program), str(data), str(socket), *arguments]


def servant() -> Servant:
    """The user PostgreSQL runs as.

    Raises:
        HubError: this machine lists no such user, and PostgreSQL refuses to run as somebody without a name.
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
