"""Start a new seed: ask what it is about, check the title against the corpus, write a template."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tools.content.findings import Finding, SeedError
from tools.paths import SEEDS
from tools.content.seed_file import CATEGORIES, display_path, find_seeds, parse_seed

TEMPLATE = """\
---
title: "{title}"
tags: [{tags}]
agent_model: claude-opus-4-6
agent_version: "1.0"
---

## Context

{title}. TODO: the symptom in the words that its owner would use, the exact error message if there
is one, the versions and conditions that matter, and what people try that does not help. No solution
here.

## Solution

TODO: the cause in a sentence, then the smallest complete code that solves it, then what else one
must know: the trade-off, the limit, when not to do it. Every fence of code is a file that the proof
needs.

```python title="answer.py"
def answer() -> int:
    return 42
```

## Proof

```python title="test_answer.py"
from answer import answer


def test_the_answer():
    assert answer() == 42
```

```sh
pytest -q
```
"""


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
    path = seeds_path / category / f"{slug_words(title)}.md"
    text = template(title, [tag.strip() for tag in tags.split(",") if tag.strip()])
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


def slug_words(title: str) -> str:
    """Return the first words of a title, as the name of a file has them."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words[:9]) or "seed"


def template(title: str, tags: list[str]) -> str:
    """Return a seed with that title and those tags, to be filled in; it is proven as it stands."""
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    return TEMPLATE.format(title=quoted, tags=", ".join(tags))


def check_template(text: str, path: Path, seeds_path: Path) -> list[Finding]:
    """Check what the author chose: the form of title and tags, the title among the others."""
    from tools.content.corpus import check_file, sample_titles
    from tools.content.neighbours import neighbour_findings
    from tools.content.rules import check_titles

    try:
        seed = parse_seed(text, path.as_posix(), f"{path.parent.name}/{path.stem}")
    except SeedError as error:
        return error.findings
    checked = (check_file(other, seeds_path, rules=()) for other in find_seeds(seeds_path))
    others = [other for other, _ in checked if other]
    titles = [(other.title, other.path, 1) for other in (*others, seed)]
    findings = [f for f in check_titles(titles, sample_titles()) if f.path == seed.path]
    return [*findings, *neighbour_findings([seed], others, hints=True)]


if __name__ == "__main__":
    main()
