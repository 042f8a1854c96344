"""Images and actions that a seed names, held against those that the project pins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.content.safety.allowed import EXAMPLE, images_pinned, meant, repository
from tools.content.safety.passages import Passage, Problem, code, fences

if TYPE_CHECKING:
    from tools.content.seed_file import Seed

ACTION = re.compile(r"^\s*-?\s{0,3}[\"']?uses[\"']?:\s{0,3}[\"']?([^\s\"'#]{1,200})", re.MULTILINE)
ACTION_OWNERS = frozenset({
    "actions", "github", "docker", "google-github-actions", "aws-actions", "azure", "astral-sh",
    "pypa", "hashicorp", "codecov", "pnpm", "ruby", "oven-sh", "denoland", "release-drafter",
})  # fmt: skip
"""Owners of actions whom everybody uses: GitHub itself, and the makers of the tools."""
FROM = re.compile(
    r"^\s{0,8}FROM\s+(?:--\S+\s+)?([^\s#]{1,200})(?:\s+AS\s+(\S+))?", re.IGNORECASE | re.MULTILINE
)
IMAGE = re.compile(
    r"^\s{0,40}-?\s{0,3}(?:image|container):\s{0,3}[\"']?([^\s\"'#]{1,200})", re.MULTILINE
)
RUN_OPTION = re.compile(
    r"\s(?:-[evpuwhlm]|--(?!rm\b|detach\b|interactive\b|tty\b|privileged\b|read-only\b|quiet\b)"
    r"[\w-]{2,30})[= ]"
    r"(?:\"[^\"]{0,300}\"|'[^']{0,300}'|\S{1,300})"
)
"""An option of `docker run` with its value."""
DOCKER_RUN = re.compile(
    r"(?:docker|podman|nerdctl) (?:container )?(?:run|pull|create)((?:\s[^\n;&|]{1,400})?)"
)


def unpinned_action(seed: Seed) -> Iterator[Problem]:
    """Actions are of owners that everybody knows; others are looked up by the reviewer."""
    for passage in fences(*seed.sections):
        for line, match in passage.matches(ACTION):
            owner = match[1].partition("/")[0].lower()
            if match[1].startswith(("./", "../", "$", "docker://")) or "/" not in match[1]:
                continue
            if owner not in ACTION_OWNERS:
                advice = meant(owner, ACTION_OWNERS)
                yield line, f'"{match[1]}" is an action of an unknown owner{advice}'


def unpinned_image(seed: Seed) -> Iterator[Problem]:
    """Images are among those that the project pins; others are looked up by the reviewer."""
    for passage in code(seed.context, seed.solution):
        stages = {match[2] for match in FROM.finditer(passage.text) if match[2]}
        for line, name in _images(passage):
            if name not in stages and not _is_known_image(name):
                advice = meant(repository(name), images_pinned())
                if re.search(r"[:/]", name) or passage.language or "did" in advice:
                    yield line, f'"{name}" is not among the pinned images{advice}'


def _images(passage: Passage) -> Iterator[tuple[int, str]]:
    if passage.language == "dockerfile":
        yield from ((line, match[1]) for line, match in passage.matches(FROM))
    if passage.language == "yaml":
        yield from ((line, match[1]) for line, match in passage.matches(IMAGE))
    for line, match in passage.matches(DOCKER_RUN):
        arguments = RUN_OPTION.sub(" ", match[1].replace("\\", " "))
        name = next((word for word in arguments.split() if not word.startswith("-")), "")
        yield line, name.strip("\"'`")


def _is_known_image(name: str) -> bool:
    if not re.fullmatch(r"[a-z0-9][\w./:@-]*", name) or name == "scratch" or EXAMPLE.search(name):
        return True  # a variable, a pattern, or nothing
    first = name.partition("/")[0]
    if "/" in name and (re.search(r"example\b|localhost|:\d|127\.", first)):
        return True
    return repository(name) in images_pinned()
