"""The tables: `users`, `traces`, `tags`, `trace_tags`. Importing this package knows them all."""

from app.models.base import Base
from app.models.embedding_job import EmbeddingJob
from app.models.search import SearchDocument, SearchTerm
from app.models.tag import Tag, trace_tags
from app.models.trace import Trace, TraceStatus
from app.models.user import User

__all__ = [
    "Base",
    "EmbeddingJob",
    "SearchDocument",
    "SearchTerm",
    "Tag",
    "Trace",
    "TraceStatus",
    "User",
    "trace_tags",
]
