"""Search for agents, over the Model Context Protocol: at `/mcp` of the service and over stdio."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import FastAPI
from pydantic import Field
from starlette.routing import Route

from app.config import Settings
from app.database.errors import BUSY, Failure, failure_of
from app.inputs import MOST_RESULTS, MOST_TAGS, Name, Question
from app.logs import log_as_json
from app.mcp import results
from app.metrics import Metrics
from app.search.bounded import TooManySearchesError
from app.service import Service, running_service
from app.services.traces import FoundTrace, get_trace, get_trace_by_slug, list_tags

if TYPE_CHECKING:
    from mcp.server import MCPServer

log = logging.getLogger(__name__)

INSTRUCTIONS = """\
CommonTrace holds coding problems that were already solved, each with a solution that was run.
Search it before you start on an error message or on behaviour that you cannot explain, and again
whenever a fix does not work: paste the error message as it is. search_traces gives a short list;
get_trace gives one whole. Compare the versions in proven_with with the user's."""

SEARCH = """\
Find solved coding problems by error message, symptom or keywords, best first.

Use it before debugging an error or unexplained behaviour of a library, framework, database,
container or CI system. Paste the error message rather than describing it. Gives a short list; read
the one that fits with get_trace. An empty list means that nothing fits."""

READ = """\
Read one solved problem whole: its symptoms, the solution with its code, and the versions with which
that was run."""

LIST_TAGS = "List the tags by which search_traces can narrow a search, most used first."


def create_mcp_server(service: Callable[[], Service]) -> "MCPServer":
    """Return the MCP server with its three tools; `service` is called by each tool when it runs."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import CallToolResult, ToolAnnotations

    server = MCPServer(
        "commontrace-seeds",
        title="CommonTrace Seeds",
        instructions=INSTRUCTIONS,
        version=version("commontrace-seeds"),
        log_level="WARNING",
        subscriptions=False,
    )
    read_only = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )

    @server.tool(title="Search solved problems", description=SEARCH, annotations=read_only)
    async def search_traces(
        query: Annotated[
            Question,
            Field(
                description="An error message as it is, a question, or keywords; any language. "
                "May be empty if there are tags."
            ),
        ] = "",
        tags: Annotated[
            list[Name],
            Field(max_length=MOST_TAGS, description="Only traces with all of these; see list_tags"),
        ] = [],  # noqa: B006
        limit: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 5,
    ) -> Annotated[CallToolResult, results.Hits]:
        if not query.strip() and not tags:
            raise ToolError("give a query, tags or both")
        with _tool_errors():
            answer = await service().search.search(query, tags, limit)
        return results.of_search(answer)

    @server.tool(
        "get_trace", title="Read one solved problem", description=READ, annotations=read_only
    )
    async def read_trace(
        id_or_slug: Annotated[
            Name, Field(description="The slug as search_traces gives it, or an id.")
        ],
    ) -> Annotated[CallToolResult, results.WholeTrace]:
        with _tool_errors():
            found = await _find(service(), id_or_slug)
        if found is None:
            raise ToolError(f"there is no trace {id_or_slug!r}; search_traces gives slugs")
        return results.of_trace(found)

    @server.tool("list_tags", title="List tags", description=LIST_TAGS, annotations=read_only)
    async def read_tags() -> Annotated[CallToolResult, results.Tags]:
        with _tool_errors():
            found = await list_tags(service().engine)
        return results.of_tags(found)

    return server


def add_mcp(app: FastAPI, hosts: Sequence[str]) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Add `/mcp` to the application. What it returns is to be entered while that runs.

    Each request stands for itself: there are no sessions, so that any process can answer any
    request, and no streams that stay open.
    """
    from mcp.server.transport_security import TransportSecuritySettings

    server = create_mcp_server(lambda: app.state.service)
    application = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[f"{host}{port}" for host in hosts for port in ("", ":*")],
            allowed_origins=[
                f"{scheme}://{host}{port}"
                for scheme in ("http", "https")
                for host in hosts
                for port in ("", ":*")
            ],
        ),
    )
    [route] = (route for route in application.routes if isinstance(route, Route))
    app.router.routes.append(Route(route.path, route.endpoint, methods=["POST"]))
    return server.session_manager.run


@contextmanager
def _tool_errors() -> Iterator[None]:
    """Turn whatever goes wrong into an error that tells the agent what to do.

    Raises:
        ToolError: instead.
    """
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except TooManySearchesError as error:
        raise ToolError(_advice(BUSY)) from error
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            log.exception("unexpected error")
            raise ToolError("an unexpected error; it has been logged") from error
        if failure is not BUSY:
            log.error("database: %s", error)
        raise ToolError(_advice(failure)) from error


def _advice(failure: Failure) -> str:
    return f"{failure.message}; try again in {failure.retry_seconds} s"


async def _find(service: Service, id_or_slug: str) -> FoundTrace | None:
    try:
        return await get_trace(service.engine, UUID(id_or_slug))
    except ValueError:
        return await get_trace_by_slug(service.engine, id_or_slug)


async def serve_stdio(settings: Settings) -> None:
    """Speak MCP on standard input and output until either side ends."""
    log_as_json()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running_service(settings, Metrics()) as service:
        speaking = asyncio.create_task(create_mcp_server(lambda: service).run_stdio_async())
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait({speaking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
    if not speaking.done():
        os._exit(0)  # nothing wakes the thread that waits for standard input
    await speaking
