"""Who contributed a trace."""

from sqlalchemy import String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, UpdatedAt, UuidKey


class User(Base):
    """A contributor of traces."""

    __tablename__ = "users"

    id: Mapped[UuidKey]
    email: Mapped[str] = mapped_column(String(255), unique=True)
    display_name: Mapped[str] = mapped_column(String(100))
    is_seed: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
