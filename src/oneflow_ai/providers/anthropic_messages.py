"""A conversation of the middle form as Anthropic's wire has it: system texts apart, turns of blocks."""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from typing import Any

import orjson

from oneflow_ai.core.failure import TOO_DEEP, UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import (
    Document,
    Image,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from oneflow_ai.providers.base import arguments_of, silent
from oneflow_ai.providers.names import fit_id

# Its specification (RequestToolResultBlock), 2026-11-28.
_ID = re.compile(r"[A-Za-z0-9_-]+")
_PDF = "application/pdf"
Block = dict[str, Any]


def conversation(prompt: Prompt, seals: frozenset[str], *, later_system: bool) -> tuple[list[Block], list[Block]]:
    """The system texts and the turns; turns of one side that follow each other are one.

    `seals` are the wires whose sealed reasoning is given back; all other is left out. With `later_system` a system
    message keeps its place where this wire has one: after a user's turn, before the assistant's or at the end. Else it
    joins those at the beginning. Raises `Failure` for what has no place here.
    """
    system: list[Block] = []
    turns: list[Block] = []
    said = _said(prompt, seals)
    roles = [role for role, _ in said]
    for place, (role, blocks) in enumerate(said):
        if role == "system" and not (later_system and turns and _stays(roles, place)):
            system += blocks
        else:
            _append(turns, role, blocks)
    for turn in turns:
        if turn["role"] == "user":
            # What tools answered comes first, or the turn before it counts as unanswered.
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    if not turns and system:
        # A conversation begins with the user's turn.
        turns, system = [{"role": "user", "content": system}], []
    if not turns:
        raise silent(prompt)
    return system, turns


def cache_mark(cache: str) -> Block:
    """The mark that keeps everything up to here in the provider's cache; none without one."""
    if not cache:
        return {}
    return {"cache_control": {"type": "ephemeral"} | ({} if cache == "5m" else {"ttl": cache})}


def _said(prompt: Prompt, seals: frozenset[str]) -> list[tuple[str, list[Block]]]:
    """Who says what, message by message, without those that say nothing."""
    try:
        said = [
            (message.role, [block for part in message.parts for block in _blocks(part, seals)])
            for message in prompt.messages
        ]
    except Failure as failure:
        raise Failure(failure.kind, failure.message, param=prompt.param("messages")) from None
    return [(role, blocks) for role, blocks in said if blocks]


def _stays(roles: list[str], place: int) -> bool:
    after = roles[place + 1] if place + 1 < len(roles) else "assistant"
    return roles[place - 1] == "user" and after == "assistant"


def _append(turns: list[Block], role: str, blocks: list[Block]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _blocks(part: Part, seals: frozenset[str]) -> list[Block]:
    """The block of a part; none for what is sealed by another wire, or blank.

    "messages: text content blocks must contain non-whitespace text" is a 400
    (https://github.com/anomalyco/opencode/issues/31259, 2026-11-28).
    """
    match part:
        case Text() | Refusal():
            cache = part.cache if isinstance(part, Text) else ""
            return [{"type": "text", "text": part.text} | cache_mark(cache)] if part.text.strip() else []
        case Reasoning():
            return _thoughts(part) if part.wire in seals else []
        case ToolCall():
            call = {
                "type": "tool_use",
                "id": fit_id(part.id, _ID),
                "name": part.name,
                "input": _arguments(part.arguments),
            }
            return [call | cache_mark(part.cache)]
        case ToolResult():
            return [_result(part, seals)]
        case Image():
            return [_image(part)]
        case Document():
            return [_document(part)]
        case _:
            raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for sound")


def _thoughts(part: Reasoning) -> list[Block]:
    if part.sealed:
        return [{"type": "redacted_thinking", "data": part.sealed}]
    # Without its seal a thought is refused.
    return [{"type": "thinking", "thinking": part.text, "signature": part.signature}] if part.signature else []


def _arguments(text: str) -> Block:
    found = arguments_of(text)
    try:
        # What is nested deeper than the encoder goes is found here, not when the body is written.
        orjson.dumps([[[[[found]]]]])
    except orjson.JSONEncodeError:
        raise Failure(TOO_DEEP, "the arguments of a tool's call are nested too deep") from None
    return found


def _result(part: ToolResult, seals: frozenset[str]) -> Block:
    found: Block = {"type": "tool_result", "tool_use_id": fit_id(part.id, _ID)}
    content = [block for inner in part.parts for block in _blocks(inner, seals)]
    if content:
        found["content"] = content
    if part.failed:
        found["is_error"] = True
    return found | cache_mark(part.cache)


def _image(part: Image) -> Block:
    if part.url:
        source = {"type": "url", "url": part.url}
    else:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    return {"type": "image", "source": source} | cache_mark(part.cache)


def _document(part: Document) -> Block:
    found: Block = {"type": "document", "source": _source(part)}
    if part.name:
        found["title"] = part.name
    if part.context:
        found["context"] = part.context
    if part.citations:
        found["citations"] = {"enabled": True}
    return found | cache_mark(part.cache)


def _source(part: Document) -> Block:
    if part.url:
        return {"type": "url", "url": part.url}
    if not part.data:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    if part.media_type == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": part.data}
    if part.media_type.startswith("text/"):
        try:
            return {"type": "text", "media_type": "text/plain", "data": a2b_base64(part.data).decode()}
        except (NotBase64, UnicodeDecodeError):
            raise Failure(UNSUPPORTED_PARAMETER, "a text document is not text in UTF-8, as base64") from None
    raise Failure(UNSUPPORTED_PARAMETER, "the target's wire takes documents as PDF or text only")
