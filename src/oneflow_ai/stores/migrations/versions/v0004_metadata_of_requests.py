"""What clients say of their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.add_column("requests", sa.Column("metadata", sa.JSON()))


def downgrade() -> None:
    """Back to a history without it."""
    with op.batch_alter_table("requests") as table:
        table.drop_column("metadata")
