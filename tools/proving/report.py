"""Tells what came of the proofs: on the terminal, and as JUnit XML for CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.content.exemptions import FORM
from tools.content.findings import Finding
from tools.content.seed_file import Seed
from tools.proving.controls import Control
from tools.proving.runner import Proof, Status

LINES_SHOWN = 30
"""Lines of output shown of a failed run, the last ones."""


def place_of(seed: Seed) -> str:
    """Return where the proof's command stands: path and line."""
    return f"{seed.path}:{seed.command.line}"


def line_of(proof: Proof) -> str:
    """Say in one line what came of a proof."""
    seed = proof.seed
    time = "cached" if proof.cached else f"{proof.seconds:.1f} s"
    line = f"{proof.status:<11} {seed.path} ({time})"
    if proof.status is Status.SKIPPED:
        return f"{proof.status:<11} {seed.path}: {proof.reason}"
    if proof.flaky:
        return f"{line}: only when tried again"
    said = [f"passes without {', '.join(map(_piece, proof.unmissed))}"] if proof.unmissed else []
    said += [f"line {finding.line} exempts what is not so" for finding in proof.misfits]
    return f"{line}: {'; '.join(said)}" if said else line


def explanation(proof: Proof) -> Iterator[str]:
    """Explain a failure: where it is, the end of its output, how to run it again."""
    if proof.findings:
        yield from map(_without_column, proof.findings)
        yield from (f"  {advice}" for advice in _advice(proof))
    elif proof.outcome:
        how = "timed out" if proof.outcome.timed_out else f"exit status {proof.outcome.status}"
        how += f" after {proof.outcome.seconds:.1f} s"
        kind = "hint[flaky-proof]: at first" if proof.flaky else "error[proof-failed]:"
        yield f"{place_of(proof.seed)}: {kind} {how}; the output ends in"
        yield from (f"  {line}" for line in proof.outcome.output.splitlines()[-LINES_SHOWN:])
    else:
        return
    arguments = ' ARGS="--lines all"' if proof.status is Status.UNMISSED else ""
    yield f"  again: make prove SEED={proof.seed.path}{arguments}"


def _piece(control: Control) -> str:
    return f"line {control.line}" if control.statement else control.file


def _without_column(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}: error[{finding.rule}]: {finding.message}"


def _advice(proof: Proof) -> Iterator[str]:
    """Say what to do about what passed although a piece was left out."""
    if any(control.statement is None for control in proof.unmissed):
        yield "prove what each file is for, or drop it"
    if any(control.statement for control in proof.unmissed):
        yield "let the proof fail without each line, or leave the line out"
        yield f"if no proof need miss it, say so below ## Proof: {FORM}"


def summary(proofs: Sequence[Proof], stand_ins: Sequence[str]) -> Iterator[str]:
    """Count the results; name the skipped ones' reasons and the images that are stand-ins."""
    counts = Counter(proof.status for proof in proofs)
    seconds = sum(proof.seconds for proof in proofs if not proof.cached)
    flaky = [proof.seed.slug for proof in proofs if proof.flaky]
    if flaky:
        yield f"{len(flaky)} flaky, proven only when tried again: {', '.join(flaky)}"
    controls = sum(proof.controls for proof in proofs)
    lines = sum(proof.lines for proof in proofs)
    cached = sum(proof.cached and proof.status is Status.PROVEN for proof in proofs)
    for reason in sorted({proof.reason for proof in proofs if proof.reason}):
        number = sum(proof.reason == reason for proof in proofs)
        yield f"{number} skipped: {reason}"
    if stand_ins and any(proof.seed.needs_docker for proof in proofs):
        yield f"base images that are stand-ins built here: {', '.join(stand_ins)}"
    yield (
        f"Proofs: {counts[Status.PROVEN]} proven ({cached} cached), "
        f"{counts[Status.FAILED]} failed, "
        f"{counts[Status.SUPERFLUOUS]} with superfluous files, {counts[Status.SKIPPED]} skipped; "
        f"{counts[Status.UNMISSED]} with unmissed lines; "
        f"{controls} negative controls ({lines} of lines), {seconds:.0f} s of runs"
    )


def write_junit(proofs: Sequence[Proof], path: Path) -> None:
    """Write the results as JUnit XML, as CI services read it."""
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    suite = TestSuite("proofs")
    for proof in proofs:
        case = TestCase(proof.seed.slug, classname=proof.seed.category, time=proof.seconds)
        text = "\n".join(explanation(proof))
        if proof.status is Status.SKIPPED:
            case.result = [Skipped(proof.reason)]
        elif proof.outcome and proof.outcome.timed_out:
            case.result = [Error(text, "time-out")]
        elif proof.status is not Status.PROVEN:
            case.result = [Failure(text, str(proof.status))]
        suite.add_testcase(case)
    report = JUnitXml()
    report.add_testsuite(suite)
    report.write(str(path), pretty=True)
