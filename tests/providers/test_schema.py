"""Schemas as wires enforce them: nothing that fits them breaks the client's own, and no wire refuses them."""

from __future__ import annotations

import contextlib
import json
from time import process_time
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oneflow_ai.providers.claude import SCHEMAS as CLAUDE
from oneflow_ai.providers.openai_idiom import SCHEMAS as OPENAI
from oneflow_ai.providers.schema import Fitted, Rules, Unfit, fitted
from oneflow_ai.providers.schema_shape import spent
from oneflow_ai.simulator.schema import example
from oneflow_ai.simulator.wires.claude_schemas import Unenforced
from oneflow_ai.simulator.wires.claude_schemas import check as check_claude
from oneflow_ai.simulator.wires.openai_schemas import check_strict
from oneflow_ai.simulator.wires.openai_shapes import BadRequest

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**CITY, "additionalProperties": False}
TEXT = {"type": "string"}
BOTH = pytest.mark.parametrize("rules", [CLAUDE, OPENAI], ids=["claude", "openai"])


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def inner(schema: Any, rules: Rules) -> tuple[Any, bool]:
    """What becomes of a property's schema, and whether less is then enforced."""
    found = fitted(an_object(a=schema), rules)
    return found.schema["properties"]["a"], found.changed


def refused(schema: Any, rules: Rules) -> str:
    with pytest.raises(Unfit) as told:
        fitted(schema, rules)
    return str(told.value)


@BOTH
def test_objects_are_closed(rules: Rules) -> None:
    schema = an_object(list={"type": "array", "items": CITY}, maybe={"type": ["object", "null"], **_of(CITY)})
    found = fitted(schema, rules)
    assert not found.changed
    assert found.schema["additionalProperties"] is False
    assert found.schema["properties"]["list"]["items"] == CLOSED
    assert found.schema["properties"]["maybe"]["additionalProperties"] is False
    assert list(found.schema["properties"]) == ["list", "maybe"], "answers keep the order of the properties"


def _of(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "type"}


def test_what_claude_does_not_enforce_is_told_to_the_model() -> None:
    schema = {"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"}
    found = {"type": "integer", "description": 'A number\n\n{"minimum":1,"maximum":10}'}
    assert inner(schema, CLAUDE) == (found, True)
    assert inner(schema, OPENAI) == (schema, False)


@BOTH
@pytest.mark.parametrize(
    ("schema", "found", "changed"),
    [
        ({"type": "string", "maxLength": 5}, {"type": "string", "description": '{"maxLength":5}'}, True),
        ({"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^a+$"}, False),
        ({"type": "string", "pattern": "(?=a)b"}, {"type": "string", "description": '{"pattern":"(?=a)b"}'}, True),
        ({"type": "string", "format": "uuid"}, {"type": "string", "format": "uuid"}, False),
        ({"type": "string", "format": "binary"}, {"type": "string", "description": '{"format":"binary"}'}, False),
        ({"type": "string", "examples": ["a"], "x-of": 1, "$comment": "c"}, {"type": "string"}, False),
        ({"oneOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}, True),
        ({"oneOf": [TEXT], "discriminator": {"propertyName": "kind"}}, {"anyOf": [TEXT]}, False),
        ({"allOf": [TEXT], "description": "d"}, {"type": "string", "description": "d"}, False),
        ({"properties": {}, "additionalProperties": False}, None, False),
        (
            {"type": "array", "prefixItems": [TEXT, TEXT]},
            {"type": "array", "items": TEXT, "description": '{"prefixItems":[{"type":"string"},{"type":"string"}]}'},
            True,
        ),
        ({"enum": ["a", None], "type": ["string", "null"]}, {"enum": ["a", None], "type": ["string", "null"]}, False),
    ],
)
def test_keywords(rules: Rules, schema: Any, found: Any, changed: bool) -> None:
    kept, loose = inner(schema, rules)
    assert loose is changed
    assert kept == found or (found is None and kept["type"] == "object")


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"enum": ["a", "b"]}, "string"),
        ({"enum": ["a", 1, None]}, ["string", "integer", "null"]),
        ({"enum": [1, 2.5]}, "number"),
        ({"const": True}, "boolean"),
    ],
)
def test_values_have_their_type_beside_them_at_openai(part: Any, kind: Any) -> None:
    assert inner(part, OPENAI) == ({**part, "type": kind}, False)
    assert inner(part, CLAUDE) == (part, False)


def test_objects_are_nested_ten_deep_at_openai() -> None:
    schema: Any = TEXT
    for _ in range(10):
        schema = an_object(a=schema)
    assert not fitted(schema, OPENAI).changed
    assert refused(an_object(a={"type": "array", "items": schema}), OPENAI) == "objects are nested too deep"
    assert not fitted(an_object(a=schema), CLAUDE).changed


def test_the_least_number_of_items_is_nought_or_one_at_claude() -> None:
    schema = {"type": "array", "items": TEXT, "minItems": 3, "maxItems": 4}
    assert inner(schema, OPENAI) == (schema, False)
    found = {"type": "array", "items": TEXT, "minItems": 1, "description": '{"minItems":3,"maxItems":4}'}
    assert inner(schema, CLAUDE) == (found, True)


