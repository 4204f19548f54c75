"""A request's own chain: what is a list of names, and which model it asks for where it names no other."""

from typing import Any

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.chain import CHAIN_MODELS_MOST, chain_names, first_of_chain, name_model
from oneflow_ai.core.failure import Failure


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({}, None),
        ({"models": None, "fallbacks": []}, None),
        ({"models": ["a", "b"]}, "a"),
        ({"fallbacks": ["c"]}, "c"),
        ({"fallbacks": ["c"], "models": ["a"]}, "a"),
    ],
)
def test_a_chain_begins_with_its_first_model(body: dict[str, Any], model: str | None) -> None:
    assert first_of_chain(body) == model


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ("a", kinds.INVALID_TYPE),
        ({"a": 1}, kinds.INVALID_TYPE),
        ([""], kinds.INVALID_TYPE),
        ([None], kinds.INVALID_TYPE),
        ([["a"]], kinds.INVALID_TYPE),
        (["a"] * (CHAIN_MODELS_MOST + 1), kinds.INVALID_VALUE),
    ],
)
def test_what_is_no_list_of_names_is_refused(names: Any, kind: kinds.Kind) -> None:
    with pytest.raises(Failure) as caught:
        chain_names({"fallbacks": names}, "fallbacks")
    assert (caught.value.kind, caught.value.param) == (kind, "fallbacks")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"model": "m", "models": ["a"]}, "m"),
        ({"models": ["a"]}, "a"),
        ({"model": None, "models": ["a"]}, "a"),
        ({"models": []}, "usual"),
        ({}, "usual"),
    ],
)
def test_a_request_that_names_no_model_asks_for_its_chain_alone(body: dict[str, Any], named: str) -> None:
    name_model(body, "usual")
    assert body["model"] == named


def test_a_request_without_a_chain_is_left_as_it_is_where_nothing_is_usual() -> None:
    body: dict[str, Any] = {"messages": []}
    name_model(body, field="model_id")
    assert body == {"messages": []}
