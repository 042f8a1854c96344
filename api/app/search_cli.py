"""`python -m app.search_cli QUESTION`: search from the command line."""

import asyncio
import os
import sys
import textwrap
from contextlib import aclosing
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from app.config import Settings, load_settings

if TYPE_CHECKING:
    from app.search.service import SearchAnswer

CONTEXT_CHARACTERS = 240
"""Of a trace's context that are shown: about three lines."""


@click.command()
@click.argument("question", nargs=-1)
@click.option("--tag", "tags", multiple=True, help="Only traces with this tag; may be repeated.")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(
    question: tuple[str, ...], tags: tuple[str, ...], limit: int, database_url: str | None
) -> None:
    """Find traces that solve a problem: a question, keywords or an error message."""
    words = " ".join(question).strip()
    if not words and not tags:
        raise click.UsageError('say what to look for, for example: "docker stop takes ten seconds"')
    settings = load_settings(database_url=database_url)
    asyncio.run(_search(settings, words, tags, limit))


async def _search(settings: Settings, question: str, tags: tuple[str, ...], limit: int) -> None:
    from app.database import connected_engine
    from app.search.service import SearchService
    from app.services.embeddings import create_embedder

    async with aclosing(create_embedder(settings)) as embedder:
        loading = asyncio.create_task(embedder.load())  # while the database starts
        async with connected_engine(settings) as engine:
            service = SearchService(engine, embedder)
            await service.start()
            await loading
            answer = await service.search(question, tags, limit)
    _print(answer)


def _print(answer: "SearchAnswer") -> None:
    """Print the results; who reads only the first of them (`| head`) is no error."""
    console = Console(highlight=False, soft_wrap=False)
    with console.capture() as captured:
        _show(answer, console)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(answer: "SearchAnswer", console: Console) -> None:
    if not answer.results:
        console.print("Nothing found. Try fewer or other words.")
    for number, result in enumerate(answer.results, start=1):
        trace, score = result.trace, f"  {result.combined_score:.2f}"
        console.print(Text.assemble((f"{number}. ", "dim"), (trace.title, "bold"), score))
        subtitle = Text(f"{trace.slug or trace.id}  {' '.join(trace.tags)}", "cyan")
        console.print(Padding(subtitle, (0, 3)))
        console.print(Padding(Text(_beginning(trace.context_text)), (0, 3, 1, 3)))
    if hidden := answer.total - len(answer.results):
        console.print(f"{hidden} more; --limit shows them.", style="dim")


def _beginning(context: str) -> str:
    """Return the first words of a context."""
    return textwrap.shorten(context, CONTEXT_CHARACTERS, placeholder=" ...")


if __name__ == "__main__":
    main()
