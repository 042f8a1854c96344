"""The OpenAPI description, held against the running service by Schemathesis."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from app.config import Settings
from app.main import create_app
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.process import service_process
from tests.support.traces import add_traces

EXAMPLES = 10
"""Random requests an endpoint, beside the systematic ones."""


async def test_every_answer_is_as_described(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    await add_traces(engine, [{"title": "docker stop", "tags": ["docker"], "slug": "docker/a"}])
    async with service_process(database_url) as service:
        checking = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).parent / "st", "run", f"{service.address}/openapi.json"),
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--generation-deterministic"),
            stdout=PIPE,
            stderr=STDOUT,
            cwd=tmp_path,
        )
        output = (await checking.communicate())[0].decode()
    assert checking.returncode == 0, output
    assert "Selected: 6/6" in output
    levels = {line["level"] for line in service.logs}
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
