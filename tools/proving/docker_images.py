"""The base images that proofs build on: had once by the machine's engine, loaded for those of runs.

Where a hub answers, the images are pulled. Where none does, stand-ins are built from Debian's
packages and from the programs in the wheels, as `tools/proofs/images/images.toml` says; they
carry a label, so that a report can tell them from the real ones.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools.pins import digest
from tools.proving import docker_engine
from tools.proving.docker_engine import DockerEngine, load_images
from tools.proving.runtime import Layout, SetupError, environment
from tools.proving.sandbox import Sandbox
from tools.proving.setup import Log, locked, run_logged, step

LABEL = "commontrace.stand-in"
DEFINITION = "commontrace.definition"
SUITE = "bookworm"
NOT_IN_SLIM = (
    "dev",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
)
ENGINE_TIMEOUT = 20
"""Seconds that the engine has to answer."""
PULL_TIMEOUT = 20
"""Seconds that a hub has to answer the first time."""


@dataclass(frozen=True)
class Image:
    """A base image: its names, and how the stand-in is built."""

    tags: list[str]
    """The names; the first one is what other images refer to."""
    folder: str
    """The folder of the Dockerfile."""
    base: str = ""
    """The image that the stand-in is built on, unless the Dockerfile's own."""
    files: dict[str, str] = field(default_factory=dict)
    """What the build context holds besides the folder: place in it -> place in the runtime."""
    args: dict[str, str] = field(default_factory=dict)
    """Build arguments."""


def engine_answers() -> bool:
    """Return whether a Docker engine answers."""
    try:
        _docker("version", timeout=ENGINE_TIMEOUT)
    except SetupError:
        return False
    return True


def gathered(layout: Layout) -> Path:
    """Return the folder of what goes into the stand-ins and is in no wheel."""
    return layout.folder / "images"


def read_images(layout: Layout | None = None) -> list[Image]:
    """Return the base images, each after the one that it is built on."""
    layout = layout or Layout()
    text = (layout.pins / "images" / "images.toml").read_text()
    return [Image(**table) for table in tomllib.loads(text)["image"]]


def engine(layout: Layout | None = None) -> DockerEngine | None:
    """Return the engine that proofs get, None where its images were never loaded."""
    folder = _loaded(layout or Layout())
    return DockerEngine(folder) if folder.with_suffix(".stamp").exists() else None


def stand_ins(layout: Layout | None = None) -> list[str]:
    """Return the names of the loaded images that are stand-ins."""
    note = _loaded(layout or Layout()).with_suffix(".stand-ins")
    return note.read_text().split() if note.exists() else []


def ensure_images(layout: Layout | None = None, log: Log = print) -> None:
    """Have every base image in the machine's engine, pulled or else built.

    Args:
        layout: where the runtime is.
        log: is given one line a finished step, with its time in seconds.

    Raises:
        SetupError: where no engine answers or a build fails.
    """
    layout = layout or Layout()
    if not engine_answers():
        raise SetupError(
            "no Docker engine answers; run tools/proofs/docker-engine.sh start .proofs/engine"
        )
    images = read_images(layout)
    with locked(layout):
        if _hub_answers():
            _pull([tag for image in images for tag in image.tags], log)
        else:
            _build_all(layout, images, log)


async def load_for_runs(
    sandbox: Sandbox, layout: Layout | None = None, log: Log = print
) -> list[str]:
    """Load the machine's base images for the engines of runs; return which are stand-ins.

    Raises:
        SetupError: where the machine's engine does not give them.
        SandboxError: where no engine starts in the sandbox.
    """
    layout = layout or Layout()
    tags = [tag for image in read_images(layout) for tag in image.tags]
    ids = _docker("image", "inspect", "--format={{.Id}}", *tags)
    folder = _loaded(layout)
    stamp, wanted = folder.with_suffix(".stamp"), digest([Path(docker_engine.__file__)], ids)
    if not (stamp.exists() and stamp.read_text() == wanted):
        stamp.unlink(missing_ok=True)
        with step("base images for the engines of runs", log):
            archive = folder.with_suffix(".tar")
            _docker("save", f"--output={archive}", *tags)
            archive.chmod(0o644)  # the run that loads it is another user
            await load_images(sandbox, folder, archive, environment(layout)["PATH"])
            archive.unlink()
        built = _names(f"--filter=label={LABEL}=true")
        folder.with_suffix(".stand-ins").write_text("\n".join(t for t in tags if t in built))
        stamp.write_text(wanted)
    return stand_ins(layout)


def _loaded(layout: Layout) -> Path:
    """Return the folder of what the engines of runs start with."""
    return layout.folder / "docker"


def _hub_answers() -> bool:
    try:
        _docker("pull", "-q", "busybox", timeout=PULL_TIMEOUT)
    except SetupError:
        return False
    return True


def _pull(tags: list[str], log: Log) -> None:
    real = _names() - _names(f"--filter=label={LABEL}=true")
    for tag in tags:
        if tag not in real:
            with step(f"pull {tag}", log):
                _docker("pull", "-q", tag)


