"""The command that shuts a run in: bubblewrap gives it namespaces and a file system of its own.

A run sees what is listed here and nothing else. Where the caller is root, bubblewrap runs twice.
The first makes the same file system, since only root may reach a checkout below `/root`; then the
user changes for good, and the second makes everything else. Were it once only, the run's user
would still be root outside.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import AppError

from tools.paths import PINS

RUN_UID = 64000
"""Who a run is outside where the caller is root: a user that owns nothing."""
ROOT_UID = 6_400_000
"""Where the 65,536 users of a run that is root inside begin outside; nobody's, too."""
INSIDE_UID = 1000
"""Who a run is inside: an ordinary user, as PostgreSQL and PgBouncer refuse to be root."""
USERS = 65536
SHARED_MEMORY = 512 * 1024**2
"""Bytes of shared memory in files, which PostgreSQL and Chromium use."""
USERNS = Path(__file__).with_name("userns.py")
ETC = PINS / "etc"
"""passwd, group, hosts and nsswitch.conf of a run."""

SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders of programs, which are links into /usr on a merged system."""
SETTINGS = (
    *("alternatives", "ca-certificates", "chromium", "chromium.d", "debian_version", "fonts"),
    *("inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs"),
    *("lsb-release", "magic", "mime.types", "os-release", "protocols", "services", "ssl/certs"),
    *("ssl/openssl.cnf", "terminfo", "timezone", "vim", "xdg"),
)
"""What of /etc a run sees; the rest may hold a machine's secrets."""
MACHINE = ("/sys/devices/system/cpu", "/sys/devices/system/node")
"""What of /sys: programs count processors there."""

