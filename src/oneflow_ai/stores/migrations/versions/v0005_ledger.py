"""The ledger: accounts, transfers between them, what processes have booked, and budgets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ZERO = sa.text("0")


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("limit_nanos", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("posted_nanos", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.Column("held_nanos", sa.BigInteger(), nullable=False, server_default=_ZERO),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_accounts"),
    )
    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("nanos", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "source", "destination", name="pk_ledger_transfers"),
    )
    op.create_table(
        "ledger_slices",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("nanos", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder", "account", name="pk_ledger_slices"),
    )
    op.create_table(
        "ledger_budgets",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("limit_nanos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "period", name="pk_ledger_budgets"),
    )


def downgrade() -> None:
    """Back to a database without money."""
    for name in ("ledger_budgets", "ledger_slices", "ledger_transfers", "ledger_accounts"):
        op.drop_table(name)
