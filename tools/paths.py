"""Where things stand in the checkout."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SEEDS = PROJECT / "seeds"
SCHEMAS = PROJECT / "tools" / "schemas"
PINS = PROJECT / "tools" / "proofs"
FIXTURE = PROJECT / "api" / "fixtures" / "seed_traces.json"
SAMPLES = PROJECT / "api" / "fixtures" / "sample_traces.json"
CACHE = PROJECT / ".cache"
