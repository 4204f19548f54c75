"""The tables of a database brought to this version: made when there are none, migrated when they are older."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select

from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.tables import HEAD, alembic_version, metadata


def settle_schema(connection: Connection) -> None:
    """Make or migrate the tables inside the caller's transaction.

    Raises `StoreRefused` for a database of a newer OneFlow, or one that is not OneFlow's.
    """
    present = set(inspect(connection).get_table_names())
    if alembic_version.name not in present:
        if present:
            raise StoreRefused("the database holds tables that are not OneFlow's: name another file in [database] url")
        metadata.create_all(connection)
        alembic_version.create(connection)
        connection.execute(alembic_version.insert().values(version_num=HEAD))
        return
    found = connection.execute(select(alembic_version.c.version_num)).scalar()
    if found != HEAD:
        migrate(connection, found)


def migrate(connection: Connection, found: str | None) -> None:
    """Bring an older database to `HEAD`; raises `StoreRefused` when this OneFlow does not know its version."""
    # Alembic costs a tenth of a second and 10 MB, and is needed once in a version's life.
    from alembic import command  # noqa: PLC0415 - heavy, see above
    from alembic.config import Config  # noqa: PLC0415 - heavy, see above
    from alembic.util import CommandError  # noqa: PLC0415 - heavy, see above

    config = Config()
    config.set_main_option("script_location", "oneflow_ai.stores:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError:
        raise StoreRefused(
            f"the database is of version {found}, which this OneFlow (version {HEAD}) does not know: "
            "install the newer OneFlow that wrote it, or restore a backup"
        ) from None