@BOTH
@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object"}, "an object of free keys"),
        ({"type": "object", "additionalProperties": TEXT}, "an object of free keys"),
        (an_object(a={"type": "object"}), "an object of free keys (at properties.a)"),
        (an_object(a={}), "any value fits it (at properties.a)"),
        (an_object(a=True), "any value, or none, fits it (at properties.a)"),
        (an_object(a={"$ref": "other.json"}), "it refers to another document (at properties.a)"),
        (an_object(a={"$ref": "#/$defs/none"}), "it refers to nothing"),
        (an_object(a={"anyOf": []}), "it is no list of schemas (at properties.a.anyOf)"),
        ({"type": "object", "properties": []}, "it is no object of schemas (at properties)"),
        (an_object(a={"enum": [{}]}), "a value that is an object or a list (at properties.a.enum)"),
        ({}, "any value fits it"),
    ],
)
def test_what_cannot_be_enforced_is_told_by_its_place(rules: Rules, schema: Any, words: str) -> None:
    assert refused(schema, rules).startswith(words)


def test_openai_enforces_no_property_that_may_be_missing_but_not_null() -> None:
    schema = {**CITY, "required": []}
    assert fitted(schema, CLAUDE).schema == {**schema, "additionalProperties": False}
    assert refused(schema, OPENAI) == "a property that may be missing, but not null (at properties.city)"
    assert fitted(schema, OPENAI, fills=True) == Fitted(CLOSED, changed=True)
    for part in (
        {"type": ["string", "null"]},
        {"anyOf": [TEXT, {"type": "null"}], "default": None},
        {"enum": ["a", None]},
        {"$ref": "#/$defs/maybe"},
    ):
        maybe = {"type": "object", "properties": {"a": part}, "$defs": {"maybe": {"type": ["string", "null"]}}}
        found = fitted(maybe, OPENAI)
        assert (found.schema["required"], found.changed) == (["a"], False)


def test_openai_wants_one_object_at_the_root() -> None:
    assert refused({"type": "array", "items": TEXT}, OPENAI) == "it is not that of one object"
    assert refused({"anyOf": [CITY, CITY]}, OPENAI) == "it is not that of one object"
    assert fitted({"anyOf": [CITY, CITY]}, CLAUDE).schema == {"anyOf": [CLOSED, CLOSED]}
    named = {"$ref": "#/$defs/city", "$defs": {"city": CITY}}
    assert fitted(named, OPENAI).schema == {**CLOSED, "$defs": {"city": CLOSED}}
    assert fitted(named, CLAUDE).schema == {"$ref": "#/$defs/city", "$defs": {"city": CLOSED}}


def test_what_leads_back_to_itself_is_enforced_by_openai_alone() -> None:
    child = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
    tree = {"$ref": "#/$defs/node", "$defs": {"node": an_object(child=child)}}
    found = fitted(tree, OPENAI)
    assert found.schema["properties"]["child"]["anyOf"][0] == {"$ref": "#/$defs/node"}
    assert refused(tree, CLAUDE) == "it leads back to itself"
    assert refused(an_object(a={"anyOf": [{"$ref": "#"}, {"type": "null"}]}), CLAUDE) == "it leads back to itself"
    twice = {**an_object(a={"$ref": "#/$defs/city"}, b={"$ref": "#/$defs/city"}), "$defs": {"city": CITY}}
    assert not fitted(twice, CLAUDE).changed


@BOTH
def test_a_reference_to_a_place_within_is_written_out(rules: Rules) -> None:
    either = {"anyOf": [CITY, {"type": "null"}]}
    schema = an_object(a=either, b={"$ref": "#/properties/a/anyOf/0"}, c={"$ref": "#/%24defs/x%2Fy/properties/z"})
    found = fitted({**schema, "$defs": {"x/y": an_object(z=TEXT)}}, rules)
    assert not found.changed
    assert (found.schema["properties"]["b"], found.schema["properties"]["c"]) == (CLOSED, TEXT)
    assert refused(an_object(a=TEXT, b={"$ref": "#/properties/a/anyOf/7"}), rules).startswith("it refers to nothing")
    round_again = an_object(a=an_object(b={"$ref": "#/properties/a"}))
    assert refused(round_again, rules).startswith("it is nested too deep")


def test_a_reference_keeps_its_description_where_it_may() -> None:
    described = {"$ref": "#/$defs/city", "description": "Where"}
    schema = {**an_object(a=described, b={"allOf": [described]}), "$defs": {"city": CITY}}
    wrapped = {"anyOf": [{"$ref": "#/$defs/city"}], "description": "Where"}
    assert fitted(schema, OPENAI).schema["properties"] == {"a": wrapped, "b": wrapped}
    assert fitted(schema, CLAUDE).schema["properties"]["a"] == {"$ref": "#/$defs/city"}


