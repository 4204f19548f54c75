"""The page of errors says what the table of failures says."""

from __future__ import annotations

import re
from pathlib import Path

from oneflow_ai.core.failure import KINDS

PAGE = Path(__file__).parents[2] / "docs/reference/errors.md"
WHOSE = {"client": "you", "policy": "the rules", "gateway": "the gateway", "upstream": "the provider"}


def test_every_failure_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| ([\w ]+) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(kind.code, str(kind.status), WHOSE[kind.cause]) for kind in KINDS.values()]
