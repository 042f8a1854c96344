"""Runs a command away from everything it has no business with.

A proof is code from a pull request. Bubblewrap gives it namespaces of its own: a user without
capabilities, processes, a network with loopback only, and a file system that holds what it is
shown (`namespaces`). Control groups limit its memory and processes, a tmpfs its disk. Where there
is no bubblewrap a run is open: it has a folder, an environment and a time limit of its own, and
that is all.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tools.proving.control_groups import (
    ControlGroup,
    all_hierarchies,
    control_group,
    writable_hierarchies,
)
from tools.proving.namespaces import View, advice, is_root, owner_of, shut_in

OUTPUT_KEPT = 64 * 1024
"""Bytes of output kept of a run, the last ones."""
GRACE = 5
"""Seconds that a run has to clean up once its time is over."""
DRAIN = 1.0
"""Seconds to read what is left of the output where a process that got away keeps the pipe open."""
MEMORY_LIMIT = 4 * 1024**3
"""Bytes a run may use, its files among them: `next build` takes about 1.5 GiB."""
DISK_LIMIT = 2 * 1024**3
"""Bytes that a run may write: its folder, HOME and /tmp are one tmpfs."""
PROCESS_LIMIT = 1024
"""Processes and threads a run may have: Chromium takes about 200."""


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
class Places:
    """Where a run finds what is its own, all below one folder."""

    base: Path

    @property
    def folder(self) -> Path:
        """Its files; where the command starts."""
        return self.base / "proof"

    @property
    def home(self) -> Path:
        """HOME: beside the folder, as tools look for their settings in all folders above."""
        return self.base / "proof.home"

    @property
    def node_modules(self) -> Path:
        """The npm packages."""
        return self.folder / "node_modules"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use at most; tests make them small."""

    memory: int = MEMORY_LIMIT
    disk: int = DISK_LIMIT
    processes: int = PROCESS_LIMIT


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its script, and what it finds."""

    places: Places
    script: str
    """Is run under `bash -euo pipefail`."""
    files: Mapping[str, str]
    """Text by name, in the folder where the script starts."""
    environment: Mapping[str, str]
    """All variables; nothing is inherited."""
    timeout: float
    """Seconds."""
    home: Mapping[str, str] = field(default_factory=dict)
    """Text by name, in HOME."""
    services: str = ""
    """Lines that start servers first."""
    read_only: Mapping[Path, Path] = field(default_factory=dict)
    """Places inside to paths outside, besides what every run is shown."""
    writable: Mapping[Path, Path] = field(default_factory=dict)
    """The same, but the run may write there."""
    keep: Path | None = None
    """A folder outside where the run's folder is copied to at its end."""
    as_root: bool = False
    """Whether it is root of its namespaces, as a Docker engine has to be."""


