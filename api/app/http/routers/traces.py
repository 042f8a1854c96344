"""`/api/v1/traces`: search, and one trace."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.http.problems import problem_responses
from app.inputs import MOST_RESULTS, MOST_TAGS, Name, Question
from app.search.service import SearchResult
from app.service import Service
from app.services.traces import FoundTrace, get_trace, get_trace_by_slug

router = APIRouter(prefix="/api/v1/traces", tags=["traces"])


def _json_number(value: object) -> object:
    """Pydantic takes "5" and true for numbers, JSON Schema takes neither, and both take 5.0."""
    if isinstance(value, (bool, str)):
        raise ValueError("must be a whole number")
    return value


class SearchRequest(BaseModel):
    """A question, tags that the answers must have, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["q"], "properties": {"q": {"type": "string", "pattern": r"\S"}}},
                {"required": ["tags"], "properties": {"tags": {"minItems": 1}}},
            ]
        }
    )

    q: Question | None = Field(
        default=None,
        description="A question, keywords, or a pasted error message.",
        examples=["react useState shows old value after calling setter"],
    )
    tags: list[Name] = Field(
        default_factory=list,
        max_length=MOST_TAGS,
        description="Only traces that have all of these.",
    )
    limit: Annotated[int, BeforeValidator(_json_number)] = Field(default=10, ge=1, le=MOST_RESULTS)

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.q and self.q.strip()) and not self.tags:
            raise ValueError("give q, tags or both")
        return self


class TraceOut(BaseModel):
    """One solved coding problem."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    slug: str | None = Field(description="Path of the seed; null for a trace that is not a seed.")
    title: str
    context_text: str
    solution_text: str = Field(description="Markdown.")
    tags: list[str]
    trust_score: float
    status: str
    contributor_id: uuid.UUID
    contributor_name: str
    agent_model: str | None
    agent_version: str | None
    proven_with: dict[str, Any] = Field(
        description="Versions of the packages with which the solution was seen to work."
    )
    created_at: datetime


class ResultOut(TraceOut):
    """A trace that answers, and how well."""

    similarity_score: float = Field(description="Cosine of question and trace; 0 if unknown.")
    combined_score: float = Field(description="What the results are ordered by.")

    @classmethod
    def of(cls, result: SearchResult) -> Self:
        """Return the result as the client sees it."""
        return cls(
            **vars(result.trace),
            similarity_score=result.similarity_score,
            combined_score=result.combined_score,
        )


class SearchResponse(BaseModel):
    """Results, best first. None is better than a wrong one: weak matches are left out."""

    results: list[ResultOut]
    total: int = Field(description="Traces found, of which `results` holds the first `limit`.")
    query: str | None


@router.post(
    "/search",
    summary="Find traces that solve a problem",
    responses=problem_responses(400, 413, 422),
)
async def search(wanted: SearchRequest, request: Request) -> SearchResponse:
    """Search by meaning and by words at once; tags narrow it down."""
    service: Service = request.app.state.service
    answer = await service.search.search(wanted.q, wanted.tags, wanted.limit)
    return SearchResponse(
        results=[ResultOut.of(result) for result in answer.results],
        total=answer.total,
        query=wanted.q,
    )


@router.get("/{trace_id:uuid}", summary="One trace", responses=problem_responses(404, 422))
async def read_trace(trace_id: uuid.UUID, request: Request) -> TraceOut:
    """Give the trace with this id, whole."""
    service: Service = request.app.state.service
    return _found(await get_trace(service.engine, trace_id), trace_id)


@router.get(
    "/{category}/{name}", summary="One seed, by its slug", responses=problem_responses(404, 422)
)
async def read_seed(category: Name, name: Name, request: Request) -> TraceOut:
    """Give the seed with this slug, whole."""
    service: Service = request.app.state.service
    slug = f"{category}/{name}"
    return _found(await get_trace_by_slug(service.engine, slug), slug)


def _found(trace: FoundTrace | None, wanted: object) -> TraceOut:
    if trace is None:
        raise HTTPException(404, f"there is no trace {wanted}")
    return TraceOut.model_validate(trace)
