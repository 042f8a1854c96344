"""Proves seeds: each proof once as it stands, and once more for each of its controls.

A control is the proof without a piece of the solution: a proof that passes all the same does not
prove that piece.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tools.content.exemptions import exemptions
from tools.proving.controls import Control, chosen, file_controls, line_controls
from tools.proving.unmissed import Allowance

if TYPE_CHECKING:
    from tools.content.findings import Finding
    from tools.content.seed_file import Seed
    from tools.proving.cache import Cache
    from tools.proving.sandbox import Outcome
    from tools.proving.surroundings import Surroundings

NO_ENGINE = "needs Docker, and no engine of the run's own can be had; run make prove-machine"
CONTROL_FACTOR = 4
"""A negative control may take this many times the whole proof's time before it counts as failed."""
CONTROL_LEAST = 15
"""Seconds that every negative control gets (never more than the proof's own limit)."""


class Status(StrEnum):
    """What came of a proof."""

    PROVEN = "proven"
    FAILED = "failed"
    SUPERFLUOUS = "superfluous"
    """It passes without a file of the solution."""
    UNMISSED = "unmissed"
    """It passes without a line of the solution, or what the seed exempts is not so."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of proving one seed."""

    seed: Seed
    status: Status
    seconds: float = 0.0
    outcome: Outcome | None = None
    """The run that failed, if one did; of a proven seed, the one before it was tried again."""
    unmissed: tuple[Control, ...] = ()
    """The controls that passed although no exemption covers them."""
    misfits: tuple[Finding, ...] = ()
    """What is wrong with the seed's exemptions."""
    reason: str = ""
    """Why it was skipped."""
    cached: bool = False
    """Whether every run was remembered."""
    controls: int = 0
    """How many negative controls ran."""
    lines: int = 0
    """How many of those left a statement out."""

    @property
    def findings(self) -> list[Finding]:
        """All that its controls, and the exemptions from them, have shown to be wrong."""
        return sorted([*(control.finding for control in self.unmissed), *self.misfits])

    @property
    def flaky(self) -> bool:
        """Whether it failed first and was proven when tried again."""
        return self.status is Status.PROVEN and self.outcome is not None


@dataclass(slots=True)
class Prover:
    """Proves seeds, `jobs` at a time."""

    surroundings: Surroundings
    jobs: int = 2
    cache: Cache | None = None
    retries: int = 0
    """How often a proof that failed is tried again; it then counts as flaky, and is named."""
    keep: Path | None = None
    """Where to leave the folders of runs; None: they are removed."""
    lines: int | None = 0
    """How many statements of a seed are left out at most, one at a time; None: all."""
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.jobs)

    async def prove_all(
        self, seeds: Sequence[Seed], report: Callable[[Proof], None]
    ) -> list[Proof]:
        """Prove `seeds`; `report` is told each result as it comes. The answer keeps their order."""

        async def one(seed: Seed) -> Proof:
            proof = await self.prove(seed)
            report(proof)
            return proof

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(seed)) for seed in seeds]
        return [task.result() for task in tasks]

    async def prove(self, seed: Seed) -> Proof:
        """Prove one seed: the whole proof, then its negative controls."""
        if seed.needs_docker and not self.surroundings.engine:
            return Proof(seed, Status.SKIPPED, reason=NO_ENGINE)
        async with self._slots:
            proof = await _Trial.of(self, seed, self.cache).proof()
            for _ in range(self.retries):
                if proof.status is Status.FAILED:
                    first = proof.outcome
                    proof = await _Trial.of(self, seed, None).proof()  # luck is not remembered
                    proof = replace(proof, outcome=proof.outcome or first)
        return proof


Result = tuple[Control, bool]
"""A control, and whether it passed."""


