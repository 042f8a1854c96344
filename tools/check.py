"""Check seeds against every rule."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tools.content.findings import Finding


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["text", "github", "json"]), default="text",
    show_default=True, help="github: annotations on the lines of a pull request.",
)  # fmt: skip
def main(paths: tuple[Path, ...], form: str) -> None:
    """Check the seeds at PATHS (files or folders; all of seeds/ by default).

    Errors block a build and give exit status 1; hints are only shown.
    """
    from tools.content.corpus import check_seeds

    number, findings = check_seeds(paths)
    _print(findings, form)
    errors = sum(finding.severity == "error" for finding in findings)
    hints = len(findings) - errors
    click.echo(f"Checked {number} seeds: {errors} errors, {hints} hints", err=True)
    sys.exit(1 if errors else 0)


def _print(findings: Sequence[Finding], form: str) -> None:
    if form == "json":
        from dataclasses import asdict

        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        click.echo(_annotation(finding) if form == "github" else finding)


def _annotation(finding: Finding) -> str:
    """Write a finding as GitHub's runner reads it from the log of a step."""
    level = "error" if finding.severity == "error" else "notice"
    place = f"file={finding.path},line={finding.line},col={finding.column}"
    message = _escaped(finding.message, {"%": "%25", "\r": "%0D", "\n": "%0A"}.items())
    return f"::{level} {place},title={finding.rule}::{message}"


def _escaped(text: str, replacements: Iterable[tuple[str, str]]) -> str:
    for character, code in replacements:
        text = text.replace(character, code)
    return text


if __name__ == "__main__":
    main()
