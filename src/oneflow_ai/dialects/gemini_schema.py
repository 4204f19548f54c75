"""A schema in Gemini's own spelling, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What is counted is an int64, which this wire's JSON writes as a text.
_COUNTS = frozenset({"minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"})
_SPELLED = {
    "any_of": "anyOf", "min_items": "minItems", "max_items": "maxItems", "min_properties": "minProperties",
    "max_properties": "maxProperties", "min_length": "minLength", "max_length": "maxLength",
    "additional_properties": "additionalProperties", "prefix_items": "prefixItems",
}  # fmt: skip
_LISTS = ("anyOf", "prefixItems")
# The order of properties is for the model alone, and JSON Schema has none.
_LEFT_OUT = frozenset({"propertyOrdering", "property_ordering", "nullable"})


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same as JSON Schema: types in small letters, what may be null among them, counts as numbers."""
    found = {_SPELLED.get(name, name): value for name, value in schema.items() if name not in _LEFT_OUT}
    found = {name: _field(name, value) for name, value in found.items() if value is not None}
    if found.get("type") == "type_unspecified":
        del found["type"]
    return _nullable(found) if schema.get("nullable") is True else found


def _field(name: str, value: Any) -> Any:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in ("items", "additionalProperties") and isinstance(value, dict):
        return plain(value)
    if name in _LISTS and isinstance(value, list):
        return [plain(each) if isinstance(each, dict) else each for each in value]
    if name == "properties" and isinstance(value, dict):
        return {key: plain(each) if isinstance(each, dict) else each for key, each in value.items()}
    if name in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value


def _nullable(found: dict[str, Any]) -> dict[str, Any]:
    """What may be null besides."""
    if "anyOf" in found:
        return {**found, "anyOf": [*found["anyOf"], {"type": "null"}]}
    if not isinstance(found.get("type"), str):
        return found
    enum = {"enum": [*found["enum"], None]} if isinstance(found.get("enum"), list) else {}
    return {**found, "type": [found["type"], "null"], **enum}
