"""OpenRouter tells for nothing what a key has left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.ports import TellsAccount
from oneflow_ai.providers.table import TABLE
from tests.policy.places import target

ADAPTER = TABLE["openrouter"].adapter


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"limit": 100, "limit_remaining": 74.5, "usage": 25.5}, "$74.50 left of the key's limit"),
        ({"limit": 100, "limit_remaining": 0, "usage": 100}, "$0.00 left of the key's limit"),
        ({"limit": None, "limit_remaining": None, "usage": 1025.5}, "$1,025.50 used, of no limit"),
        ({"usage": True}, ""),
        ({"limit_remaining": 1e300}, ""),
        ({"limit_remaining": "much", "usage": 1}, ""),
        ([], ""),
    ],
)
def test_what_is_left_is_told_in_dollars(data: Any, words: str) -> None:
    assert isinstance(ADAPTER, TellsAccount)
    assert ADAPTER.account(orjson.dumps({"data": data})) == words


@pytest.mark.parametrize("body", [b"", b"[]", b"no JSON", b'{"data": null}'])
def test_what_says_nothing_is_nothing(body: bytes) -> None:
    assert isinstance(ADAPTER, TellsAccount)
    assert ADAPTER.account(body) == ""


def test_it_is_asked_at_the_providers_own_address_with_its_key() -> None:
    assert isinstance(ADAPTER, TellsAccount)
    headers = (("authorization", "Bearer k"), ("content-type", "application/json"))
    place = replace(target(), base_url="https://openrouter.ai/api/v1", headers=headers)
    request = ADAPTER.account_request(place)
    assert (request.method, request.url) == ("GET", "https://openrouter.ai/api/v1/key")
    assert request.headers == (("authorization", "Bearer k"),)
