"""Build: 10,000 generated seeds, against the same work in Node (gray-matter, markdown-it, ajv)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.content.seed_file import find_seeds
from tools.paths import PROJECT, SCHEMAS, SEEDS

COUNT = 10_000
RIVAL = PROJECT / "bench" / "node"


def main() -> None:
    """Print the build's time, cold and with nothing changed, as ratios to Node's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = folder / "seeds"
        generate(seeds, COUNT)
        node_seconds = _node(seeds, folder)
        cold, memory = _build(seeds, folder / "fixture.json")
        warm, _ = _build(seeds, folder / "fixture.json")
    print(f"build of {COUNT:,} seeds: Node {node_seconds:.2f} s")
    print(f"  cold               {cold:.2f} s   {cold / node_seconds:.2f} x Node (at most 2)")
    print(f"  nothing changed    {warm:.2f} s   {warm / node_seconds:.2f} x Node (at most 0.5)")
    print(f"  memory             {memory:.0f} MB   (at most 400, all processes)")


def generate(folder: Path, count: int) -> None:
    """Write `count` seeds made from the real ones, each with a title of its own."""
    models = find_seeds(SEEDS)
    for number in range(count):
        model = models[number % len(models)]
        lines = model.read_text("utf-8").split("\n")
        lines[1] = f'title: "Generated problem number {number} of the build measurement"'
        path = folder / model.parent.name / f"{model.stem}-{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")


def _node(seeds: Path, folder: Path) -> float:
    """Install the rival, run it once to warm the file cache and once for its time in seconds."""
    for name in ("package.json", "package-lock.json", "build.mjs"):
        shutil.copy(RIVAL / name, folder)
    _quietly(["npm", "ci", "--no-audit", "--no-fund"], folder)
    command = ["node", "build.mjs", str(seeds), str(SCHEMAS), str(folder / "node.json")]
    _quietly(command, folder)
    begin = time.perf_counter()
    _quietly(command, folder)
    return time.perf_counter() - begin


def _quietly(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _build(seeds: Path, output: Path) -> tuple[float, float]:
    """Return the build's time in seconds and the peak memory of its processes in MB."""
    command = [sys.executable, "-m", "tools.build_fixtures"]
    command += ["--seeds-path", str(seeds), "--output", str(output)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _memory_of_tree(process.pid))
        time.sleep(0.02)
    assert process.returncode == 0
    return time.perf_counter() - begin, peak


def _memory_of_tree(pid: int) -> float:
    """Return the proportional memory of a process and its children in MB."""
    import psutil

    try:
        root = psutil.Process(pid)
        return sum(p.memory_full_info().pss for p in [root, *root.children(recursive=True)]) / 1e6
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    main()
