"""Which schemas Anthropic's wire and Bedrock's enforce, and their words for those that they do not.

The words: github.com/agentjido/req_llm/issues/302, gaiin-platform/amplify-genai-backend/issues/383,
ghostlobster/memorize-everything/issues/93; what is refused: platform.claude.com/docs/en/build-with-claude/
structured-outputs, "JSON Schema limitations" and "Schema complexity limits" (2026-11-27; camel-ai/camel/issues/4171).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ANY = frozenset({"type", "title", "description", "default", "enum", "const", "anyOf", "allOf", "$ref"})
_DEFINED = ("$defs", "definitions")
# What each type of value may be asked for besides.
_TYPES: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems"}),
    "string": frozenset({"format", "pattern"}),
    "integer": frozenset(),
    "number": frozenset(),
    "boolean": frozenset(),
    "null": frozenset(),
}
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
_SHAPES: Mapping[str, type] = {
    **dict.fromkeys(("properties", *_DEFINED), dict),
    **dict.fromkeys(("required", "anyOf", "allOf", "enum"), list),
}
_DEPTH_MOST = 200
_STRICT_TOOLS_MOST, _OPTIONAL_MOST, _UNIONS_MOST = 20, 24, 16


class Unenforced(Exception):
    """A schema that is not enforced; the text says why, without its place in the request."""


def check_together(schemas: Sequence[Any], strict_tools: int) -> None:
    """Raise `Unenforced` where the schemas of a request, of an answer and its strict tools, are too many together."""
    if strict_tools > _STRICT_TOOLS_MOST:
        raise Unenforced(f"Too many strict tools ({strict_tools}). The maximum is {_STRICT_TOOLS_MOST}.")
    parts = [part for schema in schemas for part in _parts(schema, 0) if isinstance(part, Mapping)]
    optional = sum(len(set(part.get("properties") or ()) - set(part.get("required") or ())) for part in parts)
    if optional > _OPTIONAL_MOST:
        raise Unenforced(
            f"Schemas contains too many optional parameters ({optional}), which would make grammar compilation "
            f"inefficient. Reduce the number of optional parameters in your tool schemas (limit: {_OPTIONAL_MOST})."
        )
    unions = sum(1 for part in parts if "anyOf" in part or isinstance(part.get("type"), list))
    if unions > _UNIONS_MOST:
        raise Unenforced(
            f"Schemas contains too many parameters with union types ({unions}), which would make grammar compilation "
            f"inefficient. Reduce the number of parameters that use type arrays or anyOf (limit: {_UNIONS_MOST})."
        )


def check(schema: Any) -> None:
    """Raise `Unenforced` for a schema that an answer cannot be held to."""
    for part in _parts(schema, 0):
        _part(part)
    _recursive(schema)


def _part(part: Any) -> None:
    if not isinstance(part, Mapping):
        raise Unenforced("Schemas must be objects")
    for name, shape in _SHAPES.items():
        if name in part and not isinstance(part[name], shape):
            raise Unenforced(f"{name}: Input should be a valid {'list' if shape is list else 'dictionary'}")
    if not all(isinstance(each, str) for each in part.get("required", ())):
        raise Unenforced("required: Input should be a valid list of strings")
    if reference := part.get("$ref"):
        if not str(reference).startswith("#"):
            raise Unenforced(f"External $ref '{reference}' is not supported")
        return
    kinds = part.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds] if kinds else []
    if not listed and not part.keys() & {"anyOf", "allOf", "enum", "const"}:
        raise Unenforced("Schema type '' is not supported")
    taken = _ANY.union(_DEFINED, *(_TYPES.get(str(kind), frozenset()) for kind in listed))
    if wrong := sorted(part.keys() - taken):
        words = "property" if len(wrong) == 1 else "properties"
        verb = "is" if len(wrong) == 1 else "are"
        named = ", ".join(sorted(wrong))
        raise Unenforced(f"For '{listed[0] if listed else 'any'}' type, {words} {named} {verb} not supported")
    if "object" in listed and part.get("additionalProperties") is not False:
        told = part.get("additionalProperties")
        raise Unenforced(
            "For 'object' type, 'additionalProperties' must be explicitly set to false"
            if told is None
            else "For 'object' type, 'additionalProperties: object' is not supported. "
            "Please set 'additionalProperties' to false"
        )
    _values(part)


def _values(part: Mapping[str, Any]) -> None:
    if part.get("minItems", 0) not in (0, 1):
        raise Unenforced("For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if "format" in part and part["format"] not in _FORMATS:
        raise Unenforced(f"For 'string' type, 'format: {part['format']}' is not supported")
    if any(isinstance(each, dict | list) for each in [*(part.get("enum") or ()), part.get("const")]):
        raise Unenforced("Enum values must be strings, numbers, booleans or null")
    if any(isinstance(each, dict) and "$ref" in each for each in part.get("allOf") or ()):
        raise Unenforced("allOf with $ref is not supported")


def _below(part: Any) -> Iterator[Any]:
    """The schemas directly within one."""
    if not isinstance(part, Mapping):
        return
    for name in ("properties", *_DEFINED):
        named = part.get(name)
        yield from named.values() if isinstance(named, Mapping) else ()
    for name in ("anyOf", "allOf"):
        yield from part.get(name) or ()
    if "items" in part:
        yield part["items"]


def _parts(schema: Any, depth: int) -> Iterator[Any]:
    if depth > _DEPTH_MOST:
        raise Unenforced("Schema is too deep")
    yield schema
    for part in _below(schema):
        yield from _parts(part, depth + 1)


def _recursive(schema: Any) -> None:
    """References that lead back to where they began."""
    named = {f"#/{name}/{key}": part for name in _DEFINED for key, part in (schema.get(name) or {}).items()}
    named["#"] = {name: value for name, value in schema.items() if name not in _DEFINED}
    leads = {
        name: {str(each["$ref"]) for each in _parts(part, 0) if isinstance(each, Mapping) and "$ref" in each}
        for name, part in named.items()
    }
    for start in leads:
        seen: set[str] = set()
        ahead = set(leads[start])
        while ahead:
            one = ahead.pop()
            if one == start:
                raise Unenforced("Recursive schemas are not supported")
            if one not in leads:
                raise Unenforced(f"$ref '{one}' was not found")
            ahead |= leads[one] - seen
            seen |= leads[one]
