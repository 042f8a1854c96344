"""Prove seeds: run each proof, and run it again without each file of the solution."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tools.proving.runner import Proof, Prover
    from tools.content.seed_file import Seed


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Proofs at a time.")
@click.option("--no-cache", is_flag=True, help="Run proofs that passed before, too.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Leave the folders of the runs there."
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write the results as JUnit XML.")
@click.option("--retries", default=0, show_default=True, help="Try a failed proof again.")
@click.option("--no-skips", is_flag=True, help="Count a skipped proof as a failure.")
def main(
    paths: tuple[Path, ...], jobs: int, no_cache: bool, keep: Path | None, junit: Path | None,
    retries: int, no_skips: bool,
) -> None:  # fmt: skip
    """Prove the seeds at PATHS (files or folders; all of seeds/ by default).

    Each proof runs once as it stands and must pass, then once without each file of the solution
    and must fail. Exit status 1 if any does not.
    """
    from tools.proving.report import explanation, summary, write_junit
    from tools.proving.runner import Status

    seeds = _read(paths)
    prover, stand_ins = _prover(jobs, no_cache, keep)
    prover.retries = retries
    proofs = asyncio.run(_prove(prover, seeds))
    for proof in proofs:
        for line in explanation(proof):
            click.echo(line)
    if keep:
        click.echo(f"folders of the runs: {keep}")
    if junit:
        write_junit(proofs, junit)
    for line in summary(proofs, stand_ins):
        click.echo(line)
    good = {Status.PROVEN} if no_skips else {Status.PROVEN, Status.SKIPPED}
    sys.exit(0 if proofs and all(proof.status in good for proof in proofs) else 1)


def _read(paths: Sequence[Path]) -> list[Seed]:
    """Read the seeds; an ill-formed one ends the command with its findings."""
    from tools.content.findings import SeedError
    from tools.paths import SEEDS
    from tools.content.rules import FORM, check_seed
    from tools.content.seed_file import find_seeds, read_seed

    findings, seeds = [], []
    for path in dict.fromkeys(path for root in paths or [SEEDS] for path in find_seeds(root)):
        try:
            seeds.append(read_seed(path))
            findings += check_seed(seeds[-1], FORM)
        except SeedError as error:
            findings += error.findings
    for finding in sorted(findings):
        click.echo(finding)
    if findings:
        sys.exit(1)
    if not seeds:
        raise click.UsageError(
            f"no seeds at {', '.join(map(str, paths))}; name .md files or folders"
        )
    return seeds


def _prover(jobs: int, no_cache: bool, keep: Path | None) -> tuple[Prover, Sequence[str]]:
    from tools.proving import docker_engine, runtime
    from tools.proving.cache import Cache
    from tools.proving.runner import Prover
    from tools.proving.sandbox import Sandbox

    try:
        pins = runtime.load()
    except runtime.SetupError as error:
        raise click.ClickException(str(error)) from None
    sandbox = Sandbox.detect()
    for what in sandbox.missing:
        click.echo(f"not isolated here: {what}", err=True)
    docker = docker_engine.engine_answers()
    stand_ins = docker_engine.stand_ins() if docker else []
    folder = runtime.Layout().folder
    cache = None if no_cache else Cache(folder / "proven", pins.pins_digest)
    keep = keep.resolve() if keep else None
    return Prover(pins, folder / "postgres", sandbox, docker, jobs, cache, keep=keep), stand_ins


async def _prove(prover: Prover, seeds: Sequence[Seed]) -> list[Proof]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from tools.proving.report import line_of

    console = Console(highlight=False, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("proofs", total=len(seeds))

        def report(proof: Proof) -> None:
            console.print(line_of(proof), markup=False)
            bar.advance(task)

        async with prover:
            return await prover.prove_all(seeds, report)


if __name__ == "__main__":
    main()
