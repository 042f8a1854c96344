"""What a tag is."""

import pytest
from app.services.tags import normalize_tag, validate_tag


@pytest.mark.parametrize(
    ("raw", "normalized"),
    [
        ("python", "python"),
        ("  GitHub-Actions\n", "github-actions"),
        ("x" * 60, "x" * 50),
        (" " * 3 + "x" * 50, "x" * 50),
        ("C#", "c#"),
        ("", ""),
    ],
)
def test_normalizing(raw: str, normalized: str) -> None:
    assert normalize_tag(raw) == normalized
    assert normalize_tag(normalized) == normalized


@pytest.mark.parametrize("tag", ["python", "next.js", "python3.11", "snake_case", "a-b", "9"])
def test_valid(tag: str) -> None:
    assert validate_tag(tag)


@pytest.mark.parametrize("tag", ["", "c#", "two words", "Python", "python\n", "café", "a/b"])
def test_invalid(tag: str) -> None:
    assert not validate_tag(tag)
