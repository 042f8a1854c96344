"""`python -m app.mcp`: serve search to an agent on standard input and output."""

import asyncio

import click

from app.config import load_settings
from app.mcp.server import serve_stdio


@click.command()
@click.option("--database-url", help="The target; DATABASE_URL by default.")
def main(database_url: str | None) -> None:
    """Serve search to an agent on standard input and output; logs are on standard error."""
    asyncio.run(serve_stdio(load_settings(database_url=database_url)))


if __name__ == "__main__":
    main()
