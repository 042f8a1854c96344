"""Which traces the embedding worker has in hand or must leave alone for a while."""

import uuid
from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class EmbeddingJob(Base):
    """A trace that a worker has claimed, or whose embedding failed. Success deletes the row."""

    __tablename__ = "embedding_jobs"

    trace_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("traces.id", ondelete="CASCADE"), primary_key=True
    )
    not_before: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    """When the trace may be claimed again: the end of a claim, or of the pause after a failure."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """Failures so far."""
    last_error: Mapped[str | None] = mapped_column(Text)
