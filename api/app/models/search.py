"""The full-text index: derived from `traces` and `trace_tags`, rebuilt from them at any time.

It stands in tables of its own, so that the import pays nothing for it, a new vector does not touch
it, and a target's `traces` need no further column.
"""

import uuid
from datetime import datetime

from sqlalchemy import DateTime, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

WHOLE_PAGE = 8160
"""Bytes up to which a row stays as it is. Larger than 2 kB, terms would be stored compressed and
elsewhere, and ranking them would take four times as long."""


class SearchDocument(Base):
    """The terms of one trace, as `app.search.terms` finds them.

    No foreign key: when a trace is deleted its document must still tell which terms to uncount.
    """

    __tablename__ = "search_documents"
    __table_args__ = (
        Index("ix_search_documents_terms", "terms", postgresql_using="gin"),
        {"postgresql_with": {"toast_tuple_target": WHOLE_PAGE}},
    )

    trace_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    terms: Mapped[str] = mapped_column(TSVECTOR)
    """Weight A: title and tags; B: context; C: prose of the solution; D: its code."""
    indexed_version: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    """`traces.updated_at` of the text that was indexed; another one means that it changed."""
    analysis_version: Mapped[int]
    """`app.search.terms.VERSION` at that time; another one means that terms are cut otherwise."""


class SearchTerm(Base):
    """In how many documents a term stands."""

    __tablename__ = "search_terms"

    term: Mapped[str] = mapped_column(Text, primary_key=True)
    documents: Mapped[int]
