"""Compile seeds/ into api/fixtures/seed_traces.json: `python -m tools.build_fixtures`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tools.content.findings import SeedError, counted
from tools.content.seed_file import display_path
from tools.fixture.compiler import build, compile_fixture
from tools.paths import FIXTURE, SEEDS


@click.command()
@click.option(
    "--seeds-path", default=SEEDS, type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of the seeds.",
)  # fmt: skip
@click.option("--output", default=FIXTURE, type=click.Path(path_type=Path), help="The fixture.")
@click.option("--check", is_flag=True, help="Write nothing; fail if the fixture is not current.")
def main(seeds_path: Path, output: Path, check: bool) -> None:
    """Compile the seeds into the fixture that the importer loads.

    Every problem of every seed is reported, and then nothing is written. The same seeds give the
    same bytes on every machine.
    """
    try:
        click.echo(_check(seeds_path, output) if check else _build(seeds_path, output))
    except SeedError as error:
        for finding in error.findings:
            click.echo(finding)
        problems = counted(len(error.findings), "problem")
        click.echo(f"{problems} found; nothing written", err=True)
        sys.exit(1)


def _check(seeds_path: Path, output: Path) -> str:
    fixture = compile_fixture(seeds_path)
    shown = display_path(output)
    if not output.exists() or output.read_bytes() != fixture.data:
        raise click.ClickException(f"{shown} is not what the seeds give; run make fixtures")
    return f"{shown} is what the {fixture.count} seeds give"


def _build(seeds_path: Path, output: Path) -> str:
    fixture = build(seeds_path, output)
    shown = display_path(output)
    if fixture is None:
        return f"Fixture is current: {shown}"
    return f"Compiled {counted(fixture.count, 'seed')} into {shown}"


if __name__ == "__main__":
    main()
