"""The models that a key may use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.add_column("api_keys", sa.Column("models", sa.JSON()))


def downgrade() -> None:
    """Back to keys that may use every model."""
    with op.batch_alter_table("api_keys") as table:
        table.drop_column("models")
