"""`/healthz`."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import text

router = APIRouter(tags=["health"])

_BACKLOG = text("""
    SELECT count(*) FILTER (WHERE embedding IS NULL), count(*) FROM traces
""")


class Health(BaseModel):
    """That the service answers and the database does; 503 if it does not."""

    status: str
    traces: int
    without_embedding: int


@router.get("/healthz", summary="Whether the service works")
async def read_health(request: Request) -> Health:
    """Ask the database."""
    async with request.app.state.engine.connect() as connection:
        pending, traces = (await connection.execute(_BACKLOG)).one()
    return Health(status="ok", traces=traces, without_embedding=pending)
