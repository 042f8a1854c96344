"""Begins a seed: a template that keeps every rule, once its title is not taken."""

from __future__ import annotations

import re
from pathlib import Path

from tools.content.corpus import CheckedSeed, Corpus, read_corpus
from tools.content.findings import Finding, SeedError
from tools.content.seed_file import parse_seed

TEMPLATE = """\
---
title: "{title}"
tags: [{tags}]
agent_model: claude-opus-4-6
agent_version: "1.0"
---

## Context

{title}. TODO: the symptom in the words that its owner would use, the exact error message if there
is one, the versions and conditions that matter, and what people try that does not help. No solution
here.

## Solution

TODO: the cause in a sentence, then the smallest complete code that solves it, then what else one
must know: the trade-off, the limit, when not to do it. Every fence of code is a file that the proof
needs.

```python title="answer.py"
def answer() -> int:
    return 42
```

## Proof

```python title="test_answer.py"
from answer import answer


def test_the_answer():
    assert answer() == 42
```

```sh
pytest -q
```
"""

WORDS_IN_A_NAME = 9
"""Words of a title that the file's name has: enough to tell it, short enough to type."""


def begin_seed(category: str, title: str, tags: list[str], root: Path) -> tuple[Path, str]:
    """Return where the seed belongs and its text, to be filled in; it is proven as it stands."""
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    text = TEMPLATE.format(title=quoted, tags=", ".join(tags))
    return root / category / f"{name_of(title)}.md", text


def name_of(title: str) -> str:
    """Return the first words of a title, as the name of a file has them."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words[:WORDS_IN_A_NAME]) or "seed"


def check_template(text: str, path: Path, root: Path) -> list[Finding]:
    """Check what the author chose: the form of title and tags, the title among the others."""
    try:
        seed = parse_seed(text, path.as_posix(), f"{path.parent.name}/{path.stem}")
    except SeedError as error:
        return error.findings
    new = Corpus([CheckedSeed(path, seed, ())])
    others = read_corpus([root], root, rules=()).seeds
    return [*new.title_clashes(others), *new.near_neighbours(others, hints=True)]
