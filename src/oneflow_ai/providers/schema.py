"""Schemas made fit for wires that enforce them: each takes a part of JSON Schema and answers the rest with a 400."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import orjson

from oneflow_ai.core.value import value
from oneflow_ai.providers.schema_shape import DEFINED, leads_back, levels

Schema = dict[str, Any]
_DEPTH_MOST = 64
# How many parts are looked at for one schema: a client's words, and what they refer to, cost no more than that. OpenAI
# takes 5,000 properties (as below).
_PARTS_MOST = 10_000
WORDS = frozenset({"type", "title", "description", "properties", "required", "items", "anyOf", "enum", "const"})
NUMBERS = frozenset({"multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"})
FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
# What asks something of a value; a keyword that is neither here nor kept by a wire tells nothing of it.
_CONSTRAINTS = NUMBERS | {
    "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "contains", "minContains",
    "maxContains", "maxProperties", "minProperties", "dependentRequired", "dependentSchemas", "dependencies",
    "propertyNames", "patternProperties", "unevaluatedItems", "additionalItems", "not", "if", "then", "else",
    "contentEncoding", "contentMediaType", "contentSchema",
}  # fmt: skip
# Neither grammar follows these.
_LOOKS_AROUND = re.compile(r"\(\?[=!<]|\\[bB1-9]")


@dataclass(frozen=True, slots=True)
class Most:
    """How much of something all schemas of one request may hold together."""

    strict_tools: int
    optional: int
    unions: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What a wire enforces: the keywords it takes, and the `formats` of texts.

    `all_required` takes no property that may be missing, `one_object` nothing but an object at the root. `typed` wants
    a type beside the values that something may have. `recursive` says that a schema may lead back to itself,
    `items_least` how large `minItems` can be (None: as large as it likes), `levels_most` how deep objects may be nested
    (0: as deep as they like), `wraps` that a reference keeps its description, `always` that no answer has a schema
    which is not enforced. `most` bounds what a request holds; None: nothing does.
    """

    keywords: frozenset[str]
    formats: frozenset[str] = FORMATS
    all_required: bool = False
    one_object: bool = False
    typed: bool = False
    recursive: bool = True
    items_least: int | None = None
    levels_most: int = 0
    wraps: bool = False
    always: bool = False
    most: Most | None = None


class Unfit(Exception):
    """A schema that a wire cannot enforce: `place` is where, as `properties.city`, and `words` tell what."""

    def __init__(self, place: str, words: str) -> None:
        super().__init__(f"{words} (at {place})" if place else words)


class NotOneObject(Unfit):
    """A schema of something else than an object, which a wire takes in no way."""


@value
class Fitted:
    """A schema as a wire enforces it. `changed` says that it asks less, or allows less, than the client's."""

    schema: Schema
    changed: bool = False


def fitted(schema: Mapping[str, Any], rules: Rules, *, fills: bool = False) -> Fitted:
    """The schema as a wire takes it: objects closed, and what is not enforced told to the model in descriptions.

    What fits it fits the client's own schema, but for what `changed` stands for. `fills` asks for properties that may
    be missing, where the wire takes no such ones. Raises `Unfit`.
    """
    fitter = _Fitter(schema, rules, fills)
    root = dict(schema)
    if rules.one_object and "$ref" in root:
        root = {**fitter.target(root.pop("$ref"), ""), **root}
    found = fitter.node(root, "", 0)
    if rules.one_object and found.get("type") != "object":
        raise NotOneObject("", "it is not that of one object")
    if rules.levels_most and levels(found) > rules.levels_most:
        raise Unfit("", "objects are nested too deep")
    if not rules.recursive and leads_back(found):
        raise Unfit("", "it leads back to itself")
    return Fitted(found, fitter.changed)


