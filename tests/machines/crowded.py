"""Run a command where every usual port is taken: in a network of its own, as another user.

`unshare --net PYTHON crowded.py USER GROUP COMMAND…`; needs the standard library alone.
"""

from __future__ import annotations

import fcntl
import resource
import socket
import struct
import subprocess
import sys

TAKEN = range(20_000, 32_768)
"""The usual ports of `hub.local.machine`."""
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def bring_loopback_up() -> None:
    """A new network has a loopback that is down; see netdevice(7)."""
    with socket.socket() as one:
        asked = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("16xH", fcntl.ioctl(one, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(one, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def take_ports() -> list[socket.socket]:
    """A server at every usual port."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * len(TAKEN))), hard))
    held = []
    for port in TAKEN:
        one = socket.socket()
        one.bind(("127.0.0.1", port))
        one.listen(1)
        held.append(one)
    return held


def main(user: int, group: int, command: list[str]) -> int:
    """Run the command there; its exit code."""
    bring_loopback_up()
    held = take_ports()
    code = subprocess.run(command, user=user, group=group, extra_groups=[], check=False).returncode
    for one in held:
        one.close()
    return code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
