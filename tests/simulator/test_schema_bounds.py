"""However a client's schema is made, what the simulator makes of it has bounds."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.simulator.reply import REQUIRED, Question, reply
from oneflow_ai.simulator.schema import CHARACTERS_MOST, PARTS_MOST, Room, example, is_simple

SECONDS_MOST = 2.0
WIDE = {f"p{number}": {"type": "integer"} for number in range(1_000)}
TEN = {"type": "array", "minItems": 10}
LISTS = {**TEN, "items": {**TEN, "items": {**TEN, "items": {**TEN, "items": {**TEN, "items": {"type": "null"}}}}}}
DEEP: Any = 1
for _ in range(300):
    DEEP = [DEEP]


def _parts(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_parts, inner))


@pytest.mark.parametrize(
    "schema",
    [
        LISTS,
        {"type": "array", "minItems": 2**62, "items": {"type": "array", "minItems": 2**62, "items": {}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}] * 1_000},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "array", "minItems": 1_000, "items": {"type": "string", "minLength": 2**62}},
        {"type": "array", "minItems": 1_000, "items": {"default": "x" * 100_000}},
        {"type": "array", "minItems": 1_000, "items": {"enum": [list(range(5_000))]}},
        {"$defs": {"w": {"properties": WIDE}}, "type": "array", "minItems": 1_000, "items": {"$ref": "#/$defs/w"}},
        {"allOf": [{"properties": {f"p{number}": {}}} for number in range(20_000)]},
        {"required": ["x" * 1_000 + str(number) for number in range(5_000)]},
        {"type": "array", "minItems": 1_000, "items": {"$ref": "#" + "/a" * 500_000}},
        {"type": "array", "prefixItems": [{"type": "string"}] * 50_000},
        {"const": DEEP},
        {"type": "integer", "minimum": 1e308},
        {"type": "integer", "exclusiveMinimum": 1.7e308, "multipleOf": 1.7e308},
        {"type": "number", "multipleOf": 5e-324, "minimum": 2**53},
        {"type": "number", "minimum": -1.7e308, "maximum": 1.7e308},
        {"type": "integer", "maximum": -(2**63)},
        {"type": "string", "maxLength": -3, "minLength": -9},
    ],
)  # fmt: skip
def test_what_is_made_of_a_schema_is_bounded(schema: Any) -> None:
    began = time.monotonic()
    made = example(schema, "some words")
    assert _parts(made) <= PARTS_MOST + 100
    assert len(orjson.dumps(made)) <= 2 * CHARACTERS_MOST
    assert time.monotonic() - began < SECONDS_MOST


ODD = {"minItems": {}, "required": {"a": 1}, "type": "array", "items": False}
HOLDER = {"const": ODD, "enum": [ODD], "properties": ODD, "$defs": ODD, "default": ODD}


@pytest.mark.parametrize("end", ["const", "enum/0", "properties", "$defs", "default", "required", "anyOf/7", "anyOf/x"])
def test_a_reference_to_what_is_no_schema_asks_for_nothing(end: str) -> None:
    schema = {"properties": {"held": HOLDER, "it": {"$ref": f"#/properties/held/{end}"}}, "required": ["it"]}
    assert example(schema, "word")["it"] == "word"


def test_a_definition_may_have_the_name_of_a_keyword() -> None:
    schema = {"$defs": {"items": {"type": "integer"}, "type": {"type": "boolean"}}}
    schema |= {"properties": {"a": {"$ref": "#/$defs/items"}, "b": {"$ref": "#/$defs/type"}}}
    made = example(schema)
    Draft202012Validator({**schema, "required": ["a", "b"]}).validate(made)


def test_the_calls_and_the_choices_of_one_answer_share_its_bound() -> None:
    tools = {f"tool{number}": LISTS for number in range(50)}
    said = reply(Question("call " + " ".join(tools), tools=tools, choice=REQUIRED))
    assert sum(_parts(orjson.loads(call.arguments)) for call in said.calls) <= PARTS_MOST + 1_000
    one_of_hundred = reply(Question("x", form=LISTS, choices=100))
    assert _parts(orjson.loads(one_of_hundred.text)) <= PARTS_MOST // 100 + 100


@pytest.mark.parametrize("pattern", ["^[A-Z]{3}-[0-9]{3}$", r"^\d{3}-\d{4}$", "^#[0-9a-f]{6}$", "^[a-z]+$", "abc"])
def test_a_simple_pattern_is_simple(pattern: str) -> None:
    assert is_simple(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$", "(a|a)*b", "(.*)*x", "a*a*a*a*a*b", "(?:a?){30}a{30}", r"(\w+)\1", "a{1,9999}", "a{99999999999}",
        "(?=a)", "[", "a**", "x" * 300,
    ],
)  # fmt: skip
def test_a_pattern_that_may_take_long_is_not_tried(pattern: str) -> None:
    assert not is_simple(pattern)
    assert Room().fitting(pattern, "a" * 80) == ()


def test_many_patterns_and_long_words_take_no_longer() -> None:
    slow = {f"p{number}": {"type": "string", "pattern": f"^.*.*.*{number}$"} for number in range(5_000)}
    began = time.monotonic()
    example({"type": "object", "properties": slow}, "a" * 2_000)
    assert time.monotonic() - began < SECONDS_MOST
