"""What surrounds every request. Plain ASGI: BaseHTTPMiddleware would cost a task a request."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import problem
from app.logs import REQUEST_ID
from app.metrics import Metrics

log = logging.getLogger(__name__)

USUAL_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
CLIENT_GONE = 499
"""Status in logs and metrics of a request whose client did not wait; nginx's number."""

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Gives each request an id, logs and counts it, and answers what nobody caught with 500.

    The id is the client's `X-Request-ID` if that is harmless to log, and returned in that header.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        token = REQUEST_ID.set(request_id)
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        begin = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("unexpected error")
            if status is not None:
                raise  # an answer has begun: the server cuts the connection
            await problem(500, "an unexpected error; it has been logged")(
                scope, receive, send_with_id
            )
        finally:
            self._record(scope, status or CLIENT_GONE, time.perf_counter() - begin)
            REQUEST_ID.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        method = scope["method"] if scope["method"] in USUAL_METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        fields = {
            "method": method,
            "route": route,
            "path": scope["path"],  # without the query string, which holds what was searched for
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
        }
        log.info("%s %s %d", method, route, status, extra=fields)


class BodyLimit:
    """Answers a request whose body is larger than `largest` bytes with 413, before it is read."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        message = f"the request may hold {self._largest} bytes"
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._largest:
            await problem(413, message)(scope, receive, send)
            return
        size = 0

        async def receive_little() -> Message:
            nonlocal size
            received = await receive()
            size += len(received.get("body", b""))
            if size > self._largest:  # it came in chunks, undeclared
                raise HTTPException(413, message)
            return received

        await self._app(scope, receive_little, send)


class HtmlHeaders:
    """Sends headers with every HTML page."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex


def _route(scope: Scope) -> str:
    """Return the route's template: few values, however many paths are asked for."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path or ("/static" if scope["path"].startswith("/static/") else "none")
