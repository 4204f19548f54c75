"""The rules for a conversation on Anthropic's wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oneflow_ai.core.failure import INVALID_IMAGE_URL, INVALID_MESSAGES, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.media import Media
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST, check_image

_ROLES = frozenset({"user", "assistant", "system"})
_CONTENT_PROBLEM = "content is a text or a list of blocks"
# What a block of these types must have as text.
_TEXTS = {
    "text": ("text",),
    "thinking": ("thinking",),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name"),
    "tool_result": ("tool_use_id",),
}


def check_messages(messages: Any) -> Media:
    """What a conversation carries beside its text; raises `Failure` naming the first message that breaks a rule."""
    if type(messages) is not list:
        raise Failure(INVALID_MESSAGES, "a list", param="messages")
    if not messages:
        raise Failure(INVALID_MESSAGES, "at least one message is required", param="messages")
    if len(messages) > MESSAGES_MOST:
        raise Failure(TOO_MANY_ITEMS, f"at most {MESSAGES_MOST}", param="messages")
    called, media = set[str](), Media()
    for place, message in enumerate(messages):
        param = f"messages.{place}"
        if type(message) is not dict:
            raise Failure(INVALID_MESSAGES, "a message is an object", param=param)
        role = message.get("role")
        if type(role) is not str or role not in _ROLES:
            raise Failure(INVALID_MESSAGES, "a message's role is user, assistant or system", param=f"{param}.role")
        for at, block in blocks_of(message.get("content"), f"{param}.content"):
            _check_block(block, at, media)
            _check_calls(block, at, called)
    return media


def check_system(name: str, value: Any) -> None:
    """Raise `Failure` for a system prompt that is neither a text nor a list of texts."""
    for at, block in blocks_of(value, name):
        if block["type"] != "text":
            raise Failure(INVALID_MESSAGES, "a system prompt holds texts only", param=at)
        _check_block(block, at, Media())


def blocks_of(content: Any, param: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each block of a content that is a list, with its place; raises `Failure` for another content."""
    if type(content) is str:
        return
    if type(content) is not list:
        raise Failure(INVALID_MESSAGES, _CONTENT_PROBLEM, param=param)
    for number, block in enumerate(content):
        at = f"{param}.{number}"
        if type(block) is not dict or type(block.get("type")) is not str:
            raise Failure(INVALID_MESSAGES, "a block is an object with a type", param=at)
        yield at, block


def _check_block(block: dict[str, Any], param: str, media: Media) -> None:
    kind = block["type"]
    for name in _TEXTS.get(kind, ()):
        if type(block.get(name)) is not str:
            raise Failure(INVALID_MESSAGES, f"a {kind} block has {name}, a text", param=f"{param}.{name}")
    if kind == "tool_use" and type(block.get("input")) is not dict:
        raise Failure(INVALID_MESSAGES, "a tool_use block has input, an object", param=f"{param}.input")
    if kind in ("image", "document"):
        _check_source(block.get("source"), f"{param}.source", media, image=kind == "image")
    if kind == "tool_result" and block.get("content") is not None:
        for at, inner in blocks_of(block["content"], f"{param}.content"):
            _check_block(inner, at, media)


def _check_calls(block: dict[str, Any], param: str, called: set[str]) -> None:
    if block["type"] == "tool_use":
        called.add(block["id"])
    elif block["type"] == "tool_result" and block["tool_use_id"] not in called:
        words = "a tool_result answers a tool_use of an earlier message"
        raise Failure(INVALID_MESSAGES, words, param=f"{param}.tool_use_id")


def _check_source(source: Any, param: str, media: Media, *, image: bool) -> None:
    if type(source) is not dict or type(source.get("type")) is not str:
        raise Failure(INVALID_MESSAGES, "a source is an object with a type", param=param)
    kind = source["type"]
    media.pictures += image
    media.files += not image and kind not in ("base64", "text", "content")
    if kind == "url":
        url = source.get("url")
        if type(url) is str and url[:5].lower() == "data:":
            raise Failure(INVALID_IMAGE_URL, "an address is http or https", param=f"{param}.url")
        check_image(url, f"{param}.url")
    elif kind == "base64":
        for name in ("media_type", "data"):
            if type(source.get(name)) is not str or not source[name]:
                raise Failure(INVALID_MESSAGES, f"a base64 source has {name}, a text", param=f"{param}.{name}")
        if image:
            media.picture_bytes += len(source["data"])
            check_image(f"data:{source['media_type']};base64,{source['data']}", f"{param}.data")
    elif kind == "text" and type(source.get("data")) is not str:
        raise Failure(INVALID_MESSAGES, "a text source has data, a text", param=f"{param}.data")
