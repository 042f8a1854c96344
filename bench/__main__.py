"""`make bench`: how fast everything is, each figure a ratio to a named rival or limit."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bench import build, embedding, importing, load, search

MEASUREMENTS = {
    "build": build.main,
    "import": importing.main,
    "embedding": embedding.main,
    "search": search.main,
    "load": load.main,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(MEASUREMENTS)), metavar="[NAMES]...")
@click.option("--quick", is_flag=True, help="Small counts: shows that everything runs.")
def main(names: Sequence[str], quick: bool) -> None:
    """Measure all of build, import, embedding, search and load, or those that are named."""
    if quick:
        click.echo("Quick: small counts show that everything runs; the limits are for full ones.\n")
    for name in names or MEASUREMENTS:
        MEASUREMENTS[name](quick)
        click.echo()


if __name__ == "__main__":
    main()
