"""Commands in this process."""

import asyncio

from click import Command
from click.testing import CliRunner, Result


async def invoke(command: Command, *arguments: str) -> Result:
    """Run a command; in a thread, because it runs an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, command, arguments)
