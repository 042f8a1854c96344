"""Errors as RFC 9457 problem details (`application/problem+json`)."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from app.database.errors import BUSY, DATABASE_ERRORS, Failure, failure_of
from app.search.bounded import TooManySearchesError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
SCHEMAS = "#/components/schemas/"


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 has it; `type` is left out, which means `about:blank`."""

    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["give q, tags or both"])
    errors: list[FieldError] = Field(default=[], description="Only with 422.")


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """Return a problem document."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, media_type=MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what an endpoint declares of the problems that it answers with."""
    schema = {"$ref": f"{SCHEMAS}{Problem.__name__}"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def handle_problems(app: FastAPI) -> None:
    """Answer every error of the app with a problem document, and describe that in its OpenAPI."""
    _describe(app)

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

    @app.exception_handler(TooManySearchesError)
    async def _busy(_: Request, error: Exception) -> JSONResponse:
        return _unavailable(BUSY)

    async def _database(_: Request, error: Exception) -> JSONResponse:
        failure = failure_of(error)
        if failure is None:
            raise error  # a mistake of ours, not the database's state
        if failure is not BUSY:
            log.error("database: %s", error)
        return _unavailable(failure)

    for kind in DATABASE_ERRORS:
        app.exception_handler(kind)(_database)


def _unavailable(failure: Failure) -> JSONResponse:
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, failure.message)
    answer.headers["Retry-After"] = str(failure.retry_seconds)
    return answer


def _describe(app: FastAPI) -> None:
    """Add the schema of problems, which FastAPI knows for `application/json` only."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = described()
            _, definitions = models_json_schema(
                [(Problem, "validation")], ref_template=f"{SCHEMAS}{{model}}"
            )
            schema["components"]["schemas"] |= definitions["$defs"]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
