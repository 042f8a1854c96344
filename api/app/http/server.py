"""Serving an application until it is told to stop."""

import signal
import sys
from typing import Any

from fastapi import FastAPI


async def serve(
    app: FastAPI, host: str, port: int, *, shutdown_timeout: int, **options: Any
) -> None:
    """Serve until SIGTERM or SIGINT; requests that run then get `shutdown_timeout` seconds to end.

    Further options are uvicorn's. After SIGTERM the process ends with status 0.
    """
    import uvicorn

    # Uvicorn raises the signal again when it has stopped. By default that would kill the process
    # before connections are closed and the embedded server is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app, host, port, timeout_graceful_shutdown=shutdown_timeout, access_log=False, **options
    )
    await uvicorn.Server(config).serve()
