"""Runs a command as root of a user namespace of its own, with 65,536 users.

    python userns.py OUTSIDE -- COMMAND...

The user N inside is OUTSIDE + N outside. Only root outside may hand out users; for others,
newuidmap does it within what /etc/subuid gives them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
COUNT = 65536


def main() -> None:
    """Change the namespace, have a child that stayed behind write the map, and run the command."""
    outside, command = int(sys.argv[1]), sys.argv[3:]
    ready, done = os.pipe(), os.pipe()
    target = os.getpid()
    if os.fork() == 0:
        os.close(ready[1])
        os.read(ready[0], 1)
        _give_users(target, outside)
        os.write(done[1], b"x")
        os._exit(0)
    os.close(done[1])
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "no user namespace can be made here")
    os.write(ready[1], b"x")
    if not os.read(done[0], 1):
        raise SystemExit("no users can be had for a namespace")
    os.wait()
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.execvp(command[0], command)


def _give_users(pid: int, outside: int) -> None:
    for kind in ("uid", "gid"):
        if os.getuid() == 0:
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {outside} {COUNT}")
        else:
            subprocess.run([f"new{kind}map", str(pid), "0", str(outside), str(COUNT)], check=True)


if __name__ == "__main__":
    main()
