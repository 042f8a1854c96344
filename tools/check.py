"""Check seeds against every rule: `python -m tools.check`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from tools.content.corpus import check_corpus
from tools.content.findings import Finding, counted


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
    number, findings = check_corpus(paths)
    _print(findings, form)
    errors = sum(finding.severity == "error" for finding in findings)
    hints = len(findings) - errors
    found = f"{counted(errors, 'error')}, {counted(hints, 'hint')}"
    click.echo(f"Checked {counted(number, 'seed')}: {found}", err=True)
    sys.exit(1 if errors else 0)


def _print(findings: Sequence[Finding], form: str) -> None:
    if form == "json":
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        click.echo(_annotation(finding) if form == "github" else finding)


def _annotation(finding: Finding) -> str:
    """Write a finding as GitHub's runner reads it from the log of a step."""
    level = "error" if finding.severity == "error" else "notice"
    place = f"file={_property(finding.path)},line={finding.line},col={finding.column}"
    return f"::{level} {place},title={finding.rule}::{_escaped(finding.message)}"


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    main()
