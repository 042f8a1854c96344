"""`/api/v1/tags`."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app.service import Service
from app.services.traces import list_tags

router = APIRouter(prefix="/api/v1/tags", tags=["tags"])


class TagOut(BaseModel):
    """A tag, and how many traces have it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    traces: int


class TagsResponse(BaseModel):
    """All tags in use, most used first."""

    tags: list[TagOut] = Field(examples=[[{"name": "react", "traces": 34}]])


@router.get("", summary="The tags in use")
async def read_tags(request: Request) -> TagsResponse:
    """All tags that traces have."""
    service: Service = request.app.state.service
    tags = await list_tags(service.engine)
    return TagsResponse(tags=[TagOut.model_validate(tag) for tag in tags])