NAMESPACES = (
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--new-session", "--die-with-parent", "--hostname", "proof"),
)
ORDINARY_USER = (
    *("--unshare-user", "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID), "--disable-userns"),
    *("--cap-drop", "ALL"),
)
ROOT_USER = ("--unshare-net", "--cap-add", "ALL")
LIKE_ROOT = (
    *("--unshare-user", "--uid", "0", "--gid", "0"),
    *("--cap-add", "CAP_NET_ADMIN"),  # for the ports
    *("--cap-add", "CAP_SETFCAP"),  # to be root no more, inside, takes it
)
"""What the first bubblewrap of an ordinary caller needs to do what root's does."""
ENGINE_ROOM = (
    *("--bind", "/sys", "/sys", "--size", str(SHARED_MEMORY), "--tmpfs", "/run"),
    *("--symlink", "/run", "/var/run", "--tmpfs", "/etc/docker"),
)
"""What a Docker engine finds besides: its socket's place, and a /sys to mount its own over."""
PSEUDO = ("--proc", "/proc", "--dev", "/dev", "--symlink", "/tmp", "/var/tmp")  # noqa: S108
OUTER = (
    *("--unshare-net", "--die-with-parent", "--tmpfs", "/tmp"),  # noqa: S108
    *("--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"),
)
"""What the second bubblewrap needs of the first; of this, a run sees the network only."""
ALL_PORTS = 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start && exec "$@"'
"""Opens the ports below 1024 of the run's own network, as Docker does: servers listen at 80."""
POWERLESS = (
    *(f"--reuid={RUN_UID}", f"--regid={RUN_UID}", "--clear-groups"),
    *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
)


class SandboxError(AppError):
    """This machine cannot shut a proof in; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class View:
    """What a run sees besides the system, and what it may write."""

    read_only: Mapping[Path, Path]
    """Places inside to paths outside."""
    writable: Mapping[Path, Path]
    folders: Sequence[Path]
    """Empty folders below /tmp to begin with."""
    disk: int
    """Bytes that /tmp takes."""


def shut_in(bubblewrap: str, view: View, *, as_root: bool) -> list[str]:
    """Return the command that runs what follows it in namespaces of its own.

    With `as_root` it is root of its namespaces, with 65,536 users, as a Docker engine has to be.
    """
    inner = [bubblewrap, *NAMESPACES, *(ROOT_USER if as_root else ORDINARY_USER), *_system()]
    inner += [*PSEUDO, *(ENGINE_ROOM if as_root else ()), *_disk(view)]
    outer = [bubblewrap, *([] if is_root() or as_root else LIKE_ROOT), *_system(), *OUTER]
    for option, outside, inside in _places(view):
        inner += [*_parents(inside), option, str(outside), str(inside)]
        outer += [*_parents(outside), option, str(outside), str(outside)]
    inner += ["--remount-ro", "/dev", "--remount-ro", "/", "--"]
    if as_root:
        return _with_users(outer, inner)
    user = ["setpriv", *POWERLESS] if is_root() else []
    return [*outer, "--", "sh", "-c", ALL_PORTS, "sh", *user, *inner]


def owner_of(*, as_root: bool) -> int:
    """Return who a run is outside, where the caller is root."""
    return ROOT_UID if as_root else RUN_UID


def is_root() -> bool:
    """Say whether the caller is root."""
    return os.getuid() == 0


def interpreter_folders(python: Path) -> list[Path]:
    """Return the folders outside its virtual environment that a Python needs, each on the way."""
    folders = []
    while python.is_symlink():
        python = python.parent / python.readlink()
        folders.append(python.parent.parent)
    outside = [folder for folder in folders if not folder.is_relative_to("/usr")]
    return [folder for folder in dict.fromkeys(outside) if (folder / "bin").is_dir()]


def advice(error: str) -> str:
    """Return what to do about bubblewrap's error, in one sentence."""
    if Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists():
        how = "give bwrap an AppArmor profile with `userns,` (tools/proofs/machine.sh does)"
    elif "uid map" in error or "namespace" in error:
        how = "allow user namespaces; a container needs --privileged for that"
    else:
        how = "bubblewrap 0.8 or newer is needed"
    return f"bubblewrap cannot shut proofs in: {error or 'no message'}; {how}"


def _with_users(outer: Sequence[str], inner: Sequence[str]) -> list[str]:
    """Put a namespace of users between the two: what the outer one shows read-only stays so."""
    python = str(Path(sys.executable).resolve())
    helper = [python, "-I", "-S", str(USERNS)]
    show = [*_parents(USERNS), "--ro-bind", str(USERNS), str(USERNS), "--bind", "/sys", "/sys"]
    prefix = Path(sys.base_prefix)
    if not prefix.is_relative_to("/usr"):
        show += [*_parents(prefix), "--ro-bind", str(prefix), str(prefix)]
    if is_root():
        return [*outer, *show, "--", *helper, str(ROOT_UID), "--", *inner]
    first = [*helper, str(_subordinate_users()), "--"]
    return [*first, *outer, *show, "--", *helper, "0", "--", *inner]


def _subordinate_users() -> int:
    """Return the first of the users that /etc/subuid gives to the caller."""
    name = pwd.getpwuid(os.getuid()).pw_name
    for line in Path("/etc/subuid").read_text().splitlines():
        user, first, count = line.split(":")
        if user in {name, str(os.getuid())} and int(count) >= USERS:
            return int(first)
    raise SandboxError(f"Docker proofs need {USERS} users in /etc/subuid and /etc/subgid of {name}")


def _places(view: View) -> Iterable[tuple[str, Path, Path]]:
    """Return how each place is shown, where it is outside and where inside."""
    read = _settings() | dict(view.read_only)
    yield from (("--ro-bind", outside, inside) for inside, outside in read.items())
    yield from (("--bind", outside, inside) for inside, outside in view.writable.items())


def _settings() -> dict[Path, Path]:
    """Return what a run sees of /etc and /sys, and what it sees instead."""
    places = [Path("/etc") / name for name in SETTINGS] + [Path(name) for name in MACHINE]
    own = {Path("/etc") / path.name: path for path in sorted(ETC.iterdir())}
    return {place: place for place in places if place.exists()} | own


def _system() -> list[str]:
    """Return the arguments that show the programs of the machine."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            arguments += ["--ro-bind", name, name]
    return arguments


def _disk(view: View) -> list[str]:
    """Return the arguments for what a run may write, all of it bounded and gone after it."""
    shared = ["--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108
    tmp = ["--perms", "1777", "--size", str(view.disk), "--tmpfs", "/tmp"]  # noqa: S108
    folders = [argument for path in view.folders for argument in ("--dir", str(path))]
    return [*shared, *tmp, *folders]


def _parents(place: Path) -> list[str]:
    """Return the arguments that make the folders above a place, open to every user."""
    above = [path for path in reversed(place.parents) if path != Path("/")]
    return [argument for path in above for argument in ("--dir", str(path))]
