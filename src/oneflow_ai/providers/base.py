"""What all wires read of JSON whose shape nobody vouches for: a text, an object, a list, or nothing."""

from __future__ import annotations

from typing import Any

import orjson


def word(value: Any) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def loaded(data: bytes) -> Any:
    """The value of JSON; None for what is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def encoded(value: Any, instead: str = "") -> str:
    """The JSON of a value; `instead` for what is nested deeper than the encoder goes."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return instead


def arguments_of(text: str) -> dict[str, Any]:
    """A tool's arguments as an object; what is none, as a model may have written it, is kept as text."""
    found = loaded(text.encode()) if text else {}
    return found if isinstance(found, dict) else {"arguments": text}
