"""How Alembic runs the steps: on the connection it is handed, inside that connection's own transaction."""

from __future__ import annotations

from alembic import context

from oneflow_ai.stores.tables import metadata


def run() -> None:
    """Run the steps that were asked for."""
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()


run()
