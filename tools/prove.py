"""Prove seeds: `python -m tools.prove`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from tools.content.corpus import read_corpus
from tools.content.rules import STRUCTURE_RULES
from tools.content.seed_file import Seed
from tools.paths import SEEDS
from tools.proving import docker_images, runtime, setup
from tools.proving.cache import Cache
from tools.proving.namespaces import SandboxError
from tools.proving.report import explanation, line_of, summary, write_junit
from tools.proving.runner import Proof, Prover, Status
from tools.proving.sandbox import Sandbox
from tools.proving.surroundings import Surroundings


class NumberOrAll(click.ParamType[int | None]):
    """A number from 0, or `all`, which is None."""

    name = "N|all"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Read what was typed."""
        if str(value) == "all":
            return None
        if not str(value).isdecimal():
            self.fail(f'{value} is neither a number nor "all"', param, ctx)
        return int(str(value))


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Proofs at a time.")
@click.option(
    "--lines", type=NumberOrAll(), default="0", metavar="N|all", show_default=True,
    help="Leave out so many statements of each solution, too, one a run (the same ones each time), "
    "or all; the proof must fail without each.",
)  # fmt: skip
@click.option("--no-cache", is_flag=True, help="Make every run again, whatever is remembered.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Leave the folders of the runs there."
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write the results as JUnit XML.")
@click.option("--retries", default=0, show_default=True, help="Try a failed proof again.")
@click.option("--no-skips", is_flag=True, help="Count a skipped proof as a failure.")
@click.option("--require-sandbox", is_flag=True, help="Fail where a proof cannot be shut in.")
@click.option("--setup", "part", flag_value="runtime", help="Only install what proofs run on.")
@click.option("--images", "part", flag_value="images", help="Only make the Docker base images.")
def main(
    paths: tuple[Path, ...], jobs: int, lines: int | None, no_cache: bool, keep: Path | None,
    junit: Path | None, retries: int, no_skips: bool, require_sandbox: bool, part: str | None,
) -> None:  # fmt: skip
    """Prove the seeds at PATHS (files or folders; all of seeds/ by default).

    Each proof runs once as it stands and must pass, then once without each file of the solution
    and must fail; with --lines, once without single statements of it, too. Exit status 1 if any
    does not.
    """
    if part:
        click.echo(_set_up(part))
        return
    seeds = _read(paths)
    prover, stand_ins = _prover(jobs, lines, retries, no_cache, keep, require_sandbox)
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


def _set_up(part: str) -> str:
    if part == "runtime":
        setup.prepare(log=click.echo)
        return "the runtime for proofs is ready"
    docker_images.ensure_images(log=click.echo)
    stand_ins = asyncio.run(docker_images.load_for_runs(_sandbox(require=True), log=click.echo))
    return f"the base images are ready; stand-ins: {', '.join(stand_ins) or 'none'}"


def _read(paths: Sequence[Path]) -> list[Seed]:
    """Read the seeds; an ill-formed one ends the command with its findings."""
    corpus = read_corpus(paths or (SEEDS,), rules=STRUCTURE_RULES)
    for finding in corpus.findings:
        click.echo(finding)
    if corpus.findings:
        sys.exit(1)
    if not corpus.seeds:
        raise click.UsageError(
            f"no seeds at {', '.join(map(str, paths))}; name .md files or folders"
        )
    return corpus.seeds


def _prover(
    jobs: int,
    lines: int | None,
    retries: int,
    no_cache: bool,
    keep: Path | None,
    require_sandbox: bool,
) -> tuple[Prover, Sequence[str]]:
    found = runtime.load()
    sandbox = _sandbox(require=require_sandbox)
    engine = docker_images.engine() if sandbox.bubblewrap else None
    folder = runtime.Layout().folder
    prover = Prover(
        Surroundings(found, folder / "postgres", sandbox, engine),
        jobs,
        cache=None if no_cache else Cache(folder / "proven", found.pins_digest),
        retries=retries,
        keep=keep.resolve() if keep else None,
        lines=lines,
    )
    return prover, docker_images.stand_ins() if engine else []


def _sandbox(*, require: bool) -> Sandbox:
    """Return the walls of every run; what is missing is told, or ends the command."""
    sandbox = Sandbox.detect(runtime.shown())
    if require and not sandbox.bubblewrap:
        raise SandboxError(sandbox.missing[0])
    for what in sandbox.missing:
        click.echo(f"not isolated here: {what}", err=True)
    return sandbox


async def _prove(prover: Prover, seeds: Sequence[Seed]) -> list[Proof]:
    console = Console(highlight=False, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("proofs", total=len(seeds))

        def report(proof: Proof) -> None:
            console.print(line_of(proof), markup=False)
            bar.advance(task)

        return await prover.prove_all(seeds, report)


if __name__ == "__main__":
    main()
