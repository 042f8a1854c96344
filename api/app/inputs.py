"""What clients send: the limits are the same in the API, the pages and MCP."""

from typing import Annotated

from pydantic import AfterValidator, Field

LONGEST_QUESTION = 4000
"""Characters; a pasted stack trace fits."""

LONGEST_NAME = 200
"""Characters of a tag, a category or a slug."""

MOST_TAGS = 10
MOST_RESULTS = 50


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold NUL characters")  # PostgreSQL's text cannot
    return text


_WITHOUT_NUL = AfterValidator(_without_nul)
_PATTERN = {"pattern": r"^[^\x00]*$"}

Question = Annotated[
    str, Field(max_length=LONGEST_QUESTION, json_schema_extra=_PATTERN), _WITHOUT_NUL
]
Name = Annotated[str, Field(max_length=LONGEST_NAME, json_schema_extra=_PATTERN), _WITHOUT_NUL]
