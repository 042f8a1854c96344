"""Control groups: bounds on memory and processes of a run, and a sure end of all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
END_SECONDS = 5
"""Seconds within which what is left of a run has to be gone."""
JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The groups of one run: one in the unified hierarchy, or one in each of version 1."""

    groups: Sequence[Path]

    @property
    def join(self) -> list[str]:
        """The prefix of a command that has it join the groups."""
        return ["sh", "-c", JOIN, "sh", *map(str, self.groups), "--"] if self.groups else []

    def kill(self) -> None:
        """Kill what is left, escaped daemons too, and wait until it is gone."""
        deadline = time.monotonic() + END_SECONDS
        for group in self.groups:
            while (left := _processes(group)) and time.monotonic() < deadline:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.005)


@contextlib.contextmanager
def control_group(
    bases: Sequence[Path], memory: int, processes: int, owner: int | None = None
) -> Iterator[ControlGroup]:
    """Give groups of one run below `bases`, removed on leaving.

    `memory` is in bytes. An `owner` may make groups below them; the limits above stay ours.
    """
    groups = [Path(tempfile.mkdtemp(prefix="proof-", dir=base)) for base in bases]
    for group in groups:
        _limit(group, memory, processes)
        if owner is not None:
            _give_away(group, owner)
    try:
        yield ControlGroup(groups)
    finally:
        for group in groups:
            _remove(group)


def writable_hierarchies() -> tuple[Path, ...]:
    """Return where groups can be made: the unified hierarchy, or memory and pids of version 1."""
    bases = [ROOT] if _is_unified() else [ROOT / "memory", ROOT / "pids"]
    return tuple(bases) if all(map(_takes_limits, bases)) else ()


def all_hierarchies() -> list[Path]:
    """Return every hierarchy: a Docker engine wants all controllers."""
    if _is_unified():
        return [ROOT]
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [
        Path(place) for _, place, kind, *_ in lines if kind == "cgroup" and "systemd" not in place
    ]


def _is_unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def _takes_limits(base: Path) -> bool:
    try:
        trial = Path(tempfile.mkdtemp(prefix="proof-trial-", dir=base))
    except OSError:
        return False
    names = ("memory.max", "memory.limit_in_bytes", "pids.max")
    limited = any((trial / name).exists() for name in names)
    trial.rmdir()
    return limited


def _limit(group: Path, memory: int, processes: int) -> None:
    limits = {
        "memory.max": memory,
        "memory.limit_in_bytes": memory,  # the name in version 1
        "pids.max": processes,
    }
    for name, value in limits.items():
        if (group / name).exists():
            (group / name).write_text(str(value))


def _give_away(group: Path, owner: int) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of version 1
        if (group / name).exists():
            (group / name).write_text((group.parent / name).read_text())
    for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"):
        if (group / name).exists():
            os.chown(group / name, owner, owner)


def _below(group: Path) -> list[Path]:
    return [path for path in group.rglob("*") if path.is_dir()]


def _processes(group: Path) -> list[int]:
    lists = [path / "cgroup.procs" for path in (group, *_below(group))]
    return [int(pid) for path in lists if path.exists() for pid in path.read_text().split()]


def _remove(group: Path) -> None:
    for path in (*sorted(_below(group), reverse=True), group):
        with contextlib.suppress(OSError):
            path.rmdir()
