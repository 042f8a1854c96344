"""Tags, and which trace has which."""

from sqlalchemy import Column, ForeignKey, String, Table, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, UuidKey
from app.services.tags import MAX_TAG_LENGTH


class Tag(Base):
    """The name of a technology or topic, as `app.services.tags` normalizes it."""

    __tablename__ = "tags"

    id: Mapped[UuidKey]
    name: Mapped[str] = mapped_column(String(MAX_TAG_LENGTH), unique=True)
    is_curated: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[CreatedAt]


trace_tags = Table(
    "trace_tags",
    Base.metadata,
    Column("trace_id", ForeignKey("traces.id", ondelete="CASCADE"), primary_key=True),
    # The primary key serves trace -> tags; this index serves tag -> traces.
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True),
)