@dataclass(slots=True)
class _Trial:
    """One time that a seed is tried: its runs, unless they are remembered, and what they show."""

    prover: Prover
    seed: Seed
    cache: Cache | None
    allowed: Allowance
    controls: tuple[Control, ...]
    ran: list[Control] = field(default_factory=list)

    @classmethod
    def of(cls, prover: Prover, seed: Seed, cache: Cache | None) -> _Trial:
        """Choose what is to be run."""
        entries = exemptions(seed.proof)
        every = line_controls(seed) if entries or prover.lines != 0 else ()
        controls = (*file_controls(seed), *chosen(every, prover.lines))
        return cls(prover, seed, cache, Allowance(seed.path, entries, every), controls)

    async def proof(self) -> Proof:
        """Return what comes of the seed."""
        begin = time.perf_counter()
        results = self._remembered()
        if results is not None:
            return replace(self._verdict(results), cached=True)
        whole = await self._run(self.seed.timeout)
        if not whole.passed:
            return Proof(self.seed, Status.FAILED, time.perf_counter() - begin, whole)
        results = await self._results(whole.seconds)
        return replace(self._verdict(results), seconds=time.perf_counter() - begin)

    def _remembered(self) -> list[Result] | None:
        """Return how all controls ended once, None where any run is to be made.

        Then the whole proof goes first, known or not: it shows that all that a proof needs is
        there, so that a control fails for what it lacks.
        """
        if not (self.cache and self.cache.outcome_of(self.seed)):
            return None
        results: list[Result] = []
        for control in self.controls:
            if not _is_told(control, results):
                outcome = self._known(control)
                if outcome is None:
                    return None
                results.append((control, outcome.passed))
        return results

    def _known(self, control: Control) -> Outcome | None:
        """Return how a control ended once; one that passed must be exempt to be believed."""
        known = self.cache.outcome_of(self.seed, control) if self.cache else None
        return None if known and known.passed and not self.allowed.covers(control) else known

    async def _results(self, seconds: float) -> list[Result]:
        """Run the controls that are not remembered and return how all of them end."""
        timeout = min(self.seed.timeout, max(CONTROL_LEAST, CONTROL_FACTOR * seconds))
        results: list[Result] = []
        for control in self.controls:
            if not _is_told(control, results):
                outcome = self._known(control) or await self._run(timeout, control)
                results.append((control, outcome.passed))
        return results

    async def _run(self, timeout: float, control: Control | None = None) -> Outcome:
        """Run the seed's command in a fresh folder with its files, or with those of a control."""
        files = control.files if control else self.seed.files
        self.ran += [control] if control else []
        with _kept(self.prover.keep, self.seed, control) as keep:
            outcome = await self.prover.surroundings.run(self.seed, files, timeout, keep)
        if self.cache:
            self.cache.remember(self.seed, control, outcome)
        return outcome

    def _verdict(self, results: Sequence[Result]) -> Proof:
        """Say what these results make of a proof that passes as it stands."""
        passed = [control for control, passes in results if passes]
        missed = [control for control, passes in results if not passes]
        unmissed = tuple(control for control in passed if not self.allowed.covers(control))
        misfits = (*self.allowed.stale(), *self.allowed.needless(missed))
        status = Status.UNMISSED if unmissed or misfits else Status.PROVEN
        if any(control.statement is None for control in unmissed):
            status = Status.SUPERFLUOUS
        lines = sum(control.statement is not None for control in self.ran)
        return Proof(
            self.seed,
            status,
            unmissed=unmissed,
            misfits=misfits,
            controls=len(self.ran),
            lines=lines,
        )


def _is_told(control: Control, results: Sequence[Result]) -> bool:
    """Tell whether a proof passes without more than a control leaves out: then it tells no more."""
    return any(passes and other.holds(control) for other, passes in results)


@contextlib.contextmanager
def _kept(keep: Path | None, seed: Seed, control: Control | None) -> Iterator[Path | None]:
    """Give the folder where a run's folder is left, if it is."""
    if keep is None:
        yield None
        return
    suffix = f".without.{control.name}" if control else ""
    kept = keep / f"{seed.slug.replace('/', '_')}{suffix}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    yield kept
