"""Errors as RFC 9457 problem details (`application/problem+json`)."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from app.services.changes import CONNECTION_ERRORS

log = logging.getLogger(__name__)


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """A problem document."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, media_type="application/problem+json")


def handle_problems(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {
                "field": ".".join(str(part) for part in e["loc"][1:]),
                "message": e["msg"].removeprefix("Value error, "),
            }
            for e in error.errors()
        ]
        detail = "; ".join(f"{e['field']}: {e['message']}".removeprefix(": ") for e in errors)
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)

    async def _no_database(_: Request, error: Exception) -> JSONResponse:
        log.error("database: %s", error)
        answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not answer")
        answer.headers["Retry-After"] = "5"
        return answer

    for kind in (DBAPIError, PoolTimeoutError, *CONNECTION_ERRORS):
        app.exception_handler(kind)(_no_database)
