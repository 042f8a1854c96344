"""Build: 10,000 generated seeds, against the same work in Node (gray-matter, markdown-it, ajv)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bench.corpora import write_seeds
from bench.support import memory_of_tree, seconds_of_command
from tools.paths import PROJECT, SCHEMAS

COUNT, QUICK_COUNT = 10_000, 200
RIVAL = PROJECT / "bench" / "node"


def main(quick: bool) -> None:
    """Print the build's time, cold and with nothing changed, as ratios to Node's."""
    count = QUICK_COUNT if quick else COUNT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_seeds(folder / "seeds", count)
        node = _node_seconds(folder / "seeds", folder / "node", f"build of {count:,} seeds")
        cold, memory = _build(folder / "seeds", folder / "fixture.json")
        warm, _ = _build(folder / "seeds", folder / "fixture.json")
    click.echo(f"  cold               {cold:.2f} s   {_against(node, cold, at_most=2)}")
    click.echo(f"  nothing changed    {warm:.2f} s   {_against(node, warm, at_most=0.5)}")
    click.echo(f"  memory             {memory:.0f} MB   (at most 400, all processes)")


def _against(node: float | None, seconds: float, *, at_most: float) -> str:
    return f"{seconds / node:.2f} x Node (at most {at_most})" if node else ""


def _node_seconds(seeds: Path, folder: Path, subject: str) -> float | None:
    """Print and return the rival's seconds, None where it cannot be had.

    A first run warms the file cache.
    """
    missing = _install_rival(folder)
    if missing:
        click.echo(f"{subject}: the rival is not there ({missing})")
        return None
    command = ["node", "build.mjs", str(seeds), str(SCHEMAS), "fixture.json"]
    seconds_of_command(command, cwd=folder)
    seconds = seconds_of_command(command, cwd=folder)
    click.echo(f"{subject}: Node {seconds:.2f} s")
    return seconds


def _install_rival(folder: Path) -> str:
    """Install the rival's packages; return why that cannot be, or an empty text."""
    absent = [program for program in ("node", "npm") if not shutil.which(program)]
    if absent:
        return f"no {' and no '.join(absent)} on PATH"
    folder.mkdir()
    for name in ("package.json", "package-lock.json", "build.mjs"):
        shutil.copy(RIVAL / name, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if installed.returncode == 0 else f"npm ci: {installed.stderr.splitlines()[0]}"


def _build(seeds: Path, output: Path) -> tuple[float, float]:
    """Return the build's time in seconds and the peak memory of its processes in MB."""
    command = [sys.executable, "-m", "tools.build_fixtures"]
    command += ["--seeds-path", str(seeds), "--output", str(output)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_of_tree(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, peak
