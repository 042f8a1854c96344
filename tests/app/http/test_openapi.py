"""The OpenAPI description, held against the running service by Schemathesis."""

import json
from pathlib import Path

from app.config import Settings
from app.main import create_app
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.process import run, service_process
from tests.support.traces import add_traces

EXAMPLES = 10
"""Random requests an endpoint, beside the systematic ones."""


async def test_every_answer_is_as_described(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    await add_traces(engine, [{"title": "docker stop", "tags": ["docker"], "slug": "docker/a"}])
    with service_process(database_url) as service:
        checked = await run(
            *("-m", "schemathesis.cli", "run", f"{service.address}/openapi.json"),
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--generation-deterministic"),
            cwd=tmp_path,
        )
    assert checked.status == 0, checked.stdout + checked.stderr
    assert "Selected: 6/6" in checked.stdout
    levels = {line["level"] for line in service.program.logs}
    assert "error" not in levels


def test_errors_are_described_as_problem_documents(settings: Settings) -> None:
    described = create_app(settings).openapi()
    answers = described["paths"]["/api/v1/traces/search"]["post"]["responses"]
    assert set(answers) == {"200", "400", "413", "422", "500", "503"}
    for status, answer in answers.items():
        if status != "200":
            assert answer["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    assert "HTTPValidationError" not in json.dumps(described)
