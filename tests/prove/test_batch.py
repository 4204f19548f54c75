"""A large batch that is killed again and again: every prompt answered once, every call accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.killing import check, killed_batch
from tests.cli.place import Place

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1_200)]

PROMPTS = 10_000
KILLS = 20


def test_ten_thousand_prompts_and_twenty_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check(killed_batch(Place(tmp_path), PROMPTS, KILLS, seed=12), PROMPTS)
