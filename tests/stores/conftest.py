"""A database of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from oneflow_ai.stores.sqlite import Database


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with OneFlow's tables."""
    opened = await Database.open(tmp_path / "oneflow.db")
    yield opened
    await opened.close()
