"""Terms in one piece, and a graph of vectors with more links."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change how both indexes are stored; the service fills the full-text one anew."""
    op.execute("TRUNCATE search_documents, search_terms")
    op.execute("ALTER TABLE search_documents SET (toast_tuple_target = 8160)")
    _rebuild("WITH (m = 24, ef_construction = 200)")


def downgrade() -> None:
    """Change it back."""
    op.execute("ALTER TABLE search_documents RESET (toast_tuple_target)")
    _rebuild("")


def _rebuild(options: str) -> None:
    op.drop_index("ix_traces_embedding_hnsw", table_name="traces")
    op.execute(
        "CREATE INDEX ix_traces_embedding_hnsw ON traces "
        f"USING hnsw (embedding vector_cosine_ops) {options}"
    )
