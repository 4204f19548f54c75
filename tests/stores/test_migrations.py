"""The steps from version to version lead to the tables that the code knows, and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, inspect, select, text

from oneflow_ai.stores.driver import sqlite_module
from oneflow_ai.stores.schema import migrate, settle_schema
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import HEAD, api_keys, metadata


def config(connection: Connection) -> Config:
    made = Config()
    made.set_main_option("script_location", "oneflow_ai.stores:migrations")
    made.attributes["connection"] = connection
    return made


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection to an empty file, in a transaction."""
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}", module=sqlite_module(), poolclass=NullPool)
    with engine.begin() as opened:
        yield opened


def shape(connection: Connection) -> dict[str, Any]:
    """The tables but Alembic's own: columns and constraints as SQLAlchemy sees them, indexes as SQLite has them."""
    seen = inspect(connection)
    indexes = text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table ORDER BY name")
    tables = set(seen.get_table_names()) - {"alembic_version"}
    return {
        table: (
            [{**column, "type": str(column["type"])} for column in seen.get_columns(table)],
            seen.get_pk_constraint(table),
            connection.execute(indexes, {"table": table}).scalars().all(),
            sorted(map(str, seen.get_unique_constraints(table))),
        )
        for table in tables
    }


def test_the_head_that_the_code_knows_is_the_last_step(connection: Connection) -> None:
    assert ScriptDirectory.from_config(config(connection)).get_heads() == [HEAD]


def test_the_steps_lead_to_the_tables_of_the_code(connection: Connection) -> None:
    migrate(connection, None)
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_an_empty_database_gets_the_same_tables_without_alembic(connection: Connection, tmp_path: Path) -> None:
    migrate(connection, None)
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}", module=sqlite_module(), poolclass=NullPool)
    with engine.begin() as made:
        settle_schema(made)
        assert shape(made) == shape(connection)


def test_every_step_can_be_taken_back(connection: Connection) -> None:
    migrate(connection, None)
    command.downgrade(config(connection), "base")
    assert shape(connection) == {}


def test_a_key_of_before_there_were_models_may_use_all(connection: Connection) -> None:
    command.upgrade(config(connection), "0001")
    connection.execute(
        text("INSERT INTO api_keys (id, name, digest, prefix, created_at) VALUES ('key_1', 'Ann', x'00', 'of_1234', 1)")
    )
    migrate(connection, "0001")
    assert connection.execute(select(api_keys.c.id, api_keys.c.models)).one() == ("key_1", None)
    command.downgrade(config(connection), "0001")
    assert connection.execute(text("SELECT name FROM api_keys")).scalar() == "Ann"


async def test_opening_an_older_database_migrates_it(tmp_path: Path) -> None:
    path = tmp_path / "oneflow.db"
    older = sqlite_module().connect(str(path))
    older.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    older.close()
    opened = await Database.open(path)
    version = text("SELECT version_num FROM alembic_version")
    assert await opened.read(lambda connection: connection.execute(version).scalar()) == HEAD
    assert await opened.read(lambda connection: set(shape(connection))) == set(metadata.tables)
    await opened.close()