def _build_all(layout: Layout, images: list[Image], log: Log) -> None:
    definition = _definition(layout)
    built = _names(f"--filter=label={DEFINITION}={definition}")
    missing = [image for image in images if not built.issuperset(image.tags)]
    if not missing:
        return
    gathered(layout).mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        gatherers = (_gather_debian, _gather_wheels, _gather_npm_cache)
        tasks = [pool.submit(gather, layout, log) for gather in gatherers]
    for task in tasks:
        task.result()

    def build(image: Image) -> None:
        with step(f"stand-in {image.tags[0]}", log):
            _build(layout, image, definition)

    for wave in _waves(missing):
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(build, wave))


def _waves(images: list[Image]) -> list[list[Image]]:
    """Return the images in groups that can be built at once: Debian, those on it, the others."""
    groups: list[list[Image]] = [[], [], []]
    for image in images:
        groups[0 if image.folder == "debian" else 2 if image.base else 1].append(image)
    return groups


def _gather_debian(layout: Layout, log: Log) -> None:
    """Make the smallest Debian, once; it is kept as an archive."""
    archive = gathered(layout) / "rootfs.tar"
    if archive.exists():
        return
    root, partial = archive.with_suffix(""), archive.with_suffix(".partial")
    shutil.rmtree(root, ignore_errors=True)
    with step("the smallest Debian", log):
        run_logged(layout, "debootstrap", ["debootstrap", "--variant=minbase", SUITE, str(root)])
        without = [f"--exclude=./{path}/*" for path in NOT_IN_SLIM]
        run_logged(layout, "tar", ["tar", "-C", str(root), *without, "-cf", str(partial), "."])
    shutil.rmtree(root)
    partial.rename(archive)


def _build(layout: Layout, image: Image, definition: str) -> None:
    arguments = image.args | ({"BASE": image.base} if image.base else {})
    options = [
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *(f"--tag={tag}" for tag in image.tags),
        *(f"--label={label}" for label in (f"{LABEL}=true", f"{DEFINITION}={definition}")),
    ]
    _docker("build", *options, "-", given=_context(layout, image))


def _context(layout: Layout, image: Image) -> bytes:
    """Return the build context as an archive: the image's folder, and its files of the runtime."""
    archive = io.BytesIO()
    # Docker knows an archive by its first header, which in Python's default format it cannot read.
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted((layout.pins / "images" / image.folder).iterdir()):
            tar.add(path, path.name)
        for name, place in image.files.items():
            tar.add(_source(layout, place), name)
    return archive.getvalue()


def _source(layout: Layout, place: str) -> Path:
    for folder in (gathered(layout), layout.site_packages):
        if found := sorted(folder.glob(place)):
            return found[0]
    raise SetupError(f"{place} is not in the runtime; run make prove-setup")


def _gather_wheels(layout: Layout, log: Log) -> None:
    """Download the wheels that pip finds in the Python stand-ins."""
    wheels = gathered(layout) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    download = [str(layout.venv / "bin" / "python"), "-m", "pip", "download", "-q"]
    wanted = ["-r", str(layout.pins / "images" / "python" / "wheels.txt")]
    pins = ["-c", str(layout.pins / "constraints.txt"), "-d", str(wheels)]
    with step("wheels for the Python images", log):
        run_logged(layout, "wheels", [*download, *wanted, *pins])


def _gather_npm_cache(layout: Layout, log: Log) -> None:
    """Fill the cache that npm finds in the Node stand-ins."""
    scratch, cache = gathered(layout) / "npm-scratch", gathered(layout) / "npm-cache"
    for folder in (scratch, cache):
        shutil.rmtree(folder, ignore_errors=True)
    scratch.mkdir()
    shutil.copy(layout.pins / "images" / "node" / "package.json", scratch)
    install = [str(layout.bin / "npm"), "install", "--ignore-scripts", "--cache", str(cache)]
    with step("npm cache for the Node images", log):
        run_logged(layout, "npm-cache", install, cwd=scratch)
    shutil.rmtree(scratch)


def _definition(layout: Layout) -> str:
    files = [path for path in sorted((layout.pins / "images").rglob("*")) if path.is_file()]
    return digest([*files, layout.pins / "constraints.txt"])[:16]


def _names(*filters: str) -> set[str]:
    """Return the names of the images here."""
    form = "--format={{.Repository}}:{{.Tag}}"
    return set(_docker("image", "ls", *filters, form).split())


def _docker(*arguments: str, given: bytes | None = None, timeout: float | None = None) -> str:
    """Run the client and return what it printed; where it fails, its last line is the error."""
    variables = os.environ | environment(Layout())
    try:
        done = subprocess.run(
            ["docker", *arguments],
            input=given,
            env=variables,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"docker {arguments[0]}: {error}") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise SetupError(f"docker {arguments[0]} failed: {' '.join(last)}")
    return done.stdout.decode()
