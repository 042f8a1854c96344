"""Runs a command away from everything it has no business with.

A proof is code from a pull request. It gets an own process group, an environment of its own, a
time limit, and, as far as the machine gives them: own process and network namespaces with
loopback only, a read-only view of everything but its folder (bubblewrap), and limits on memory
and processes (a control group).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OUTPUT_KEPT = 64 * 1024
"""Bytes of output kept of a run, the last ones."""
GRACE = 5
"""Seconds that a run has to clean up once its time is over."""
MEMORY_LIMIT = 4 * 1024**3
"""Bytes a run may use: `next build` takes about 1.5 GiB."""
PROCESS_LIMIT = 1024
"""Processes and threads a run may have: Chromium takes about 200."""
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its exit status, wall time in seconds and the end of its output."""

    status: int
    seconds: float
    output: str
    timed_out: bool = False

    @property
    def passed(self) -> bool:
        """Whether the command ended by itself with status 0."""
        return self.status == 0 and not self.timed_out


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What isolation this machine gives, and the way to run a command under it."""

    bubblewrap: str | None
    control_groups: tuple[Path, ...]
    missing: tuple[str, ...] = field(default=())
    """What cannot be had here, one phrase each."""

    @classmethod
    def detect(cls) -> Sandbox:
        """Find out, by trying, what this machine gives."""
        bubblewrap = _working_bubblewrap()
        groups = _writable_control_groups()
        missing = []
        if not bubblewrap:
            missing.append("namespaces (install bubblewrap): network and file system stay open")
        if not groups:
            missing.append("control groups: no limit on memory and processes")
        return cls(bubblewrap, groups, tuple(missing))

    async def run(
        self,
        script: str,
        folder: Path,
        *,
        environment: Mapping[str, str],
        timeout: float,
        network: bool = False,
        read_only: Mapping[Path, Path] | None = None,
    ) -> Outcome:
        """Run `script` under `bash -euo pipefail` in `folder`; return how it ended.

        `timeout` is in seconds. With `network` the run sees the machine's network, else only an
        own loopback. `read_only` maps places inside to paths outside that are shown there.
        Whatever the script starts is gone when this returns.
        """
        begin = time.perf_counter()
        with self._limits() as (join, kill_group):
            # coreutils' timeout ends the script with SIGTERM, so that its traps still clean up.
            command = ["timeout", f"--kill-after={GRACE}", f"{timeout}", "bash", "-euo", "pipefail"]
            command += ["-c", script]
            if self.bubblewrap:
                command = [*self._namespaces(folder, network, read_only or {}), *command]
            process = await asyncio.create_subprocess_exec(
                *join,
                *command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            tail = asyncio.create_task(_tail(process))
            try:
                await asyncio.wait_for(process.wait(), timeout + 2 * GRACE)
            except TimeoutError:
                pass  # even SIGKILL from inside did not end it
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                kill_group()
                status = await process.wait()
            output = await tail
        seconds = time.perf_counter() - begin
        return Outcome(status, seconds, output, timed_out=seconds >= timeout)

    def _namespaces(
        self, folder: Path, network: bool, read_only: Mapping[Path, Path]
    ) -> Sequence[str]:
        assert self.bubblewrap
        arguments = [self.bubblewrap, "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        if not network:
            arguments.append("--unshare-net")
        arguments += ["--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"]
        arguments += ["--proc", "/proc", "--perms", "1777"]  # a /tmp for other users, too
        arguments += ["--tmpfs", "/tmp", "--tmpfs", "/var/tmp"]  # noqa: S108
        arguments += ["--bind", str(folder), str(folder)]
        home = home_of(folder)
        arguments += ["--bind", str(home), str(home)]
        for inside, outside in read_only.items():
            arguments += ["--ro-bind", str(outside), str(inside)]
        return [*arguments, "--chdir", str(folder), "--"]

    @contextlib.contextmanager
    def _limits(self) -> Iterator[tuple[Sequence[str], _Kill]]:
        """Make control groups for one run; give the prefix that joins them and their end."""
        groups = [Path(tempfile.mkdtemp(prefix="proof-", dir=base)) for base in self.control_groups]
        for group in groups:
            for name, value in _LIMITS.items():
                if (group / name).exists():
                    (group / name).write_text(str(value))
        joining = (
            'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
        )
        join = ["sh", "-c", joining, "sh", *map(str, groups), "--"] if groups else []
        kill = _Kill(groups)
        try:
            yield join, kill
        finally:
            for group in groups:
                with contextlib.suppress(OSError):
                    group.rmdir()


_LIMITS = {
    "memory.max": MEMORY_LIMIT,
    "memory.limit_in_bytes": MEMORY_LIMIT,  # the name in version 1
    "pids.max": PROCESS_LIMIT,
}


@dataclass(frozen=True, slots=True)
class _Kill:
    """Kills what is left in control groups, escaped daemons too, and waits until they are empty."""

    groups: Sequence[Path]

    def __call__(self) -> None:
        deadline = time.monotonic() + 5
        for group in self.groups:
            while time.monotonic() < deadline:
                left = (group / "cgroup.procs").read_text().split()
                if not left:
                    break
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                time.sleep(0.005)


def home_of(folder: Path) -> Path:
    """Return the temporary HOME that belongs to a run's folder: beside it, not in it."""
    return folder.with_name(folder.name + ".home")


async def _tail(process: asyncio.subprocess.Process) -> str:
    """Read all output, keep its end."""
    assert process.stdout
    kept = b""
    while chunk := await process.stdout.read(OUTPUT_KEPT):
        kept = (kept + chunk)[-OUTPUT_KEPT:]
    return kept.decode("utf-8", "replace")


def _working_bubblewrap() -> str | None:
    program = shutil.which("bwrap")
    if not program:
        return None
    trial = [program, "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--", "true"]
    return (
        program if subprocess.run(trial, capture_output=True, check=False).returncode == 0 else None
    )


def _writable_control_groups() -> tuple[Path, ...]:
    """Return where groups can be made: the unified hierarchy, or the two of version 1."""
    unified = CGROUPS / "cgroup.controllers"
    bases = [CGROUPS] if unified.exists() else [CGROUPS / "memory", CGROUPS / "pids"]
    for base in bases:
        try:
            trial = Path(tempfile.mkdtemp(prefix="proof-trial-", dir=base))
        except OSError:
            return ()
        limited = any((trial / name).exists() for name in _LIMITS)
        trial.rmdir()
        if not limited:
            return ()
    return tuple(bases)
