"""A folder for each test to configure a gateway in."""

from pathlib import Path

import pytest

from tests.settings.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
