"""Which schemas OpenAI's wires enforce where a request calls them strict, and their words for those that they do not.

What is refused: developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas"; the words:
github.com/dottxt-ai/outlines/issues/1666, docker/docker-agent/pull/2168, community.openai.com/t/932422 (2026-11-27).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oneflow_ai.simulator.wires.openai_shapes import BadRequest

_DEFINED = ("$defs", "definitions")
_TOLD = frozenset({"type", "anyOf", "$ref"})
_LEVELS_MOST = 10
_BARRED = frozenset(
    {
        "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties",
        "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties", "uniqueItems", "contains",
        "prefixItems", "minLength", "maxLength", "default",
    }
)  # fmt: skip


def check_strict(schema: Any, what: str, param: str) -> None:
    """Raise `BadRequest` for a strict schema with open objects, optional fields, or what is not enforced."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        words = f"Invalid schema for {what}: schema must be a JSON Schema of 'type: \"object\"'."
        raise BadRequest(words, "invalid_json_schema", param)
    if _levels(schema) > _LEVELS_MOST:
        words = f"Invalid schema for {what}: {_LEVELS_MOST} levels of nesting exceeds limit of {_LEVELS_MOST}."
        raise BadRequest(words, "invalid_json_schema", param)
    for place, part in _parts(schema, ()):
        if wrong := _wrong_with(part):
            shown = ", ".join([f"'{each}'" for each in place])
            raise BadRequest(f"Invalid schema for {what}: In context=({shown}), {wrong}", "invalid_json_schema", param)


def _wrong_with(part: Mapping[str, Any]) -> str:
    """What is wrong with one part of a strict schema; empty where nothing is."""
    if barred := sorted(part.keys() & _BARRED):
        return f"'{barred[0]}' is not permitted."
    if "$ref" in part and part.keys() - {"$ref", *_DEFINED}:
        return f"$ref cannot have keywords {sorted(part.keys() - {'$ref'})}."
    if not part.keys() & _TOLD:
        return "schema must have a 'type' key."
    if not _is_object(part):
        return ""
    if part.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    properties, required = part.get("properties") or {}, part.get("required") or []
    whole = isinstance(properties, dict) and isinstance(required, list)
    missing = [name for name in properties if name not in required] if whole else ["properties"]
    if not missing:
        return ""
    return (
        "'required' is required to be supplied and to be an array including every key in properties. "
        f"Missing '{missing[0]}'."
    )


def _levels(part: Any, level: int = 0) -> int:
    """How deep objects are nested."""
    if isinstance(part, list):
        return max((_levels(each, level) for each in part), default=level)
    if not isinstance(part, dict):
        return level
    level += "properties" in part
    return max((_levels(each, level) for each in part.values()), default=level)


def _is_object(part: Mapping[str, Any]) -> bool:
    kinds = part.get("type")
    return kinds == "object" or "properties" in part or (isinstance(kinds, list) and "object" in kinds)


def _parts(schema: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every part of a schema, with its place."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for name in ("properties", *_DEFINED):
        below = schema.get(name)
        for key, part in below.items() if isinstance(below, dict) else ():
            yield from _parts(part, (*place, name, key))
    for name in ("anyOf", "items"):
        part = schema.get(name)
        for at, each in enumerate(part if isinstance(part, list) else [part]):
            yield from _parts(each, (*place, name, str(at)) if name == "anyOf" else (*place, name))
