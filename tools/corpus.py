"""All seeds together: read and checked, in several processes where there are many."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from tools.findings import Finding, SeedError
from tools.rules import check_seed, check_titles
from tools.seed_file import PROJECT, SEEDS, Seed, find_seeds, read_seed

SAMPLES = PROJECT / "api" / "fixtures" / "sample_traces.json"
PARALLEL_FROM = 1000
"""Seeds from which a pool of processes pays for its start."""

Result = TypeVar("Result")


def read_corpus(root: Path = SEEDS) -> list[Seed]:
    """Read and check every seed below `root`, sorted by slug.

    Raises SeedError with every problem of every seed.
    """
    results = map_files(partial(check_file, root=root), find_seeds(root))
    seeds = [seed for seed, _ in results if seed]
    findings = [finding for _, found in results for finding in found]
    findings += check_titles(
        ((seed.title, seed.path, seed.line_of("title")) for seed in seeds), sample_titles()
    )
    if findings:
        raise SeedError(findings)
    return sorted(seeds, key=lambda seed: seed.slug)


def check_file(path: Path, root: Path = SEEDS) -> tuple[Seed | None, Sequence[Finding]]:
    """Read one file and check it by itself; the seed is None where its form is broken."""
    try:
        seed = read_seed(path, root)
    except SeedError as error:
        return None, error.findings
    return seed, check_seed(seed)


def map_files(function: Callable[[Path], Result], paths: Sequence[Path]) -> list[Result]:
    """Apply `function` to each path, in order; in several processes where there are many."""
    if len(paths) < PARALLEL_FROM:
        return [function(path) for path in paths]
    from concurrent.futures import ProcessPoolExecutor

    processes = os.cpu_count() or 1
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(function, paths, chunksize=-(-len(paths) // (processes * 4))))


def sample_titles() -> Iterable[str]:
    """Return the titles of the sample traces, which no seed may share."""
    return [trace["title"] for trace in json.loads(SAMPLES.read_text("utf-8"))]
