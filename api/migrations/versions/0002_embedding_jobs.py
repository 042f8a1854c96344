"""The embedding worker's own table, and the index by which it finds new traces."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the index."""
    op.create_table(
        "embedding_jobs",
        sa.Column("trace_id", sa.Uuid(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("trace_id", name="pk_embedding_jobs"),
        sa.ForeignKeyConstraint(
            ["trace_id"],
            ["traces.id"],
            name="fk_embedding_jobs_trace_id_traces",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_traces_without_embedding",
        "traces",
        ["created_at", "id"],
        postgresql_where=sa.text("embedding IS NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_traces_without_embedding", "traces")
    op.drop_table("embedding_jobs")
