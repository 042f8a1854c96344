"""The Docker engine and the base images that proofs build on.

Where a hub answers, the images are pulled. Where none does, stand-ins are built from Debian's
packages and from the programs in the wheels, as ``tools/proofs/images/images.toml`` says; they
carry a label, so that a report can tell them from the real ones.
"""

import io
import shutil
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools.proving.pins import digest
from tools.proving.runtime import (
    Layout,
    RuntimeProblem,
    Say,
    environment,
    run_logged,
    stamped,
    step,
)

LABEL = "commontrace.stand-in"
DEFINITION = "commontrace.definition"
SUITE = "bookworm"
PULL_PATIENCE = 20
"""Seconds that a hub has to answer the first time."""


@dataclass(frozen=True)
class Image:
    """A base image: its names, and how the stand-in is built.

    Attributes:
        tags: the names; the first one is what other images refer to.
        folder: the folder of the Dockerfile; empty for the one that debootstrap makes.
        base: the image that the stand-in is built on.
        files: what the build context holds besides the folder: place in it -> place in the runtime.
        args: build arguments.
    """

    tags: list[str]
    folder: str = ""
    base: str = ""
    files: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)


def engine_answers() -> bool:
    """Return whether a Docker engine answers."""
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=20)  # noqa: S607
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def read_images(layout: Layout | None = None) -> list[Image]:
    """Return the base images, each after the one that it is built on."""
    layout = layout or Layout()
    text = (layout.pins / "images" / "images.toml").read_text()
    return [Image(**table) for table in tomllib.loads(text)["image"]]


def stand_ins() -> list[str]:
    """Return the names of the base images that are stand-ins here."""
    return [tag for image in read_images() for tag in image.tags if _label(tag, LABEL) == "true"]


def ensure_images(layout: Layout | None = None, say: Say = print) -> list[str]:
    """Have every base image, pulled or else built, and return the names of the stand-ins.

    Args:
        layout: where the runtime is.
        say: is given one line a finished step, with its time.

    Raises:
        RuntimeProblem: where no engine answers or a build fails.
    """
    layout = layout or Layout()
    if not engine_answers():
        raise RuntimeProblem("no Docker engine answers; run tools/proofs/docker-engine.sh start .proofs/engine")
    images = read_images(layout)
    if _hub_answers():
        _pull([tag for image in images for tag in image.tags], say)
    else:
        _build_all(layout, images, say)
    return stand_ins()


def _hub_answers() -> bool:
    try:
        _docker("pull", "-q", "busybox", timeout=PULL_PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def _pull(tags: list[str], say: Say) -> None:
    for tag in tags:
        if _label(tag, DEFINITION) is None:
            with step(f"pull {tag}", say):
                _docker("pull", "-q", tag)


def _build_all(layout: Layout, images: list[Image], say: Say) -> None:
    definition = _definition(layout)
    if all(_label(tag, DEFINITION) == definition for image in images for tag in image.tags):
        return
    with ThreadPoolExecutor() as pool:
        gathering = [pool.submit(_gather_wheels, layout, say), pool.submit(_gather_npm_cache, layout, say)]
        debian, *rest = images
        if _label(debian.tags[0], LABEL) is None:
            with step("Debian base", say):
                _import_debian(layout, debian)
        for done in gathering:
            done.result()
    for image in rest:
        with step(f"stand-in {image.tags[0]}", say):
            _build(layout, image, definition)
    _relabel(debian, definition)


def _import_debian(layout: Layout, image: Image) -> None:
    """Make the smallest Debian, once; it is kept as an archive."""
    archive = layout.folder / f"{SUITE}.tar"
    if not archive.exists():
        root = layout.folder / "debootstrap"
        shutil.rmtree(root, ignore_errors=True)
        run_logged(layout, "debootstrap", ["debootstrap", "--variant=minbase", SUITE, str(root)])
        partial = archive.with_suffix(".partial")
        leave_out = [f"--exclude=./{path}/*" for path in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "dev")]
        run_logged(layout, "tar", ["tar", "-C", str(root), *leave_out, "-cf", str(partial), "."])
        partial.rename(archive)
        shutil.rmtree(root)
    _docker("import", "-c", 'CMD ["bash"]', "-c", f"LABEL {LABEL}=true", str(archive), image.tags[0])


