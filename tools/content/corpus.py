"""All seeds together: read and judged once, in several processes where there are many."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from tools.content.findings import Finding, SeedError
from tools.content.neighbours import neighbour_findings
from tools.content.rules import ERROR_RULES, RULES, Rule, check_seed, check_titles
from tools.content.seed_file import Seed, display_path, find_seeds, read_seed
from tools.paths import SAMPLES, SEEDS

PARALLEL_FROM = 50
"""Seeds from which a pool of processes pays for its start."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CheckedSeed:
    """One file: the seed that it is, None where its form is broken, and what is wrong with it."""

    path: Path
    seed: Seed | None
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Seeds that were read and judged, each by itself, and what is to say of them together."""

    checked: Sequence[CheckedSeed]

    @property
    def seeds(self) -> list[Seed]:
        """The well-formed ones."""
        return [checked.seed for checked in self.checked if checked.seed]

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with each by itself, sorted."""
        return sorted(finding for checked in self.checked for finding in checked.findings)

    def title_clashes(self, others: Iterable[Seed] = ()) -> Iterator[Finding]:
        """Say which titles stand twice: here, among `others`, or in the sample traces."""
        titles = ((seed.title, seed.path, seed.line_of("title")) for seed in (*others, *self.seeds))
        shown = {display_path(checked.path) for checked in self.checked}
        return (clash for clash in check_titles(titles, sample_titles()) if clash.path in shown)

    def near_neighbours(self, others: Iterable[Seed] = (), *, hints: bool) -> Iterator[Finding]:
        """Say which seeds answer nearly the same question as one here, or as one of `others`."""
        return neighbour_findings(self.seeds, [*others, *self.seeds], hints=hints)


def read_corpus(
    paths: Iterable[Path] = (SEEDS,), root: Path = SEEDS, rules: Iterable[Rule] = RULES
) -> Corpus:
    """Read the seeds at `paths` (files or folders, below `root`) and judge each by `rules`."""
    files = dict.fromkeys(file for path in paths for file in find_seeds(path))
    return Corpus(map_files(partial(check_file, root=root, rules=tuple(rules)), list(files)))


def check_corpus(paths: Sequence[Path] = ()) -> tuple[int, list[Finding]]:
    """Check the seeds at `paths` against every rule, the whole corpus where none is given.

    Returns how many were checked, and their findings, sorted. Titles and neighbours are looked for
    in the whole corpus either way.
    """
    # Hints are for whoever changes a seed; nobody reads those of the whole corpus each time.
    chosen = read_corpus(paths or (SEEDS,), rules=RULES if paths else ERROR_RULES)
    known = {checked.path for checked in chosen.checked}
    rest = (path for path in find_seeds(SEEDS) if path not in known)
    others = read_corpus(rest, rules=()).seeds
    together = [
        *chosen.findings,
        *chosen.title_clashes(others),
        *chosen.near_neighbours(others, hints=bool(paths)),
    ]
    return len(chosen.checked), sorted(together)


def check_file(path: Path, root: Path = SEEDS, rules: Iterable[Rule] = RULES) -> CheckedSeed:
    """Read one file and judge it by itself."""
    try:
        seed = read_seed(path, root)
    except SeedError as error:
        return CheckedSeed(path, None, error.findings)
    return CheckedSeed(path, seed, check_seed(seed, rules))


def map_files(function: Callable[[Path], Result], paths: Sequence[Path]) -> list[Result]:
    """Apply `function` to each path, in order; in several processes where there are many."""
    if len(paths) < PARALLEL_FROM:
        return [function(path) for path in paths]
    processes = os.cpu_count() or 1
    # Seeds hold no cycles, so collecting garbage finds nothing in a worker that lives a second.
    with ProcessPoolExecutor(processes, initializer=gc.disable) as pool:
        return list(pool.map(function, paths, chunksize=-(-len(paths) // (processes * 4))))


def sample_titles() -> Iterable[str]:
    """Return the titles of the sample traces, which no seed may share."""
    return [trace["title"] for trace in json.loads(SAMPLES.read_text("utf-8"))]
