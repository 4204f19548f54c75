"""A place of its own for each test of what must not come out of a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.place import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty working directory, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)
