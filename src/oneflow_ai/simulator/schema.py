"""A value that satisfies a JSON Schema: enough of the language for tools and structured output.

Understood: types and lists of types, enum, const, default, properties (required ones always, the others to a depth),
items, prefixItems, minItems, numeric bounds, multipleOf, string lengths, formats, anyOf, oneOf, allOf and local
references. A pattern is met when one of a few common strings meets it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_FULL_DEPTH = 4
_DEPTH_MOST = 24
_ITEMS_MOST = 1_000
_LENGTH_MOST = 100_000
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_COMMON_STRINGS = (
    *("a", "A", "1", "ab", "AB", "12", "abc", "ABC", "123", "abcd", "ABCD", "1234", "12345", "abc123", "ABC123"),
    *("ABC-123", "abc-def", "abc_def", "@abc", "#ff0000", "1.0", "1.0.0", "12:00", "12345-6789", "+15555550100"),
    *("555-0100", "(555)555-0100"),
    *_FORMATS.values(),
)


def example(schema: Any, words: str = "") -> Any:
    """Give a value that satisfies a schema; free text in it is taken from `words`.

    What cannot be a schema, or a part of one, asks for nothing.
    """
    schema = _sound(schema, _DEPTH_MOST)
    return _Maker(schema, words.strip() or "text").value(schema, 0)


def _sound(schema: Any, left: int) -> Any:
    """The schema without the keywords whose values cannot be theirs."""
    if not isinstance(schema, Mapping) or left == 0:
        return schema if isinstance(schema, bool) else {}
    sound: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _AS_IT_IS:
            sound[name] = value
        elif name in _LISTED:
            sound[name] = [_sound(part, left - 1) for part in value] if isinstance(value, list) else []
        elif name == "properties":
            named = value.items() if isinstance(value, Mapping) else ()
            sound[name] = {key: _sound(part, left - 1) for key, part in named}
        elif name in _KINDS:
            sound |= {name: value} if _KINDS[name](value) else {}
        elif isinstance(value, Mapping | bool):
            # one schema, or a place that holds several under their names
            sound[name] = _sound(value, left - 1)
    return sound


@dataclass(frozen=True, slots=True)
class _Maker:
    root: Any
    words: str

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _DEPTH_MOST:
            return self.words if schema is True else None
        schema = self._merged(schema)
        for keyword, pick in _FIXED.items():
            if schema.get(keyword) not in (None, []):
                return pick(schema[keyword])
        if "const" in schema:
            return schema["const"]
        for keyword in ("anyOf", "oneOf"):
            if options := schema.get(keyword):
                rest = {name: part for name, part in schema.items() if name != keyword}
                return self.value({**rest, **self._merged(self._option(options, depth))}, depth + 1)
        return _MAKERS[self._type(schema, depth)](self, schema, depth)

    def _merged(self, schema: Any) -> dict[str, Any]:
        """The schema with its reference followed and the parts of its allOf laid over each other."""
        merged: dict[str, Any] = {}
        for part in self._parts(schema, _DEPTH_MOST):
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            required = [*merged.get("required", []), *part.get("required", [])]
            merged.update(part)
            merged.update(
                {"properties": properties} if properties else {}, **({"required": required} if required else {})
            )
        return merged

    def _parts(self, schema: Any, left: int) -> list[dict[str, Any]]:
        if not isinstance(schema, Mapping) or left == 0:
            return []
        parts = [{name: part for name, part in schema.items() if name not in ("$ref", "allOf")}]
        if "$ref" in schema:
            parts = [*self._parts(self._target(str(schema["$ref"])), left - 1), *parts]
        for below in schema.get("allOf", ()):
            parts += self._parts(below, left - 1)
        return parts

    def _target(self, reference: str) -> Any:
        place = self.root
        for name in reference.removeprefix("#").split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, Mapping) else None
        return place

    def _option(self, options: list[Any], depth: int) -> Any:
        """The first option; deep down the one that ends soonest, so that recursive schemas end."""
        if depth < _FULL_DEPTH:
            return options[0]
        return min(options, key=lambda option: _WEIGHTS.get(self._type(self._merged(option), depth), 1))

    def _type(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = "null" if depth >= _FULL_DEPTH and "null" in kind else kind[0]
        if kind in _MAKERS:
            return str(kind)
        return next((implied for name, implied in _IMPLIED.items() if name in schema), "string")

    def object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        properties: Mapping[str, Any] = schema.get("properties", {})
        made = {
            name: self.value(part, depth + 1)
            for name, part in properties.items()
            if name in required or depth < _FULL_DEPTH
        }
        return made | dict.fromkeys(sorted(required - made.keys()), self.words)

    def array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        made = [self.value(part, depth + 1) for part in schema.get("prefixItems", ())]
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", _ITEMS_MOST))
        wanted = min(max(least, 0 if depth >= _FULL_DEPTH else 1, len(made)), most, _ITEMS_MOST)
        items = schema.get("items", True)
        if items is False:
            return made
        while len(made) < wanted:
            made.append(_different(self.value(items, depth + 1), len(made), schema.get("uniqueItems", False)))
        return made

    def string(self, schema: Mapping[str, Any], depth: int) -> str:
        if form := _FORMATS.get(schema.get("format", "")):
            return form
        least, most = min(int(schema.get("minLength", 0)), _LENGTH_MOST), int(schema.get("maxLength", 200))
        if pattern := schema.get("pattern"):
            fitting = [
                text
                for text in (self.words, *_COMMON_STRINGS)
                if _matches(pattern, text) and least <= len(text) <= most
            ]
            return fitting[0] if fitting else self.words
        return self.words.ljust(least, ".")[:most]

    def integer(self, schema: Mapping[str, Any], depth: int) -> int:
        step = max(int(schema.get("multipleOf", 1)), 1)
        low, high = _bounds(schema, 1)
        number = math.ceil((7 if low is None else low) / step) * step
        return number if high is None or number <= high else math.floor(high / step) * step

    def number(self, schema: Mapping[str, Any], depth: int) -> float:
        if "multipleOf" in schema:
            step = float(schema["multipleOf"])
            return math.ceil((_bounds(schema, step)[0] or 0) / step) * step
        low, high = _bounds(schema, 0.5)
        if low is not None and high is not None:
            return (low + high) / 2
        return low if low is not None else 0.5 if high is None else min(high, 0.5)

    def boolean(self, schema: Mapping[str, Any], depth: int) -> bool:
        return True

    def null(self, schema: Mapping[str, Any], depth: int) -> None:
        return None


def _is(kind: Any) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


_AS_IT_IS = ("const", "default", "uniqueItems")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) or _texts(value),
    "required": _texts,
    "enum": _is(list),
    "multipleOf": lambda value: _is(int | float)(value) and value > 0,
    **dict.fromkeys(("$ref", "pattern", "format"), _is(str)),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _is(int)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is(int | float)),
}
_FIXED: Mapping[str, Callable[[Any], Any]] = {"enum": lambda values: values[0], "default": lambda value: value}
_MAKERS: Mapping[str, Callable[[_Maker, Mapping[str, Any], int], Any]] = {
    "object": _Maker.object,
    "array": _Maker.array,
    "string": _Maker.string,
    "integer": _Maker.integer,
    "number": _Maker.number,
    "boolean": _Maker.boolean,
    "null": _Maker.null,
}
_WEIGHTS = {"null": 0, "object": 3, "array": 2}
_IMPLIED = {"properties": "object", "required": "object", "items": "array", "prefixItems": "array", "minimum": "number"}


def _bounds(schema: Mapping[str, Any], step: float) -> tuple[float | None, float | None]:
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    lows += [schema["exclusiveMinimum"] + step] if "exclusiveMinimum" in schema else []
    highs += [schema["exclusiveMaximum"] - step] if "exclusiveMaximum" in schema else []
    return max(lows, default=None), min(highs, default=None)


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _different(value: Any, number: int, unique: bool) -> Any:
    """The value, told apart from its fellows where a list wants no two alike."""
    if not unique or number == 0:
        return value
    if isinstance(value, str):
        return f"{value} {number + 1}"
    return value + number if isinstance(value, int | float) and not isinstance(value, bool) else value
