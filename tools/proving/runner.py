"""Proves seeds: each proof once as it stands, and once more without each file of the solution.

The second kind of run is the negative control: a proof that passes although a file is missing
does not prove that file, and fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tools.content.seed_file import Seed
from tools.proving.postgres import Postgres, make_cluster
from tools.proving.sandbox import Outcome, Places, Run, Sandbox

if TYPE_CHECKING:
    from tools.proving.cache import Cache
    from tools.proving.docker_engine import DockerEngine
    from tools.proving.runtime import Runtime

NO_ENGINE = "needs Docker, and no engine of the run's own can be had; run make prove-machine"
REDIS = """
{server} --port {port} --bind 127.0.0.1 --save '' --dir {home} --daemonize yes >/dev/null
until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.01; done
"""
"""Starts an empty server, which ends with the run: nothing has to be flushed."""
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
    """Runs proofs, `jobs` at a time."""

    runtime: Runtime
    folder: Path
    """Where the cluster that each PostgreSQL starts from is kept."""
    sandbox: Sandbox
    engine: DockerEngine | None = None
    """What Docker proofs find; None: they are skipped."""
    jobs: int = 2
    cache: Cache | None = None
    retries: int = 0
    """How often a proof that failed is tried again; it then counts as flaky, and is named."""
    keep: Path | None = None
    """Where to leave the folders of runs; None: they are removed."""
    _slots: asyncio.Semaphore = field(init=False)
    _cluster: Postgres | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.jobs)

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
        if seed.needs_docker and not self.engine:
            return Proof(seed, Status.SKIPPED, reason=NO_ENGINE)
        if self.cache and (seconds := self.cache.seconds_of(seed)) is not None:
            return Proof(seed, Status.PROVEN, seconds, cached=True)
        async with self._slots:
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
        files = {name: text for name, text in seed.files.items() if name != without}
        with self.sandbox.places() as places, self._kept(seed, without) as keep:
            finds = await self._finds(seed, places)
            run = Run(
                places,
                seed.command.code,
                self._defaults(seed) | files,
                self._environment(places) | finds.environment,
                timeout,
                home=_home(places),
                services=finds.services,
                read_only=finds.read_only,
                keep=keep,
                as_root=seed.needs_docker,
            )
            return await self.sandbox.run(run)

    async def _finds(self, seed: Seed, places: Places) -> _Finds:
        """Return what a proof asks for by what it declares and by the variables that it names."""
        finds = _Finds()
        if seed.needs_docker:
            assert self.engine
            finds.add(services=self.engine.services, read_only=self.engine.read_only)
        else:  # there `docker build .` would send half a gigabyte of modules
            finds.add(read_only={places.node_modules: self.runtime.node_modules})
        if seed.names("DATABASE_URL") and not seed.needs_docker:  # there it is a container's
            cluster = await self._postgres()
            finds.add(
                cluster.services(places),
                cluster.read_only(places),
                {"DATABASE_URL": cluster.url(places)},
            )
        if seed.names("REDIS_URL"):
            port = 6379 if self.sandbox.bubblewrap else _free_port()
            server = REDIS.format(server=self.runtime.redis_server, port=port, home=places.home)
            finds.add(server, environment={"REDIS_URL": f"redis://127.0.0.1:{port}/0"})
        return finds

    async def _postgres(self) -> Postgres:
        async with self._making:
            if self._cluster is None:
                self._cluster = await make_cluster(
                    self.sandbox, self.folder, self.runtime.postgres_bin, self.runtime.path
                )
        return self._cluster

    def _defaults(self, seed: Seed) -> dict[str, str]:
        """Return the files that a proof's folder holds unless the seed brings its own."""
        if seed.needs_docker:
            return {}
        names = {name.partition("/")[0] for name in seed.files}
        defaults = (path for path in self.runtime.defaults if path.name not in names)
        return {path.name: path.read_text("utf-8") for path in defaults}

    def _environment(self, places: Places) -> dict[str, str]:
        # The folder's own view of node_modules goes first: a package has one path, so one copy.
        return self.runtime.environment | {
            "PATH": f"{places.node_modules / '.bin'}:{self.runtime.path}",
            "HOME": str(places.home),
            "TMPDIR": str(places.base),
            "USER": "proof",
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @contextlib.contextmanager
    def _kept(self, seed: Seed, without: str | None) -> Iterator[Path | None]:
        """Give the folder where a run's folder is left, if it is."""
        if self.keep is None:
            yield None
            return
        suffix = f".without.{without.replace('/', '_')}" if without else ""
        kept = self.keep / f"{seed.slug.replace('/', '_')}{suffix}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        yield kept


@dataclass(slots=True)
class _Finds:
    """What a proof finds besides the runtime: lines that start servers, places, variables."""

    services: str = ""
    read_only: dict[Path, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        services: str = "",
        read_only: Mapping[Path, Path] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Add what one more of them brings."""
        self.services += services
        self.read_only |= read_only
        self.environment |= environment


def _home(places: Places) -> dict[str, str]:
    """Return the files of HOME: act drops the last output of a failing step unless its shell
    outlives it by a moment.
    """
    linger = places.home / "linger.bash"
    return {linger.name: LINGER, ".actrc": f"--env=BASH_ENV={linger}\n"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
