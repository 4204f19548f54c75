"""Values: equal by content, usable as keys, closed to other fields; that none is changed, the type checker sees to."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from oneflow_ai.core.events import Raw, Usage

CHANGES = """
from oneflow_ai.core.events import Raw
raw = Raw(b"", 1)
raw.content = b"other"
"""


def test_values_with_the_same_content_are_equal_and_one_key() -> None:
    assert Raw(b"a", 1) == Raw(b"a", 1) != Raw(b"b", 1)
    assert len({Raw(b"a", 1), Raw(b"a", 1)}) == 1
    assert dataclasses.replace(Usage(input_tokens=3), source="capped") == Usage(input_tokens=3, source="capped")


def test_a_value_has_no_place_for_other_fields() -> None:
    with pytest.raises(AttributeError):
        Raw(b"a", 1).other = 1  # type: ignore[attr-defined]  # what is tested


def test_the_type_checker_refuses_to_change_a_value(tmp_path: Path) -> None:
    (tmp_path / "changes.py").write_text(CHANGES)
    checked = [
        sys.executable,
        "-m",
        "mypy",
        "--no-incremental",
        "--follow-imports=silent",
        str(tmp_path / "changes.py"),
    ]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert 'Property "content" defined in "Raw" is read-only' in done.stdout
