"""What a proof finds around it when it runs: packages, a database, Redis, a Docker engine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tools.proving.postgres import Postgres, make_cluster
from tools.proving.sandbox import Outcome, Places, Run, Sandbox

if TYPE_CHECKING:
    from tools.content.seed_file import Seed
    from tools.proving.docker_engine import DockerEngine
    from tools.proving.runtime import Runtime

REDIS = """
{server} --port {port} --bind 127.0.0.1 --save '' --dir {home} --daemonize yes >/dev/null
until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.01; done
"""
"""Starts an empty server, which ends with the run: nothing has to be flushed."""
LINGER = """trap 'status=$?; [ "$status" = 0 ] || sleep 0.1; exit "$status"' EXIT\n"""


@dataclass(slots=True)
class Surroundings:
    """Runs the commands of seeds, each in a fresh folder, among all that it asks for."""

    runtime: Runtime
    folder: Path
    """Where the cluster that each PostgreSQL starts from is kept."""
    sandbox: Sandbox
    engine: DockerEngine | None = None
    """What Docker proofs find; None: they cannot run."""
    _cluster: Postgres | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(
        self, seed: Seed, files: Mapping[str, str], timeout: float, keep: Path | None = None
    ) -> Outcome:
        """Run a seed's command in a folder that holds `files`; it is left in `keep` if named."""
        with self.sandbox.places() as places:
            finds = await self._finds(seed, places)
            run = Run(
                places,
                seed.command.code,
                self._defaults(seed) | dict(files),
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
