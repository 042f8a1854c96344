"""Serve the pages with the seeds as they are on disk: `python -m tools.serve`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from app.config import Settings, load_settings
from app.database import connected_engine
from app.http.server import serve
from app.main import create_app

from tools.importing.live_seeds import LiveSeeds
from tools.paths import SEEDS


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--seeds-path", default=SEEDS, help="The folder of the seeds.",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
)  # fmt: skip
def main(host: str, port: int, seeds_path: Path) -> None:
    """Serve pages, search and API from the target, with the seeds as they are on disk."""
    asyncio.run(_serve(load_settings(), host, port, seeds_path))


async def _serve(settings: Settings, host: str, port: int, root: Path) -> None:
    async with connected_engine(settings) as engine:
        seeds = LiveSeeds(engine, root)
        await seeds.refresh()  # before the service starts, so that its first search finds them
        app = create_app(settings, seeds)
        await serve(app, host, port, shutdown_timeout=settings.shutdown_timeout)


if __name__ == "__main__":
    main()
