"""How many pictures a checked conversation holds, and how much of its request they are: they are no text to count."""

from __future__ import annotations

from typing import Any


def pictures_in(messages: list[Any]) -> tuple[int, int]:
    """The number of pictures, and the characters of those that the request itself carries in base64.

    Reads the parts of OpenAI's chats (`image_url`) and of Anthropic's messages (`image`, also within a tool's result).
    """
    number = characters = 0
    for message in messages:
        parts = message.get("content")
        if type(parts) is not list:
            continue
        for part in parts:
            kind = part.get("type")
            if kind == "image_url":
                image = part.get("image_url")
                number += 1
                characters += _carried(image.get("url") if type(image) is dict else image)
            elif kind == "image":
                number += 1
                source = part.get("source")
                characters += len(source.get("data") or "") if type(source) is dict else 0
            elif kind == "tool_result":
                more, carried = pictures_in([part])
                number += more
                characters += carried
    return number, characters


def _carried(url: Any) -> int:
    return len(url) if type(url) is str and url[:5].lower() == "data:" else 0
