"""Metadata in the history: what the client said, within bounds, and no keys."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from oneflow_ai.stores.history_metadata import MEMBERS_MOST, VALUE_CHARACTERS_MOST, metadata_of

KEY = f"sk-{'x' * 30}"


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ({"job": "a", "try": 2, "share": 0.5, "dry": True}, {"job": "a", "try": 2, "share": 0.5, "dry": True}),
        ({"job": "nightly", "nested": {"a": 1}, "list": [1], "nothing": None}, {"job": "nightly"}),
        ({"note": f"with {KEY} in it", KEY: "x"}, {"note": "with *** in it", "***": "x"}),
        ({"api_key": "short", "Password": "p", "aToken": 7}, {"api_key": "***", "Password": "***", "aToken": "***"}),
        ({"long " * 30: "word " * 300}, {("long " * 30)[:64]: ("word " * 300)[:VALUE_CHARACTERS_MOST]}),
        ({"number": 2**70}, {"number": "***"}),
        ({"half": "\ud83d"}, {"half": "?"}),
    ],
    ids=str,
)  # fmt: skip
def test_it_is_bounded_and_holds_no_key(found: dict[str, Any], kept: dict[str, Any]) -> None:
    assert orjson.loads(metadata_of(found)) == kept


@pytest.mark.parametrize("found", [None, {}, [], "text", 5, {"nested": {}}])
def test_nothing_of_use_is_nothing(found: object) -> None:
    assert metadata_of(found) == ""


def test_it_has_so_many_members() -> None:
    assert len(orjson.loads(metadata_of({f"m{number}": 1 for number in range(100)}))) == MEMBERS_MOST
