"""The ids that clients gave their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.add_column("requests", sa.Column("client_id", sa.Text()))
    given = sa.text("client_id IS NOT NULL")
    op.create_index("ix_requests_client_id", "requests", ["client_id"], sqlite_where=given, postgresql_where=given)


def downgrade() -> None:
    """Back to a history without them."""
    op.drop_index("ix_requests_client_id", "requests")
    with op.batch_alter_table("requests") as table:
        table.drop_column("client_id")
