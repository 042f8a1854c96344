"""All seeds together: read and checked, in several processes where there are many."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from tools.content.findings import Finding, SeedError
from tools.content.neighbours import neighbour_findings
from tools.paths import SAMPLES, SEEDS
from tools.content.rules import RULES, Rule, check_seed, check_titles
from tools.content.seed_file import Seed, display_path, find_seeds, read_seed

PARALLEL_FROM = 50
"""Seeds from which a pool of processes pays for its start."""

Result = TypeVar("Result")


def check_seeds(paths: Sequence[Path] = ()) -> tuple[int, list[Finding]]:
    """Check the seeds at `paths` against every rule, the whole corpus where none is given.

    Returns how many were checked, and their findings, sorted. Titles are compared with those of
    the whole corpus either way.
    """
    everything = find_seeds(SEEDS)
    chosen = dict.fromkeys(path for root in paths for path in find_seeds(root)) or everything
    others = [path for path in everything if path not in chosen]
    checked = map_files(check_file, list(chosen))
    findings = [finding for _, found in checked for finding in found]
    mine = [seed for seed, _ in checked if seed]
    others_read = map_files(partial(check_file, rules=()), others)
    seeds = [seed for seed, _ in others_read if seed] + mine
    titles = ((seed.title, seed.path, seed.line_of("title")) for seed in seeds)
    shown = {display_path(path) for path in chosen}
    findings += [f for f in check_titles(titles, sample_titles()) if f.path in shown]
    findings += neighbour_findings(mine, seeds, hints=bool(paths))
    return len(chosen), sorted(findings)


def check_file(
    path: Path, root: Path = SEEDS, rules: Iterable[Rule] = RULES
) -> tuple[Seed | None, Sequence[Finding]]:
    """Read one file and check it by itself; the seed is None where its form is broken."""
    try:
        seed = read_seed(path, root)
    except SeedError as error:
        return None, error.findings
    return seed, check_seed(seed, rules)


def map_files(function: Callable[[Path], Result], paths: Sequence[Path]) -> list[Result]:
    """Apply `function` to each path, in order; in several processes where there are many."""
    if len(paths) < PARALLEL_FROM:
        return [function(path) for path in paths]
    from concurrent.futures import ProcessPoolExecutor

    processes = os.cpu_count() or 1
    # Seeds hold no cycles, so collecting garbage finds nothing in a worker that lives a second.
    with ProcessPoolExecutor(processes, initializer=gc.disable) as pool:
        return list(pool.map(function, paths, chunksize=-(-len(paths) // (processes * 4))))


def sample_titles() -> Iterable[str]:
    """Return the titles of the sample traces, which no seed may share."""
    return [trace["title"] for trace in json.loads(SAMPLES.read_text("utf-8"))]
