"""The OpenAPI description, held against the running service by Schemathesis."""

from pathlib import Path

import pytest
import schemathesis
from app.config import Settings
from app.main import create_app
from hypothesis import HealthCheck, Phase, settings
from scratch_traces import add_traces
from sqlalchemy.ext.asyncio import AsyncEngine

EXAMPLES = 25
"""Generated requests an endpoint."""


@pytest.fixture
async def api(engine: AsyncEngine, settings: Settings) -> schemathesis.BaseSchema:
    """The description, with the application behind it, which runs until the test ends."""
    await add_traces(engine, [{"title": "docker stop", "tags": ["docker"], "slug": "docker/a"}])
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(settings))


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: schemathesis.Case) -> None:
    """All of Schemathesis's checks, for good and for bad requests."""
    case.call_and_validate()
