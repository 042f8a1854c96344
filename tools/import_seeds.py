"""Load the fixture into the target database: `python -m tools.import_seeds`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from app.config import load_settings
from app.database import connected_engine
from app.database.errors import database_errors
from rich.console import Console
from rich.progress import Progress

from tools.fixture.reader import SeedTrace, read_fixture
from tools.importing.importer import (
    STEPS,
    ImportResult,
    OnStep,
    get_or_create_seed_user,
    import_seeds,
)
from tools.importing.statements import NEEDED_COLUMNS
from tools.paths import FIXTURE

__all__ = ["get_or_create_seed_user", "import_seeds", "main"]

PROGRESS_AFTER = 1.0
"""Seconds after which a terminal shows the progress."""


@click.command()
@click.option(
    "--fixtures-path",
    default=FIXTURE,
    type=click.Path(path_type=Path),
    help="The fixture; api/fixtures/seed_traces.json by default.",
)
@click.option("--database-url", help="The target; DATABASE_URL by default.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and write nothing.")
@click.option("--prune", is_flag=True, help="Delete imported traces whose seed is gone.")
def main(fixtures_path: Path, database_url: str | None, dry_run: bool, prune: bool) -> None:
    """Load the fixture into the target database.

    New seeds are inserted, changed ones updated in place, the others skipped; traces that are not
    seeds are never touched. Without DATABASE_URL the target is the embedded database.
    """
    seeds = read_fixture(fixtures_path)
    result = asyncio.run(_import(seeds, database_url, dry_run=dry_run, prune=prune))
    for change in result.changes:
        click.echo(change)
    done = "Nothing written; an import would give" if dry_run else "Seed import complete"
    click.echo(f"{done}: {result}")


async def _import(
    seeds: Sequence[SeedTrace], database_url: str | None, *, dry_run: bool, prune: bool
) -> ImportResult:
    settings = load_settings(database_url=database_url)
    async with connected_engine(settings, needs=NEEDED_COLUMNS) as engine:
        with database_errors("the import failed, nothing was written"), _progress() as on_step:
            return await import_seeds(engine, seeds, dry_run=dry_run, prune=prune, on_step=on_step)


@contextmanager
def _progress() -> Iterator[OnStep]:
    """Give a progress bar on standard error, from `PROGRESS_AFTER` on, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task("", total=STEPS, completed=-1)  # the first step starts at 0
    timer = asyncio.get_running_loop().call_later(PROGRESS_AFTER, progress.start)
    try:
        yield lambda step: progress.update(task, description=step, advance=1)
    finally:
        timer.cancel()
        progress.stop()


if __name__ == "__main__":
    main()
