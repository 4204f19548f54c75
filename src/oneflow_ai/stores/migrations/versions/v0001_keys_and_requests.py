"""API keys and the history of requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    _make_api_keys()
    _make_requests()
    op.create_index("ix_requests_at", "requests", ["at", "seq", "key_id", "provider", "model", "outcome"])
    failed = sa.text("outcome != 'ok'")
    op.create_index("ix_requests_outcome", "requests", ["outcome", "at"], sqlite_where=failed, postgresql_where=failed)


def _make_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("requests_per_minute", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("tokens_per_minute", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("concurrency", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )


def _make_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("end_user", sa.Text()),
        sa.Column("tags", sa.JSON()),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("model_actual", sa.Text()),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.JSON()),
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("cache_write_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("usage_source", sa.Text()),
        sa.Column("cost_nanos", sa.BigInteger(), nullable=False),
        sa.Column("price_version", sa.Text()),
        sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("simulated", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("stream", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("first_event_seconds", sa.Float()),
        sa.Column("queued_seconds", sa.Float(), nullable=False),
        sa.Column("prompt", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_requests"),
        sa.UniqueConstraint("id", name="uq_requests_id"),
    )


def downgrade() -> None:
    """Back to an empty database."""
    op.drop_table("requests")
    op.drop_table("api_keys")