@dataclass(frozen=True)
class Sandbox:
    """What isolation this machine gives, and the way to run a command under it."""

    bubblewrap: str | None
    """None: runs are open."""
    control_groups: tuple[Path, ...]
    shown: tuple[Path, ...] = ()
    """Files and folders outside that every run may read, at the same place."""
    limits: Limits = Limits()
    missing: tuple[str, ...] = ()
    """What cannot be had here, one phrase each."""

    @classmethod
    def detect(cls, shown: Sequence[Path] = ()) -> Sandbox:
        """Find out, by trying, what this machine gives; every run will be shown `shown`."""
        program, problem = _working_bubblewrap()
        groups = writable_hierarchies()
        missing = [problem] if problem else []
        if not groups:
            missing.append("control groups cannot be made here: a run's memory has no limit")
        return cls(program, groups, tuple(shown), missing=tuple(missing))

    @contextlib.contextmanager
    def places(self) -> Iterator[Places]:
        """Give the places of one run: the same in every sandbox, new ones where runs are open."""
        if self.bubblewrap:
            yield Places(Path("/tmp"))  # noqa: S108
            return
        with tempfile.TemporaryDirectory(prefix="proof-", ignore_cleanup_errors=True) as name:
            yield Places(Path(name))

    async def run(self, run: Run) -> Outcome:
        """Run a script and return how it ended; whatever it started is gone then."""
        begin = time.perf_counter()
        _hand_over(run)
        with _archive(run) as files, self._control(run) as group:
            async with _tail() as (tail, output):
                process = await asyncio.create_subprocess_exec(
                    *group.join,
                    *self.command(run),
                    env=dict(run.environment),
                    stdin=files,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                try:
                    await asyncio.wait_for(process.wait(), run.timeout + 2 * GRACE)
                except TimeoutError:
                    pass  # even SIGKILL from inside did not end it
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await asyncio.to_thread(group.kill)
                    status = await process.wait()
        seconds = time.perf_counter() - begin
        return Outcome(status, seconds, tail.text, timed_out=seconds >= run.timeout)

    def command(self, run: Run) -> list[str]:
        """Return the command that does a run; its standard input is the archive of its files."""
        places, kept = run.places, Path("/kept") if self.bubblewrap else run.keep
        lines = [_START.format(base=places.base, folder=places.folder)]
        if self.bubblewrap:
            lines.append(f"ulimit -u {self.limits.processes}\n")
        else:
            lines += (f"ln -sT {out} {inside}\n" for inside, out in run.read_only.items())
        if run.keep:
            lines.append(_KEEP.format(folder=places.folder, kept=kept))
        # coreutils' timeout ends the script with SIGTERM, so that its traps still clean up.
        end = f'timeout --kill-after={GRACE} {run.timeout} bash -euo pipefail -c "$1"\n'
        shell = ["bash", "-euo", "pipefail", "-c", "".join([*lines, run.services, end]), "proof"]
        return [*self._walls(run), *shell, run.script]

    def _walls(self, run: Run) -> list[str]:
        if not self.bubblewrap:
            return []
        shown = {path: path for path in self.shown}
        kept = {Path("/kept"): run.keep} if run.keep else {}
        view = View(
            read_only=shown | dict(run.read_only),
            writable=dict(run.writable) | kept,
            folders=(run.places.folder, run.places.home),
            disk=self.limits.disk,
        )
        return shut_in(self.bubblewrap, view, as_root=run.as_root)

    @contextlib.contextmanager
    def _control(self, run: Run) -> Iterator[ControlGroup]:
        engine = run.as_root and bool(self.control_groups)
        bases = all_hierarchies() if engine else self.control_groups
        owner = owner_of(as_root=True) if engine else None
        with control_group(bases, self.limits.memory, self.limits.processes, owner) as group:
            yield group


_START = """\
umask 022
ulimit -c 0
mkdir -p {base}/proof {base}/proof.home
tar -x -f - -C {base} --no-same-owner
exec </dev/null
cd {folder}
"""
_KEEP = "trap 'tar -c -C {folder} --exclude=./node_modules . | tar -x -C {kept}' EXIT\n"


def _working_bubblewrap() -> tuple[str | None, str]:
    """Return the program, or None and what to do to have it."""
    program = shutil.which("bwrap")
    if not program:
        return None, "proofs are not shut in: bubblewrap is missing (apt-get install bubblewrap)"
    view = View({}, {}, (), 2**20)
    trial = [*shut_in(program, view, as_root=False), "true"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    return (program, "") if done.returncode == 0 else (None, advice(done.stderr.strip()))


def _hand_over(run: Run) -> None:
    """Let the run's user write into what outside is the caller's."""
    for path in (*run.writable.values(), *([run.keep] if run.keep else ())):
        if is_root():
            owner = owner_of(as_root=run.as_root)
            os.chown(path, owner, owner)
        elif run.as_root:
            path.chmod(0o777)


@contextlib.contextmanager
def _archive(run: Run) -> Iterator[IO[bytes]]:
    """Give the files of a run as a tar archive: unpacked inside, a bad name harms nobody else."""
    folders = ((run.places.folder.name, run.files), (run.places.home.name, run.home))
    with tempfile.TemporaryFile() as archive:
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for folder, files in folders:
                for name, text in files.items():
                    data = text.encode()
                    member = tarfile.TarInfo(f"{folder}/{name}")
                    member.size, member.mode, member.mtime = len(data), 0o644, int(time.time())
                    tar.addfile(member, io.BytesIO(data))
        archive.seek(0)
        yield archive


class _Tail(asyncio.Protocol):
    """Reads all output, keeps its end."""

    def __init__(self) -> None:
        self._kept = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-OUTPUT_KEPT:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    @property
    def text(self) -> str:
        """What was kept."""
        return self._kept.decode("utf-8", "replace")


@contextlib.asynccontextmanager
async def _tail() -> AsyncIterator[tuple[_Tail, int]]:
    """Give a tail and the pipe to write to; on leaving, read what was written.

    The pipe is not asyncio's own: with that, a process counts as ended only when nobody holds its
    output any more, and one that it left in the background may do so for ever.
    """
    reading, writing = os.pipe()
    transport, tail = await asyncio.get_running_loop().connect_read_pipe(
        _Tail, os.fdopen(reading, "rb", buffering=0)
    )
    with contextlib.closing(transport):
        try:
            yield tail, writing
        finally:
            os.close(writing)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(tail.ended.wait(), DRAIN)