def _relabel(image: Image, definition: str) -> None:
    """Give all names to an image that has one, with the label that says it is complete."""
    dockerfile = f"FROM {image.tags[0]}\n".encode()
    _docker("build", "-q", *_labels(definition), *_tags(image), "-", given=dockerfile)


def _build(layout: Layout, image: Image, definition: str) -> None:
    arguments = dict(image.args)
    if image.base:
        arguments["BASE"] = image.base
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    context = _context(layout, image)
    _docker("build", "-q", *options, *_labels(definition), *_tags(image), "-", given=context)


def _labels(definition: str) -> list[str]:
    return [f"--label={LABEL}=true", f"--label={DEFINITION}={definition}"]


def _tags(image: Image) -> list[str]:
    return [f"--tag={tag}" for tag in image.tags]


def _context(layout: Layout, image: Image) -> bytes:
    """Return the build context as an archive: the image's folder, and its files of the runtime."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted((layout.pins / "images" / image.folder).iterdir()):
            tar.add(path, path.name)
        for name, place in image.files.items():
            tar.add(_source(layout, place), name)
    return archive.getvalue()


def _source(layout: Layout, place: str) -> Path:
    for folder in (layout.folder, layout.site_packages):
        if found := sorted(folder.glob(place)):
            return found[0]
    raise RuntimeProblem(f"{place} is not in the runtime; run make prove-setup")


def _gather_wheels(layout: Layout, say: Say) -> None:
    """Download the wheels that pip finds in the Python stand-ins."""
    wheels = layout.folder / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    download = [str(layout.venv / "bin" / "python"), "-m", "pip", "download", "-q"]
    wanted = ["-r", str(layout.pins / "images" / "python" / "wheels.txt")]
    pins = ["-c", str(layout.pins / "constraints.txt"), "-d", str(wheels)]
    with step("wheels for the Python images", say):
        run_logged(layout, "wheels", [*download, *wanted, *pins])


def _gather_npm_cache(layout: Layout, say: Say) -> None:
    """Fill the cache that npm finds in the Node stand-ins."""
    scratch, cache = layout.folder / "npm-scratch", layout.folder / "npm-cache"
    for folder in (scratch, cache):
        shutil.rmtree(folder, ignore_errors=True)
    scratch.mkdir()
    shutil.copy(layout.pins / "images" / "node" / "package.json", scratch)
    install = [str(layout.bin / "npm"), "install", "--ignore-scripts", "--cache", str(cache)]
    with step("npm cache for the Node images", say):
        run_logged(layout, "npm-cache", install, cwd=scratch)
    shutil.rmtree(scratch)


def _definition(layout: Layout) -> str:
    files = [path for path in sorted((layout.pins / "images").rglob("*")) if path.is_file()]
    return digest([*files, layout.pins / "constraints.txt"])[:16]


def _label(tag: str, name: str) -> str | None:
    """Return an image's label, empty where it has none, None where there is no such image."""
    form = f'{{{{index .Config.Labels "{name}"}}}}'
    try:
        return _docker("image", "inspect", "--format", form, tag).strip()
    except subprocess.CalledProcessError:
        return None


def _docker(*arguments: str, given: bytes | None = None, timeout: float | None = None) -> str:
    done = subprocess.run(
        ["docker", *arguments],  # noqa: S607
        input=given,
        env=environment(Layout()),
        capture_output=True,
        check=False,
        timeout=timeout,
    )
    done.check_returncode()
    return done.stdout.decode()
