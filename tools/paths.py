"""Where things stand in the checkout."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SEEDS = PROJECT / "seeds"
SCHEMAS = PROJECT / "tools" / "schemas"
FIXTURE = PROJECT / "api" / "fixtures" / "seed_traces.json"
FIXTURE_SCHEMA = SCHEMAS / "fixture.schema.json"
SAMPLES = PROJECT / "api" / "fixtures" / "sample_traces.json"
CACHE = PROJECT / ".cache"