@dataclass(slots=True)
class _Fitter:
    root: Mapping[str, Any]
    rules: Rules
    fills: bool = False
    changed: bool = False
    # What a part asks that is not enforced, until it is described.
    undone: Schema = field(default_factory=dict)
    parts: int = 0

    def _count(self, place: str) -> None:
        self.parts += 1
        if self.parts > _PARTS_MOST:
            raise Unfit(place, "it has too many parts")

    def node(self, schema: Any, place: str, depth: int) -> Schema:
        """One part of a schema, as the wire takes it."""
        self._count(place)
        if not isinstance(schema, Mapping) or depth > _DEPTH_MOST:
            raise Unfit(place, "it is nested too deep" if depth > _DEPTH_MOST else "any value, or none, fits it")
        schema = _unwrapped(schema)
        if "$ref" in schema:
            return self._reference(schema, place, depth)
        outer, self.undone = self.undone, {}
        found: Schema = {}
        for name, given in schema.items():
            # What has a word that tells its branches apart is one of them at the most.
            read = _READERS.get("anyOf" if name == "oneOf" and "discriminator" in schema else name)
            if read is not None:
                read(self, found, given, (place, depth))
            elif name in self.rules.keywords:
                found[name] = given
            elif name in _CONSTRAINTS:
                self._leave(name, given)
        self._close(found, schema, place)
        if self.rules.typed and "anyOf" not in found and (kinds := _kinds(found)):
            found.setdefault("type", kinds[0] if len(kinds) == 1 else kinds)
        if not found.keys() & {"type", "anyOf", "allOf", "enum", "const"}:
            raise Unfit(place, "any value fits it")
        undone, self.undone = self.undone, outer
        return _told(found, undone)

    def target(self, reference: Any, place: str) -> Mapping[str, Any]:
        """What a reference leads to."""
        found: Any = self.root
        steps = reference.split("/") if isinstance(reference, str) else [""]
        if steps[0] != "#":
            raise Unfit(place, "it refers to another document")
        for step in map(unquote, steps[1:]):
            if isinstance(found, list):
                place_in = int(step) if step.isdecimal() and len(step) < 8 else len(found)
                found = found[place_in] if place_in < len(found) else None
            else:
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise Unfit(place, "it refers to nothing")
        return found

    def _reference(self, schema: Mapping[str, Any], place: str, depth: int) -> Schema:
        """A reference stands alone on these wires."""
        target, steps = self.target(schema["$ref"], place), schema["$ref"].split("/")
        if len(steps) > 1 and (steps[1] not in DEFINED or len(steps) > 3):
            # It leads to a place that need not be the same afterwards.
            rest = {name: given for name, given in schema.items() if name != "$ref"}
            return self.node({**target, **rest}, place, depth + 1)
        found: Schema = {"$ref": schema["$ref"]}
        if any(name in _CONSTRAINTS or name in _ASKING for name in schema):
            self.changed = True
        for name in DEFINED:
            if name in schema:
                self._named(found, name, schema[name], (place, depth))
        if self.rules.wraps and "description" in schema:
            return {"anyOf": [found], "description": schema["description"]}
        return found

    def _leave(self, name: str, given: Any) -> None:
        self.undone[name] = given
        self.changed = True

    def _close(self, found: Schema, schema: Mapping[str, Any], place: str) -> None:
        """Objects are closed, and where the wire wants it have all of their properties."""
        if "type" not in found:
            found |= {"type": kind} if (kind := _IMPLIED.get(next(filter(_IMPLIED.get, found), ""))) else {}
        if not _is(found, "object"):
            return
        further = schema.get("additionalProperties")
        if "properties" not in schema and further is not False:
            raise Unfit(place, "an object of free keys")
        if isinstance(further, Mapping):
            self.changed = True
        found.setdefault("properties", {})
        found["additionalProperties"] = False
        if self.rules.all_required:
            self._require(found, place)

    def _require(self, found: Schema, place: str) -> None:
        """A property that may be missing is asked for where it may be null, so that nothing has to be made up.

        Elsewhere it is where this is better than a schema that is not enforced: in an answer, not in a call.
        """
        listed = set(found.get("required", ()))
        for name, part in found["properties"].items():
            if name in listed or self._takes_null(part, 0):
                continue
            if not self.fills:
                raise Unfit(_at(place, f"properties.{name}"), "a property that may be missing, but not null")
            self.changed = True
        found["required"] = list(found["properties"])

    def _takes_null(self, part: Mapping[str, Any], depth: int) -> bool:
        self._count("")
        if depth > _DEPTH_MOST:
            return False
        if "$ref" in part:
            return self._takes_null(self.target(part["$ref"], ""), depth + 1)
        if "anyOf" in part:
            return any(self._takes_null(each, depth + 1) for each in part["anyOf"] if isinstance(each, Mapping))
        if "enum" in part:
            return None in part["enum"]
        return "const" not in part and _is(part, "null")

    # What follows reads one keyword each: into `found`, from what was given, at a place and a depth.

    def _named(self, found: Schema, name: str, given: Any, at: tuple[str, int]) -> None:
        place, depth = _at(at[0], name), at[1] + 1
        if not isinstance(given, Mapping):
            raise Unfit(place, "it is no object of schemas")
        found[name] = {key: self.node(part, _at(place, key), depth) for key, part in given.items()}

    def _nodes(self, name: str, given: Any, at: tuple[str, int]) -> list[Schema]:
        place, depth = _at(at[0], name), at[1] + 1
        if not isinstance(given, list) or not given:
            raise Unfit(place, "it is no list of schemas")
        return [self.node(part, _at(place, str(number)), depth) for number, part in enumerate(given)]

    def _any_of(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        found["anyOf"] = self._nodes("anyOf", given, at)

    def _one_of(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        """Several of them may then fit."""
        found["anyOf"] = self._nodes("oneOf", given, at)
        self.changed = True

    def _all_of(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        parts = self._nodes("allOf", given, at)
        if "allOf" not in self.rules.keywords or any("$ref" in part for part in parts):
            raise Unfit(_at(at[0], "allOf"), "several schemas at once")
        found["allOf"] = parts

    def _items(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        if isinstance(given, list):
            self._prefix(found, given, at)
        else:
            found["items"] = self.node(given, _at(at[0], "items"), at[1] + 1)

    def _prefix(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        """Items that each have their own schema: each may then have any of these."""
        parts = self._nodes("prefixItems", given, at)
        different = list({orjson.dumps(part): part for part in parts}.values())
        found["items"] = different[0] if len(different) == 1 else {"anyOf": different}
        self._leave("prefixItems", given)

    def _least(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        del at
        most = self.rules.items_least
        if most is None or (isinstance(given, int) and given <= most):
            found["minItems"] = given
        else:
            found["minItems"] = most
            self._leave("minItems", given)

    def _format(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        """By itself a format asks nothing of a value: to tell the model of it is enough."""
        del at
        known = isinstance(given, str) and given in self.rules.formats
        (found if known else self.undone)["format"] = given

    def _pattern(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        del at
        if isinstance(given, str) and not _LOOKS_AROUND.search(given):
            found["pattern"] = given
        else:
            self._leave("pattern", given)

    def _required(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise Unfit(_at(at[0], "required"), "it is no list of names")
        found["required"] = given

    def _literal(self, name: str, found: Schema, given: Any, at: tuple[str, int]) -> None:
        inside = given if name == "enum" and isinstance(given, list) else [given]
        if any(isinstance(each, dict | list) for each in inside):
            raise Unfit(_at(at[0], name), "a value that is an object or a list")
        found[name] = given

    def _enum(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        self._literal("enum", found, given, at)

    def _const(self, found: Schema, given: Any, at: tuple[str, int]) -> None:
        self._literal("const", found, given, at)


_Reader = Callable[[_Fitter, Schema, Any, tuple[str, int]], None]


def _reader_of(name: str) -> _Reader:
    return lambda fitter, found, given, at: fitter._named(found, name, given, at)


_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        **{name: _reader_of(name) for name in ("properties", *DEFINED)},
        "anyOf": _Fitter._any_of,
        "oneOf": _Fitter._one_of,
        "allOf": _Fitter._all_of,
        "items": _Fitter._items,
        "prefixItems": _Fitter._prefix,
        "minItems": _Fitter._least,
        "required": _Fitter._required,
        "format": _Fitter._format,
        "pattern": _Fitter._pattern,
        "enum": _Fitter._enum,
        "const": _Fitter._const,
    }
)
# What beside a reference asks more of a value than the reference does.
_ASKING = frozenset({"type", "properties", "required", "items", "prefixItems", "anyOf", "oneOf", "enum", "const"})
_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_IMPLIED = {"properties": "object", "items": "array"}


def _at(place: str, step: str) -> str:
    return f"{place}.{step}" if place else step


def _is(part: Mapping[str, Any], kind: str) -> bool:
    found = part.get("type")
    return found == kind or (isinstance(found, list) and kind in found)


def _unwrapped(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """One schema in a list of its own, as a reference is often given that has a description, is that schema."""
    inner = schema.get("allOf")
    while isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], Mapping):
        rest = {name: given for name, given in schema.items() if name != "allOf"}
        if inner[0].keys() & rest.keys() - {"title", "description", "default"}:
            break
        schema = {**inner[0], **rest}
        inner = schema.get("allOf")
    return schema


def _kinds(part: Schema) -> list[str]:
    """The types of the values that something may have."""
    values = part["enum"] if isinstance(part.get("enum"), list) else [part["const"]] if "const" in part else []
    kinds = dict.fromkeys(_KINDS[type(each)] for each in values)
    if len(kinds) > 1 and "number" in kinds:
        kinds.pop("integer", None)
    return list(kinds)


def _told(found: Schema, undone: Schema) -> Schema:
    """The part with what is not enforced in its description, where the model reads it."""
    if not undone:
        return found
    said = found.get("description")
    try:
        words = orjson.dumps(undone).decode()
    except orjson.JSONEncodeError:
        raise Unfit("", "it is nested too deep") from None
    return {**found, "description": f"{said}\n\n{words}" if isinstance(said, str) and said else words}
