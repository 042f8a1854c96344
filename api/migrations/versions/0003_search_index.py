"""The full-text index and its count of terms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the service fills them."""
    op.create_table(
        "search_documents",
        sa.Column("trace_id", sa.Uuid(), nullable=False),
        sa.Column("terms", TSVECTOR(), nullable=False),
        sa.Column("indexed_version", sa.DateTime(timezone=True), nullable=False),
        sa.Column("analysis_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", name="pk_search_documents"),
    )
    op.create_index(
        "ix_search_documents_terms", "search_documents", ["terms"], postgresql_using="gin"
    )
    op.create_table(
        "search_terms",
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("term", name="pk_search_terms"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("search_terms")
    op.drop_table("search_documents")
