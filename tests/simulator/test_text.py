"""Texts and schemas: always the same, and as the counts say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oneflow_ai.simulator.schema import example
from oneflow_ai.simulator.text import compose, cut, pieces, tokens

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(prompt=_TEXTS, wanted=st.integers(1, 600))
def test_a_composed_text_is_always_the_same_and_as_long_as_wanted(prompt: str, wanted: int) -> None:
    text = compose(prompt, 0, wanted)
    assert text == compose(prompt, 0, wanted)
    assert tokens(text) == wanted or not text.isascii()
    assert tokens(text) <= wanted


@given(prompt=_TEXTS)
def test_a_free_text_is_of_realistic_length(prompt: str) -> None:
    assert 20 <= tokens(compose(prompt)) <= 400


@given(text=_TEXTS)
def test_pieces_join_to_the_text_and_ascii_ones_are_counted_as_tokens(text: str) -> None:
    assert "".join(pieces(text)) == text
    if text.isascii():
        assert len(pieces(text)) == tokens(text)


@given(text=_TEXTS, most=st.integers(0, 60))
def test_a_cut_text_is_a_beginning_within_the_limit(text: str, most: int) -> None:
    assert text.startswith(cut(text, most))
    assert tokens(cut(text, most)) <= most


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


NODE = _object(value={"type": "integer"}, children={"type": "array", "items": {"$ref": "#/$defs/node"}})
LIST = _object(next={"anyOf": [{"$ref": "#/$defs/list"}, {"type": "null"}]})
OPEN = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "minLength": 30, "maxLength": 31},
        {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{3}$"},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 3, "maximum": 4},
        {"type": "integer", "exclusiveMinimum": 10, "multipleOf": 4},
        {"type": "number", "minimum": -2, "exclusiveMaximum": 5},
        {"type": "number", "multipleOf": 0.25},
        {"type": ["string", "null"]},
        {"enum": ["red", "green"]},
        {"const": {"a": [1]}},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        {"anyOf": [_object(a={"type": "integer"}), {"type": "null"}]},
        {"allOf": [OPEN, {"required": ["b"], "properties": {"b": {}}}]},
        _object(a=_object(b=_object(c=_object(d=_object(e={"type": "string"}))))),
        {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
        {"$defs": {"list": LIST}, "$ref": "#/$defs/list"},
        _object(self={"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_an_example_satisfies_its_schema(schema: Any) -> None:
    Draft202012Validator(schema).validate(example(schema, "some words"))
