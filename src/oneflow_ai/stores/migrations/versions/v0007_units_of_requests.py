"""What a request used beside tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_UNITS = ("characters", "images", "audio_milliseconds", "web_searches")


def upgrade() -> None:
    """To this version."""
    for unit in _UNITS:
        op.add_column("requests", sa.Column(unit, sa.BigInteger()))


def downgrade() -> None:
    """Back to a history of tokens alone."""
    with op.batch_alter_table("requests") as table:
        for unit in _UNITS:
            table.drop_column(unit)
