"""A seed that keeps every rule, and variations on it."""

from pathlib import Path
from typing import Any

TITLE = "The answer is missing from the program"
CONTEXT = "It is not there. " * 20
PROSE = "Put it there. " * 20
SOLUTION = f"""\
{PROSE}

```python title="answer.py"
ANSWER = 42  # déjà vu
```"""
PROOF = """\
```sh
python -c 'import answer; assert answer.ANSWER == 42'
```"""


def seed_text(
    title: str = TITLE, context: str = CONTEXT, solution: str = SOLUTION, proof: str = PROOF
) -> str:
    """A seed as it stands in its file."""
    return f"""\
---
title: "{title}"
tags: [python, asyncio]
agent_model: claude-opus-4-6
agent_version: "1.0"
---

## Context

{context}

## Solution

{solution}

## Proof

{proof}
"""


def write_seed(folder: Path, slug: str, **changes: Any) -> Path:
    """Write a seed below `folder`; its path."""
    path = folder / f"{slug}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(seed_text(**changes), encoding="utf-8")
    return path
