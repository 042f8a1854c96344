"""Compile seeds/ into api/fixtures/seed_traces.json."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tools.content.findings import SeedError
from tools.paths import FIXTURE, PROJECT, SEEDS


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
    from tools.fixture.compiler import compile_fixture, is_current, note_built, write_fixture

    if not check and is_current(seeds_path, output):
        click.echo(f"Fixture is current: {_shown(output)}")
        return
    try:
        fixture = compile_fixture(seeds_path)
    except SeedError as error:
        for finding in error.findings:
            click.echo(finding)
        count = len(error.findings)
        click.echo(f"{count} problem{'s' * (count > 1)} found; nothing written", err=True)
        sys.exit(1)
    if check:
        if not output.exists() or output.read_bytes() != fixture.data:
            click.echo(f"{_shown(output)} is not what the seeds give; run make fixtures", err=True)
            sys.exit(1)
        click.echo(f"{_shown(output)} is what the {fixture.count} seeds give")
        return
    write_fixture(fixture, output)
    note_built(seeds_path, output)
    click.echo(f"Compiled {fixture.count} seeds into {_shown(output)}")


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


if __name__ == "__main__":
    main()
