"""The four tables and the index of the vectors."""

import sqlalchemy as sa
from alembic import op
from app.config import EMBEDDING_DIMENSIONS
from pgvector.sqlalchemy import Vector

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _key() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _flag(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.create_table(
        "users",
        _key(),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("display_name", sa.String(100), nullable=False),
        _flag("is_seed"),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "tags",
        _key(),
        sa.Column("name", sa.String(50), nullable=False),
        _flag("is_curated"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.UniqueConstraint("name", name="uq_tags_name"),
    )
    op.create_table(
        "traces",
        _key(),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("context_text", sa.Text(), nullable=False),
        sa.Column("solution_text", sa.Text(), nullable=False),
        sa.Column("embedding", Vector(EMBEDDING_DIMENSIONS), nullable=True),
        sa.Column("embedding_model_id", sa.String(100), nullable=True),
        sa.Column("embedding_model_version", sa.String(100), nullable=True),
        sa.Column("status", sa.String(20), server_default="pending", nullable=False),
        sa.Column("trust_score", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("confirmation_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("contributor_id", sa.Uuid(), nullable=False),
        sa.Column("agent_model", sa.String(100), nullable=True),
        sa.Column("agent_version", sa.String(50), nullable=True),
        sa.Column("metadata_json", sa.JSON(), nullable=True),
        _flag("is_seed"),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_traces"),
        sa.ForeignKeyConstraint(
            ["contributor_id"], ["users.id"], name="fk_traces_contributor_id_users"
        ),
    )
    op.create_index("ix_traces_contributor_id", "traces", ["contributor_id"])
    op.create_index(
        "ix_traces_embedding_hnsw",
        "traces",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
    )
    op.create_table(
        "trace_tags",
        sa.Column("trace_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "tag_id", name="pk_trace_tags"),
        sa.ForeignKeyConstraint(
            ["trace_id"], ["traces.id"], name="fk_trace_tags_trace_id_traces", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name="fk_trace_tags_tag_id_tags", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_trace_tags_tag_id", "trace_tags", ["tag_id"])


def downgrade() -> None:
    """Drop the tables; the extension may serve others and stays."""
    for table in ("trace_tags", "traces", "tags", "users"):
        op.drop_table(table)
