"""Proves seeds: each proof once as it stands, and once more without each file of the solution.

The second kind of run is the negative control: a proof that passes although a file is missing
does not prove that file, and fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tools.content.seed_file import Seed
from tools.paths import PROJECT
from tools.proving.postgres import Postgres, postgres
from tools.proving.sandbox import Outcome, Sandbox, home_of

if TYPE_CHECKING:
    from tools.proving.cache import Cache
    from tools.proving.runtime import Runtime

LINGER = """trap 'status=$?; [ "$status" = 0 ] || sleep 0.1; exit "$status"' EXIT\n"""
CONTROL_FACTOR = 4
"""A negative control may take this many times the whole proof's time before it counts as failed."""
CONTROL_LEAST = 15
"""Seconds that every negative control gets (never more than the proof's own limit)."""


class Status(StrEnum):
    """What came of a proof."""

    PROVEN = "proven"
    FAILED = "failed"
    SUPERFLUOUS = "superfluous"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of proving one seed."""

    seed: Seed
    status: Status
    seconds: float = 0.0
    outcome: Outcome | None = None
    """The run that failed, if one did; of a proven seed, the one before it was tried again."""
    superfluous: tuple[str, ...] = ()
    """Files of the solution without which the proof passes all the same."""
    reason: str = ""
    """Why it was skipped."""
    cached: bool = False
    controls: int = 0
    """How many negative controls ran."""

    @property
    def flaky(self) -> bool:
        """Whether it failed first and was proven when tried again."""
        return self.status is Status.PROVEN and self.outcome is not None


@dataclass(slots=True)
class Prover:
    """Runs proofs, `jobs` at a time; call `prove` inside `async with`."""

    runtime: Runtime
    folder: Path
    """Where the PostgreSQL servers keep their data."""
    sandbox: Sandbox
    docker: bool
    """Whether a Docker engine answers."""
    jobs: int = 2
    cache: Cache | None = None
    retries: int = 0
    """How often a proof that failed is tried again; it then counts as flaky, and is named."""
    keep: Path | None = None
    """Where to leave the folders of runs; None: they are removed."""
    _postgres: asyncio.LifoQueue[Postgres | None] = field(init=False)
    _slots: asyncio.Semaphore = field(init=False)
    _engine: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Docker proofs share one engine with its names and ports: one at a time."""
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """pgserver's lock between processes is one object for all, not safe between threads."""
    _servers: ExitStack = field(default_factory=ExitStack)

    async def __aenter__(self) -> Prover:
        self._slots = asyncio.Semaphore(self.jobs)
        self._postgres = asyncio.LifoQueue()
        for _ in range(self.jobs):
            self._postgres.put_nowait(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._servers.close()

    async def prove_all(
        self, seeds: Sequence[Seed], report: Callable[[Proof], None]
    ) -> list[Proof]:
        """Prove `seeds`; `report` is told each result as it comes. The answer keeps their order."""

        async def one(seed: Seed) -> Proof:
            proof = await self.prove(seed)
            report(proof)
            return proof

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(seed)) for seed in seeds]
        return [task.result() for task in tasks]

    async def prove(self, seed: Seed) -> Proof:
        """Prove one seed: the whole proof, then its negative controls."""
        if seed.needs_docker and not self.docker:
            return Proof(seed, Status.SKIPPED, reason="needs Docker, and no engine answers")
        if self.cache and (seconds := self.cache.seconds_of(seed)) is not None:
            return Proof(seed, Status.PROVEN, seconds, cached=True)
        async with AsyncExitStack() as stack:
            if seed.needs_docker:
                await stack.enter_async_context(self._engine)
            await stack.enter_async_context(self._slots)
            proof = await self._prove(seed)
            for _ in range(self.retries):
                if proof.status is Status.FAILED:
                    first = proof.outcome
                    proof = await self._prove(seed)
                    proof = replace(proof, outcome=proof.outcome or first)
        if self.cache and proof.status is Status.PROVEN and not proof.flaky:
            self.cache.remember(seed, proof.seconds)
        return proof

    async def _prove(self, seed: Seed) -> Proof:
        begin = time.perf_counter()
        whole = await self._run(seed, None, seed.timeout)
        if not whole.passed:
            return Proof(seed, Status.FAILED, time.perf_counter() - begin, whole)
        timeout = min(seed.timeout, max(CONTROL_LEAST, CONTROL_FACTOR * whole.seconds))
        superfluous = []
        for name in seed.solution_files:
            control = await self._run(seed, name, timeout)
            if control.passed:
                superfluous.append(name)
        status = Status.SUPERFLUOUS if superfluous else Status.PROVEN
        seconds = time.perf_counter() - begin
        controls = len(seed.solution_files)
        return Proof(seed, status, seconds, None, tuple(superfluous), controls=controls)

    async def _run(self, seed: Seed, without: str | None, timeout: float) -> Outcome:
        """Run a seed's command in a fresh folder that holds its files, all but `without`."""
        with self._folder(seed, without) as folder:
            async with AsyncExitStack() as stack:
                environment = self._environment(folder, seed)
                read_only = _checkout()
                if (
                    not seed.needs_docker
                ):  # else `docker build .` would send half a gigabyte of modules
                    read_only |= self._node_modules(folder)
                if seed.names("DATABASE_URL"):
                    server = await stack.enter_async_context(self._server())
                    environment["DATABASE_URL"] = await stack.enter_async_context(server.database())
                    read_only[server.socket_folder] = server.socket_folder
                script = seed.command.code
                if seed.names("REDIS_URL"):
                    script = self._start_redis(environment, network=seed.needs_docker) + script
                return await self.sandbox.run(
                    script,
                    folder,
                    environment=environment,
                    timeout=timeout,
                    network=seed.needs_docker,
                    read_only=read_only,
                )

    @contextlib.contextmanager
    def _folder(self, seed: Seed, without: str | None) -> Iterator[Path]:
        """Make the folder of a run, and a HOME beside it."""
        folder = Path(tempfile.mkdtemp(prefix="proof-"))
        home = home_of(folder)
        home.mkdir()
        # act drops the last output of a failing step unless its shell outlives it by a moment.
        (home / "linger.bash").write_text(LINGER)
        (home / ".actrc").write_text(f"--env=BASH_ENV={home / 'linger.bash'}\n")
        files = seed.files
        names = {name.partition("/")[0] for name in files}
        for default in self.runtime.defaults:
            if default.name not in names and not seed.needs_docker:
                shutil.copy(default, folder)
        for name, text in files.items():
            if name != without:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
        try:
            yield folder
        finally:
            if self.keep:
                kept = self.keep / seed.slug.replace("/", "_")
                kept = kept.with_name(
                    kept.name + (f".without.{without.replace('/', '_')}" if without else "")
                )
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(folder, kept, symlinks=True, ignore=_ignore_node_modules)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)

    def _environment(self, folder: Path, seed: Seed) -> dict[str, str]:
        # The folder's own view of node_modules goes first: a package has one path, so one copy.
        environment = self.runtime.environment | {
            "PATH": f"{folder / 'node_modules' / '.bin'}:{self.runtime.path}",
            "HOME": str(home_of(folder)),
            "TMPDIR": "/tmp" if self.sandbox.bubblewrap else str(home_of(folder)),  # noqa: S108
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if seed.needs_docker and (host := os.environ.get("DOCKER_HOST")):
            environment["DOCKER_HOST"] = host
        return environment

    def _node_modules(self, folder: Path) -> dict[Path, Path]:
        """Show the pinned node_modules in the folder: mounted where possible, else linked."""
        inside = folder / "node_modules"
        if self.sandbox.bubblewrap:
            inside.mkdir()
            return {inside: self.runtime.node_modules}
        inside.symlink_to(self.runtime.node_modules)
        return {}

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[Postgres]:
        """Lend a PostgreSQL server to one run; it starts when first asked for."""
        server = await self._postgres.get()
        try:
            if server is None:
                start = postgres(self.folder)
                async with self._starting:
                    server = await asyncio.to_thread(self._servers.enter_context, start)
                await server.reset()
            yield server
        finally:
            self._postgres.put_nowait(server)

    def _start_redis(self, environment: dict[str, str], *, network: bool) -> str:
        """Set REDIS_URL; return the lines that start an empty server inside the sandbox.

        It lives and dies with the run, so nothing has to be flushed and no run sees another's.
        """
        port = 6379 if self.sandbox.bubblewrap and not network else _free_port()
        environment["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        server = self.runtime.redis_server
        return (
            f"{server} --port {port} --bind 127.0.0.1 --save '' --dir \"$HOME\" "
            "--daemonize yes >/dev/null\n"
            f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.01; done\n"
        )


def _checkout() -> dict[Path, Path]:
    """Show the checkout, with the runtime in it, where a run's own /tmp would hide it."""
    return {PROJECT: PROJECT} if PROJECT.is_relative_to("/tmp") else {}  # noqa: S108


def _ignore_node_modules(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "node_modules"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
