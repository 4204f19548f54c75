"""A value that satisfies a JSON Schema: enough of the language for tools and structured output.

Understood: types and lists of types, enum, const, default, properties (required ones always, the others to a depth),
items, prefixItems, minItems, numeric bounds, multipleOf, string lengths, formats, anyOf, oneOf, allOf and local
references. A pattern is met when one of a few common strings meets it; one that is not simple is left out of account.
A schema comes from a client, so what it can have made is bounded: see `Room`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

_FULL_DEPTH = 4
_DEPTH_MOST = 24
_ITEMS_MOST = 1_000
_LENGTH_MOST = 100_000
_WHOLE_MOST = 2**53
_FINEST = 1e-9
_REFERENCE_CHARACTERS_MOST = 1_000
PARTS_MOST = 10_000
"""How many values are written for one answer."""

CHARACTERS_MOST = 1_000_000
"""How many characters its names and texts have together."""

STEPS_MOST = 200_000
"""How many keywords of the schema are read for it, those of a reference at each reading."""

PATTERNS_MOST = 64
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


class Room:
    """What may still be written for one answer, and read for it; an equal part of it where that has several shares.

    When it is used up, values end where they are.
    """

    __slots__ = ("_fitting", "characters", "parts", "steps")

    def __init__(self, shares: int = 1) -> None:
        self.parts = PARTS_MOST // shares
        self.characters = CHARACTERS_MOST // shares
        self.steps = STEPS_MOST // shares
        self._fitting: dict[str, tuple[str, ...]] = {}

    @property
    def left(self) -> bool:
        """Whether there is room for another value."""
        return self.parts > 0 and self.characters > 0 and self.steps > 0

    def take(self, value: Any, depth: int) -> bool:
        """Make room for a whole value, which stands this deep; False where there is not so much."""
        if not self.left or depth > _DEPTH_MOST:
            return False
        self.parts -= 1
        if isinstance(value, str):
            self.characters -= len(value)
        elif isinstance(value, dict):
            return all(self._named(name) and self.take(part, depth + 1) for name, part in value.items())
        elif isinstance(value, list):
            return all(self.take(part, depth + 1) for part in value)
        return True

    def _named(self, name: str) -> bool:
        self.characters -= len(name)
        return self.characters > 0

    def fitting(self, pattern: str, words: str) -> tuple[str, ...]:
        """The texts that meet a pattern: `words`, or common ones; none where the pattern is not simple."""
        if pattern not in self._fitting:
            simple = len(self._fitting) < PATTERNS_MOST and is_simple(pattern)
            texts = (words, *_COMMON_STRINGS) if simple else ()
            self._fitting[pattern] = tuple(filter(partial(_matches, pattern), texts))
        return self._fitting[pattern]


def example(schema: Any, words: str = "", room: Room | None = None) -> Any:
    """Give a value that satisfies a schema; free text in it is taken from `words`.

    What cannot be a schema, or a part of one, asks for nothing. `room` bounds it, with others where they share one.
    """
    schema = _sound(schema, _DEPTH_MOST)
    return _Maker(schema, words.strip() or "text", room or Room()).value(schema, 0)


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
        elif name in _NAMED:
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
    room: Room

    def value(self, schema: Any, depth: int) -> Any:
        if not self.room.left:
            return None
        if not isinstance(schema, Mapping) or depth > _DEPTH_MOST:
            self.room.parts -= 1
            return self.words if schema is True else None
        schema = self._merged(schema)
        for keyword, pick in _FIXED.items():
            if schema.get(keyword) not in (None, []):
                return self._kept(pick(schema[keyword]), depth)
        if "const" in schema:
            return self._kept(schema["const"], depth)
        for keyword in ("anyOf", "oneOf"):
            if options := schema.get(keyword):
                rest = {name: part for name, part in schema.items() if name != keyword}
                return self.value({**rest, **self._merged(self._option(options, depth))}, depth + 1)
        self.room.parts -= 1
        return _MAKERS[self._type(schema, depth)](self, schema, depth)

    def _kept(self, value: Any, depth: int) -> Any:
        return value if self.room.take(value, depth) else None

    def _merged(self, schema: Any) -> dict[str, Any]:
        """The schema with its reference followed and the parts of its allOf laid over each other."""
        merged: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        required: list[str] = []
        for part in self._parts(schema, _DEPTH_MOST):
            properties.update(part.get("properties", {}))
            required += part.get("required", ())
            merged.update(part)
        return (
            merged | ({"properties": properties} if properties else {}) | ({"required": required} if required else {})
        )

    def _parts(self, schema: Any, left: int) -> Iterator[dict[str, Any]]:
        """The schemas that a schema is made of, the one that counts most last; `left` is how deep they may refer."""
        self.room.steps -= 1
        if not isinstance(schema, Mapping) or left == 0 or not self.room.left:
            return
        self.room.steps -= len(schema) + len(schema.get("properties", ())) + len(schema.get("required", ()))
        if "$ref" in schema:
            yield from self._parts(self._target(schema["$ref"]), left - 1)
        yield {name: part for name, part in schema.items() if name not in ("$ref", "allOf")}
        for below in schema.get("allOf", ()):
            yield from self._parts(below, left - 1)

    def _target(self, reference: str) -> Any:
        """The schema that a reference leads to; None where it leads to nothing, or to what is no schema."""
        place, named = self.root, False
        for name in reference[:_REFERENCE_CHARACTERS_MOST].removeprefix("#").split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            if not named and (name in _AS_IT_IS or name in _KINDS):
                return None
            if isinstance(place, list):
                place = place[int(name)] if _PLACE.fullmatch(name) and int(name) < len(place) else None
            else:
                place = place.get(name) if isinstance(place, Mapping) else None
            named = not named and name in _NAMED
        return None if named else place

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
        made: dict[str, Any] = {}
        for name, part in properties.items():
            if name in required or depth < _FULL_DEPTH:
                self.room.characters -= len(name)
                if not self.room.left:
                    return made
                made[name] = self.value(part, depth + 1)
        for name in sorted(required - made.keys()):
            if not self.room.take(name + self.words, depth):
                break
            made[name] = self.words
        return made

    def array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        made = [self.value(part, depth + 1) for part in schema.get("prefixItems", ()) if self.room.left]
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", _ITEMS_MOST))
        wanted = min(max(least, 0 if depth >= _FULL_DEPTH else 1, len(made)), most, _ITEMS_MOST)
        items = schema.get("items", True)
        if items is False:
            return made
        while len(made) < wanted and self.room.left:
            made.append(_different(self.value(items, depth + 1), len(made), schema.get("uniqueItems", False)))
        return made

    def string(self, schema: Mapping[str, Any], depth: int) -> str:
        if form := _FORMATS.get(schema.get("format", "")):
            return form
        least, most = min(int(schema.get("minLength", 0)), _LENGTH_MOST), int(schema.get("maxLength", 200))
        text = self.words.ljust(least, ".")[:most]
        if pattern := schema.get("pattern"):
            found = self.room.fitting(pattern, self.words)
            text = next((each for each in found if least <= len(each) <= most), self.words)
        self.room.characters -= len(text)
        return text

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


def _counts(value: Any) -> bool:
    return _is(int)(value) and value >= 0


def _bound(value: Any) -> bool:
    return _is(int | float)(value) and abs(value) <= _WHOLE_MOST


_AS_IT_IS = ("const", "default", "uniqueItems")
_NAMED = ("properties", "$defs", "definitions")
_PLACE = re.compile(r"[0-9]{1,6}")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) or _texts(value),
    "required": _texts,
    "enum": _is(list),
    "multipleOf": lambda value: _bound(value) and value >= _FINEST,
    **dict.fromkeys(("$ref", "pattern", "format"), _is(str)),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _counts),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _bound),
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


_PIECE = r"(?:\\[dwsDWS.\-+/@#_()\[\]{}*?|^$:]|\[(?:[^\]\[\\]|\\[dwsDWS.\-+/@#_()\[\]])+\]|[^\\()\[\]{}*+?|^$])"
_FIXED_TIMES, _ANY_TIMES = r"\{[0-9]{1,2}\}", r"[*+?]|\{[0-9]{1,2},(?:[0-9]{1,2})?\}"
# Each piece can be read in one way only, so nothing is tried twice (possessive forms match too much in CPython 3.11.2).
_SIMPLE = re.compile(rf"\^?(?:{_PIECE}(?:{_FIXED_TIMES}|{_ANY_TIMES})?)*\$?")
_TIMES = re.compile(rf"{_PIECE}(?:({_ANY_TIMES})|{_FIXED_TIMES})?")
_PATTERN_CHARACTERS_MOST = 200
_VARIABLE_MOST = 2
_MATCHED_CHARACTERS_MOST = 100


def is_simple(pattern: str) -> bool:
    """Whether a pattern is sure to be matched at once: no groups, no choices, few places that may vary in length."""
    if len(pattern) > _PATTERN_CHARACTERS_MOST or not _SIMPLE.fullmatch(pattern):
        return False
    varying = sum(1 for times in _TIMES.findall(pattern) if times)
    return varying <= _VARIABLE_MOST + pattern.startswith("^")


def _matches(pattern: str, text: str) -> bool:
    try:
        return len(text) <= _MATCHED_CHARACTERS_MOST and re.search(pattern, text) is not None
    except (re.error, OverflowError):
        return False


def _different(value: Any, number: int, unique: bool) -> Any:
    """The value, told apart from its fellows where a list wants no two alike."""
    if not unique or number == 0:
        return value
    if isinstance(value, str):
        return f"{value} {number + 1}"
    return value + number if isinstance(value, int | float) and not isinstance(value, bool) else value
