"""One solved coding problem."""

import uuid
from enum import StrEnum
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import JSON, Enum, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.config import EMBEDDING_DIMENSIONS
from app.models.base import Base, CreatedAt, UpdatedAt, UuidKey

HNSW = {"m": 24, "ef_construction": 200}
"""Links of a vector, and neighbours looked at when it is linked. With pgvector's 16 and 64 the
index misses three times as many of the ten nearest of 100,000."""


class TraceStatus(StrEnum):
    """Whether a trace has been confirmed."""

    PENDING = "pending"
    VALIDATED = "validated"


class Trace(Base):
    """One solved coding problem: title, context, solution, tags, and the agent that wrote it."""

    __tablename__ = "traces"
    __table_args__ = (
        Index(
            "ix_traces_embedding_hnsw",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_cosine_ops"},
            postgresql_with=HNSW,
        ),
        Index(
            "ix_traces_without_embedding",
            "created_at",
            "id",
            postgresql_where=text("embedding IS NULL"),
        ),
    )

    id: Mapped[UuidKey]
    title: Mapped[str] = mapped_column(Text)
    context_text: Mapped[str] = mapped_column(Text)
    solution_text: Mapped[str] = mapped_column(Text)
    embedding: Mapped[Any | None] = mapped_column(Vector(EMBEDDING_DIMENSIONS))
    embedding_model_id: Mapped[str | None] = mapped_column(String(100))
    embedding_model_version: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[TraceStatus] = mapped_column(
        Enum(
            TraceStatus,
            native_enum=False,
            length=20,
            values_callable=lambda statuses: [status.value for status in statuses],
        ),
        default=TraceStatus.PENDING,
        server_default=TraceStatus.PENDING.value,
    )
    trust_score: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))
    confirmation_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    contributor_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    agent_model: Mapped[str | None] = mapped_column(String(100))
    agent_version: Mapped[str | None] = mapped_column(String(50))
    metadata_json: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    is_seed: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
