"""What a tag is. Every path that writes or looks up a tag goes through here."""

import re

MAX_TAG_LENGTH = 50
"""Characters; the width of the column `tags.name`."""

_VALID_TAG = re.compile(r"[a-z0-9._-]+")


def normalize_tag(raw: str) -> str:
    """Strip white space, lowercase, and cut to `MAX_TAG_LENGTH` characters."""
    return raw.strip().lower()[:MAX_TAG_LENGTH]


def validate_tag(normalized: str) -> bool:
    """Return whether a normalized tag is non-empty and made of `[a-z0-9._-]` only."""
    return _VALID_TAG.fullmatch(normalized) is not None
