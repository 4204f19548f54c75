"""Reads a client's JSON body, refusing what parsers disagree on before anything is held or sent."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from oneflow_ai.core.failure import (
    DUPLICATE_KEY,
    INVALID_ENCODING,
    INVALID_JSON,
    INVALID_NUMBER,
    INVALID_TYPE,
    INVALID_UNICODE,
    TOO_DEEP,
    TOO_MANY_ITEMS,
    Failure,
)

DEPTH_MOST = 64
ITEMS_MOST = 200_000
INTEGER_LEAST = -(1 << 63)
INTEGER_MOST = (1 << 64) - 1
_INTEGER_CHARACTERS_MOST = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ESCAPED_NUL = b"\\u0000"
_ESCAPED_QUOTE = b"\\u0022"
# An integer of no more than 18 digits fits in 64 bits.
_DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_LONG_NUMBER = b"0" * 19
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FIELD = re.compile(r"[A-Za-z0-9_]{1,64}")


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body, key order kept; raises `Failure` that never repeats the content."""
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if not body:
        raise Failure(INVALID_JSON, "the body is empty; send a JSON object")
    # JSON begins with two characters of ASCII: a NUL among them is half of a wider one (RFC 4627 §3).
    if body.startswith(_WIDE_ORDER_MARKS) or 0 in body[:4]:
        raise Failure(INVALID_ENCODING, "the body is not UTF-8")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unreadable(body, error) from None
    if type(found) is not dict:
        raise Failure(INVALID_TYPE, "the body is a JSON object")
    # No value takes less than two bytes, and nothing is nested deeper than it has brackets.
    if len(body) > 2 * ITEMS_MOST or _has_many_brackets(body):
        _bound(found)
    shortest = orjson.dumps(found)
    if shortest != body and _may_have_lost(body, shortest):
        json.loads(body, object_pairs_hook=_pairs, parse_int=_integer)
    if b"\\" in body and _ESCAPED_NUL in body and _has_nul(found):
        raise Failure(INVALID_UNICODE, "the body holds a NUL character")
    return found


def _has_many_brackets(body: bytes) -> bool:
    """Whether a body opens more brackets than may be nested; searched for, as counting takes twenty times as long."""
    left = DEPTH_MOST
    for bracket in (b"{", b"["):
        place = body.find(bracket)
        while place >= 0:
            if not left:
                return True
            left -= 1
            place = body.find(bracket, place + 1)
    return False


def _may_have_lost(body: bytes, shortest: bytes) -> bool:
    """Whether a key may have come twice or an integer been rounded; False where a body has but spaces and escapes.

    A quote within a text is one more quote in the shortest form too, and a key that was dropped takes two with it. An
    escape that is none, as in a path of Windows, makes the sums differ, and a slower look tells.
    """
    quotes = body.count(b'"') + body.count(_ESCAPED_QUOTE)
    return quotes != shortest.count(b'"') or _LONG_NUMBER in body.translate(_DIGITS)


def _bound(found: dict[str, Any]) -> None:
    level: list[Any] = [found]
    items = depth = 0
    while level:
        depth += 1
        if depth > DEPTH_MOST:
            raise Failure(TOO_DEEP, f"the body is nested deeper than {DEPTH_MOST} levels")
        below: list[Any] = []
        for container in level:
            items += len(container)
            for value in container.values() if type(container) is dict else container:
                if type(value) is dict or type(value) is list:
                    below.append(value)
        if items > ITEMS_MOST:
            raise Failure(TOO_MANY_ITEMS, f"the body holds more than {ITEMS_MOST} values", param=_fullest(found))
        level = below


def _fullest(found: dict[str, Any]) -> str | None:
    """The field that holds most, where it is one of many names and not the body itself."""
    sizes = {name: len(value) for name, value in found.items() if type(value) is dict or type(value) is list}
    name = max(sizes, key=sizes.__getitem__, default="")
    return name if _FIELD.fullmatch(name) and sizes[name] >= len(found) else None


def _has_nul(value: Any) -> bool:
    if type(value) is dict:
        return any("\0" in name for name in value) or any(map(_has_nul, value.values()))
    if type(value) is list:
        return any(map(_has_nul, value))
    return type(value) is str and "\0" in value


def _pairs(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) != len({name for name, _ in pairs}):
        raise Failure(DUPLICATE_KEY, "a key of the body occurs twice in one object")


def _integer(digits: str) -> int:
    # Measured first: Python's own limit of 4,300 digits is never reached.
    if len(digits) > _INTEGER_CHARACTERS_MOST or not INTEGER_LEAST <= int(digits) <= INTEGER_MOST:
        raise Failure(INVALID_NUMBER, "an integer of the body does not fit in 64 bits")
    return 0


def _unreadable(body: bytes, error: orjson.JSONDecodeError) -> Failure:
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        return Failure(INVALID_UNICODE, f"the body is not valid UTF-8, at byte {wrong.start}")
    place = f"at character {error.pos}"
    if "depth" in error.msg:
        return Failure(TOO_DEEP, f"the body is nested deeper than {DEPTH_MOST} levels")
    if text[error.pos : error.pos + 3].lower() == "\\ud":
        return Failure(INVALID_UNICODE, f"a character escape is half of a surrogate pair, {place}")
    if text.startswith(("NaN", "Infinity"), error.pos):
        return Failure(INVALID_NUMBER, f"NaN and Infinity are not JSON, {place}")
    number = _NUMBER.match(text, error.pos)
    if number is not None and math.isinf(float(number.group())):
        return Failure(INVALID_NUMBER, f"a number is out of range, {place}")
    return Failure(INVALID_JSON, f"the body is not valid JSON, {place}")
