"""The Docker engine of a proof: one of its own, inside the run's namespaces, that ends with them.

Who may use a machine's engine is root of that machine. Here the engine's root is nobody outside:
`--privileged` and `-v /:/host` lead to what the run sees anyway. The base images are loaded once;
runs share their layers, which the sandbox shows read-only, so that none can change them for
another.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.proving.namespaces import SandboxError
from tools.proving.sandbox import Run, Sandbox

DATA = Path("/tmp/proof.docker")  # noqa: S108
"""Where a run's engine keeps what is its own."""
PLACE = Path("/images")
IMAGES = PLACE / "data"
"""Where a run finds the data of the engine that loaded the base images."""
ARCHIVE = Path("/images.tar")
LOADING_TIMEOUT = 600
"""Seconds that loading the base images may take."""
MACHINE = """
mount -t sysfs sysfs /sys
rootless=
if grep -q :memory: /proc/self/cgroup; then
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    while IFS=: read -r _ controllers _; do
        case $controllers in "" | name=*) continue ;; esac
        mkdir "/sys/fs/cgroup/$controllers"
        mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers"
    done </proc/self/cgroup
    test -w /sys/fs/cgroup/memory || rootless=--rootless
else
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    if [ -w /sys/fs/cgroup ]; then
        mkdir /sys/fs/cgroup/proof  # a group with processes can hand no controller on
        for pid in $(</sys/fs/cgroup/cgroup.procs); do
            echo "$pid" >/sys/fs/cgroup/proof/cgroup.procs
        done
        controllers=$(sed 's/[a-z]*/+&/g' /sys/fs/cgroup/cgroup.controllers)
        echo "$controllers" >/sys/fs/cgroup/cgroup.subtree_control
    else
        rootless=--rootless
    fi
fi
"""
"""Mounts the control groups below the run's own; without any, containers have no limits."""
ENGINE = """
cp "$(command -v docker-init)" /run/docker-init  # containers could not remount that of /usr
dockerd $rootless --data-root {data} --init-path /run/docker-init --exec-root /run/docker \\
    --bip 172.17.0.1/16 --dns 172.17.0.1 --host unix:///run/docker.sock \\
    --pidfile /run/docker.pid >/tmp/docker.log 2>&1 &
engine=$!
until [ -S /run/docker.sock ] && docker version >/tmp/docker.version 2>&1; do
    kill -0 "$engine" 2>/dev/null || {{ tail -n 3 /tmp/docker.log; exit 1; }}
    sleep 0.02
done
python -c '
import socket
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("172.17.0.1", 53))
while True:
    query, client = names.recvfrom(4096)
    names.sendto(query[:2] + bytes([0x81, 0x83]) + query[4:], client)
' &
"""
"""Starts an engine, and a name server that knows no name: without one, each takes 5 to 40 s."""
SHARE = """
mkdir {data}
tar -x -f {images}/skeleton.tar -C {data}
for folder in {data} {data}/overlay2; do  # else the engine does, and hides what is below
    mount --bind --make-shared "$folder" "$folder"
done
for layer in {data}/overlay2/*/diff; do  # no links: the engine does not follow them for sizes
    mount --bind "{images}${{layer#{data}}}" "$layer"
done
"""
LOAD = """
docker load -q -i {archive}
kill "$engine"
wait "$engine" || true
mkdir /tmp/skeleton
cd {images}
tar -c image overlay2/l $(find overlay2 -mindepth 2 -maxdepth 2 -type f) | tar -x -C /tmp/skeleton
for layer in $(ls overlay2); do
    [ "$layer" = l ] || mkdir "/tmp/skeleton/overlay2/$layer/diff"
done
tar -c -f {images}/skeleton.tar -C /tmp/skeleton .
"""


@dataclass(frozen=True, slots=True)
class DockerEngine:
    """The base images that the engine of each run starts with; `images` is where they lie."""

    images: Path

    @property
    def services(self) -> str:
        """Return the lines that start the engine; they end once it answers."""
        share = SHARE.format(data=DATA, images=IMAGES)
        return MACHINE + share + ENGINE.format(data=DATA)

    @property
    def read_only(self) -> dict[Path, Path]:
        """Return what the run has to see: place inside to path outside."""
        return {PLACE: self.images}


async def load_images(sandbox: Sandbox, folder: Path, archive: Path, path: str) -> DockerEngine:
    """Return the engine with the images of `archive` (of `docker save`), loaded into `folder`.

    Raises:
        SandboxError: where an engine does not start in the sandbox, or does not take them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    services = f"mkdir {IMAGES}\n" + MACHINE + ENGINE.format(data=IMAGES)
    with sandbox.places() as places:
        run = Run(
            places,
            "true",
            {},
            {"PATH": path},
            LOADING_TIMEOUT,
            services=services + LOAD.format(archive=ARCHIVE, images=IMAGES),
            read_only={ARCHIVE: archive},
            writable={PLACE: folder},
            as_root=True,
        )
        done = await sandbox.run(run)
    if not done.passed:
        raise SandboxError(f"no Docker engine for proofs: {done.output.strip()}")
    return DockerEngine(folder)