def test_a_schema_nested_deeper_than_any_is_refused() -> None:
    schema: Any = TEXT
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    for rules in (CLAUDE, OPENAI):
        assert refused(an_object(a=schema), rules).startswith("it is nested too deep")


NAMES = st.sampled_from(["a", "b", "type", "$ref", "properties"])
LEAVES = st.sampled_from(
    [
        TEXT, {"type": "integer", "minimum": 1}, {"type": ["string", "null"]}, {"enum": ["a", None]}, {"const": 1}, {},
        {"type": "string", "format": "date"}, {"$ref": "#/$defs/named"}, {"type": "string", "maxLength": 3}, True,
        {"type": "object"}, {"type": "number", "multipleOf": 2}, {"$ref": "#/$defs/named", "description": "d"},
    ]
)  # fmt: skip


def _objects(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def build(properties: dict[str, Any], missing: int, further: Any) -> dict[str, Any]:
        found = {"type": "object", "properties": properties, "required": list(properties)[missing:]}
        return found if further is None else {**found, "additionalProperties": further}

    return st.builds(
        build, st.dictionaries(NAMES, parts, max_size=3), st.integers(0, 1), st.sampled_from([None, False, True, TEXT])
    )


PARTS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        _objects(parts),
        st.builds(lambda part, least: {"type": "array", "items": part, "minItems": least}, parts, st.integers(0, 2)),
        st.builds(lambda some: {"anyOf": some}, st.lists(parts, min_size=1, max_size=2)),
        st.builds(lambda some: {"oneOf": some}, st.lists(parts, min_size=1, max_size=2)),
        st.builds(lambda part: {"allOf": [part]}, parts),
    ),
    max_leaves=6,
)
SCHEMAS = st.builds(
    lambda part, named: {**part, "$defs": {"named": named}}, _objects(PARTS), st.sampled_from([TEXT, CITY, CLOSED])
)


def _fitted(schema: Any, rules: Rules) -> Fitted | None:
    try:
        return fitted(schema, rules)
    except Unfit:
        return None


@BOTH
@given(schema=SCHEMAS)
def test_what_is_fitted_is_taken_and_keeps_its_word(rules: Rules, schema: Any) -> None:
    before = orjson.dumps(schema)
    found = _fitted(schema, rules)
    assume(found is not None)
    assert found is not None
    assert orjson.dumps(schema) == before
    try:
        if rules is OPENAI:
            check_strict(found.schema, "a", "b")
        else:
            check_claude(found.schema)
    except (BadRequest, Unenforced) as told:
        pytest.fail(f"{told}: {found.schema}")
    again = fitted(found.schema, rules)
    assert (again.schema, again.changed) == (found.schema, False)
    answer = example(found.schema)
    Draft202012Validator(found.schema).validate(answer)
    if not found.changed:
        Draft202012Validator(schema).validate(answer)


ODD = [5, "x", True, None, [[1]], [{}], {"a": 1}, [None], [1.5], [], {"$ref": 5}, "#/" + "1" * 5_000]
KEYWORDS = [
    "type", "title", "description", "properties", "required", "items", "anyOf", "oneOf", "allOf", "enum", "const",
    "$ref", "$defs", "definitions", "format", "pattern", "minItems", "maxItems", "minimum", "prefixItems", "not",
    "additionalProperties", "default", "discriminator", "examples",
]  # fmt: skip


@BOTH
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_odd_schemas_are_taken_or_refused(rules: Rules, keyword: str) -> None:
    for value in ODD:
        for part in ({keyword: value}, {"type": "string", keyword: value}, {**CITY, keyword: value}):
            for schema in (part, an_object(a=part)):
                found = _fitted(schema, rules)
                assert found is None or isinstance(spent(found.schema), tuple)


def _doubling(levels: int) -> dict[str, Any]:
    named = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}, {"$ref": f"#/$defs/d{level + 1}"}]}
        for level in range(levels)
    }
    return {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {**named, f"d{levels}": TEXT}}


def _written_out(levels: int) -> dict[str, Any]:
    parts: dict[str, Any] = {f"p{levels}": TEXT}
    for level in range(levels):
        below = {"$ref": f"#/properties/p{level + 1}"}
        parts[f"p{level}"] = an_object(a=below, b=below)
    return an_object(**parts)


@BOTH
@pytest.mark.parametrize(
    "schema",
    [
        _doubling(40),
        _written_out(40),
        {"type": "object", "properties": {f"a{number}": TEXT for number in range(50_000)}},
        an_object(a={"type": "array", "prefixItems": [{"const": number} for number in range(50_000)]}),
        an_object(a={"anyOf": [{"$ref": "#/properties/a"}, {"$ref": "#/properties/a"}]}),
        an_object(a={"not": json.loads("[" * 500 + "]" * 500)}),
    ],
    ids=["doubling", "written out", "wide", "items", "round", "deep"],
)
def test_a_hostile_schema_costs_no_more_than_its_parts(rules: Rules, schema: Any) -> None:
    began = process_time()
    for fills in (False, True):
        with contextlib.suppress(Unfit):
            fitted(schema, rules, fills=fills)
    assert process_time() - began < 2.0
