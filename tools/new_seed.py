"""Start a new seed: `python -m tools.new_seed`."""

from __future__ import annotations

from pathlib import Path

import click

from tools.content.scaffold import begin_seed, check_template
from tools.content.seed_file import CATEGORIES, display_path
from tools.paths import SEEDS


@click.command()
@click.option(
    "--category", envvar="CATEGORY", type=click.Choice(CATEGORIES), prompt=True, help="The folder."
)
@click.option(
    "--title",
    envvar="TITLE",
    prompt="Title, the problem as its owner would type it",
    help="25 to 100 characters.",
)
@click.option(
    "--tags", envvar="TAGS", prompt="Tags, 2 to 5, most general first", help="Separated by commas."
)
@click.option(
    "--seeds-path", default=SEEDS, type=click.Path(path_type=Path), help="The folder of the seeds."
)
def main(category: str, title: str, tags: str, seeds_path: Path) -> None:
    """Write the template of a new seed, once its title is not taken by another one."""
    chosen = [tag.strip() for tag in tags.split(",") if tag.strip()]
    path, text = begin_seed(category, title, chosen, seeds_path)
    findings = check_template(text, path, seeds_path)
    for finding in findings:
        click.echo(finding, err=True)
    if any(finding.severity == "error" for finding in findings):
        raise click.ClickException("nothing written; choose other words and try again")
    if path.exists():
        raise click.ClickException(f"{path} exists; edit that one, or choose another title")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    shown = display_path(path)
    click.echo(f"Wrote {shown}")
    click.echo(f"Fill it in, then: make check SEED={shown}, make prove SEED={shown}")


if __name__ == "__main__":
    main()
