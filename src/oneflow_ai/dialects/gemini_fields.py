"""How a request of Gemini's wire is read: rules for its fields, in either spelling, and what no rule knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, MISSING_REQUIRED_PARAMETER, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.media import Media
from oneflow_ai.dialects import checks

_UNDERSCORE = re.compile(r"(?<!^)_+([a-z])")


@dataclass(slots=True)
class Found:
    """What was found on the way: the fields that no other wire has, by their places, and what a request carries.

    `foreign` says that another wire's seal is among what the model said.
    """

    further: list[str] = field(default_factory=list)
    media: Media = field(default_factory=Media)
    foreign: bool = False


Rule = Callable[[Any, str, Found], Any]
"""Gives a value as it is read, told its place; raises `Failure` for one that cannot be."""


def checked(check: checks.Check) -> Rule:
    """A rule for a value that is kept as it is."""

    def rule(value: Any, at: str, found: Found) -> Any:
        check(at, value)
        return value

    return rule


def anything(value: Any, at: str, found: Found) -> Any:
    """A rule for what is read elsewhere."""
    return value


def alien(value: Any, at: str, found: Found) -> Any:
    """A rule for what no other wire has."""
    found.further.append(at)
    return value


def word(*words: str) -> Rule:
    """A rule for one of these words, in whatever case; the wire's own `…_UNSPECIFIED` says nothing."""

    def rule(value: Any, at: str, found: Found) -> Any:
        if type(value) is not str:
            raise Failure(INVALID_TYPE, f"{at} is a text", param=at)
        said = value.upper()
        if said.endswith("_UNSPECIFIED"):
            return None
        if said not in words:
            raise Failure(INVALID_VALUE, f"{at} is one of {', '.join(words)}", param=at)
        return said

    return rule


def integer(least: int, most: int) -> Rule:
    """A rule for a whole number, which this wire also writes as `5.0`."""
    check = checks.integer(least, most)

    def rule(value: Any, at: str, found: Found) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        check(at, value)
        return value

    return rule


def listed(rule: Rule, most: int) -> Rule:
    """A rule for a list of values that have one; an object in its place, as this wire takes it too, is a list of it."""

    def each(value: Any, at: str, found: Found) -> Any:
        if type(value) is dict:
            value = [value]
        if type(value) is not list:
            raise Failure(INVALID_TYPE, f"{at} is a list", param=at)
        if len(value) > most:
            raise Failure(TOO_MANY_ITEMS, f"{at} holds at most {most}", param=at)
        return [rule(one, f"{at}[{place}]", found) for place, one in enumerate(value)]

    return each


def record(rules: Mapping[str, Rule], *required: str) -> Rule:
    """A rule for an object of these fields, which may be written with underscores; null means absent."""

    def rule(value: Any, at: str, found: Found) -> Any:
        if type(value) is not dict:
            raise Failure(INVALID_TYPE, f"{at or 'the body'} is an object", param=at or None)
        read: dict[str, Any] = {}
        for name, given in value.items():
            if given is None:
                continue
            spelled = name if name in rules else _UNDERSCORE.sub(_upper, name)
            place = f"{at}.{spelled}" if at else spelled
            if spelled in read:
                raise Failure(INVALID_VALUE, f"{place} is given in both spellings", param=place)
            kept = rules.get(spelled, alien)(given, place, found)
            if kept is not None:
                read[spelled] = kept
        for name in required:
            if name not in read:
                place = f"{at}.{name}" if at else name
                raise Failure(MISSING_REQUIRED_PARAMETER, "the field is required", param=place)
        return read

    return rule


def _upper(match: re.Match[str]) -> str:
    return match[1].upper()
