"""The schemas that Claude is not held to, with its words for them."""

from __future__ import annotations

from typing import Any

import pytest

from oneflow_ai.simulator.wires.claude_schemas import Unenforced, check, check_together


def _of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "object"}, "For 'object' type, 'additionalProperties' must be explicitly set to false"),
        (
            _of(a={"type": "integer", "minimum": 1, "maximum": 9}),
            "For 'integer' type, properties maximum, minimum are not supported",
        ),
        (_of(a={"type": "string", "minLength": 1}), "For 'string' type, property minLength is not supported"),
        (_of(a={"type": "array", "minItems": 2}), "For 'array' type, 'minItems' values other than 0 or 1"),
        (_of(a={"type": "object", "additionalProperties": True}), "For 'object' type, 'additionalProperties: object'"),
        (_of(a={"anyOf": 1}), "anyOf: Input should be a valid list"),
        ({"type": "object", "properties": 1}, "properties: Input should be a valid dictionary"),
        ({**_of(), "required": [1]}, "required: Input should be a valid list of strings"),
        (_of(a={}), "Schema type '' is not supported"),
        (_of(a={"$ref": "#"}), "Recursive schemas are not supported"),
        (_of(a={"$ref": "x.json"}), "External $ref 'x.json' is not supported"),
        (_of(a={"$ref": "#/$defs/x"}), "$ref '#/$defs/x' was not found"),
        (_of(a={"enum": [{}]}), "Enum values must be"),
        (_of(a={"type": "string", "format": "binary"}), "For 'string' type, 'format: binary' is not supported"),
    ],
)
def test_what_is_not_enforced_is_told(schema: Any, told: str) -> None:
    with pytest.raises(Unenforced) as refused:
        check(schema)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "integer", "description": "x", "default": 1},
        {"type": ["string", "null"], "format": "date", "pattern": "^a"},
        {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/x"}]}, "minItems": 1},
        {"enum": ["a", None]},
    ],
)
def test_what_is_enforced_is_taken(part: Any) -> None:
    check({**_of(a=part), "$defs": {"x": {"const": 1}}})


@pytest.mark.parametrize(
    ("schemas", "strict", "told"),
    [
        ([], 21, "Too many strict tools (21)"),
        ([_of(**{f"a{number}": {"type": "string"} for number in range(25)})], 1, "Schemas contains too many optional"),
        ([{**_of(a={"type": ["string", "null"]}), "required": ["a"]}] * 17, 17, "Schemas contains too many parameters"),
    ],
)
def test_all_schemas_of_a_request_are_bounded_together(schemas: list[Any], strict: int, told: str) -> None:
    with pytest.raises(Unenforced) as refused:
        check_together(schemas, strict)
    assert str(refused.value).startswith(told)
    check_together(schemas[:-1], strict - 1)
