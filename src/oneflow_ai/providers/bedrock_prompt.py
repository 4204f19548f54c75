"""A prompt as Amazon Bedrock's Converse has it: system, messages of content blocks, and tools.

Shapes: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, checked 2026-11-26.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.providers.base import arguments_of, silent
from oneflow_ai.providers.bedrock_model import WIRE, Family, tells_single
from oneflow_ai.providers.names import LETTERS_64, fit_id

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
# Bedrock takes `.` and `:` too, Claude behind it does not (Anthropic's specification, 2026-11-28).
_TOOL_ID = LETTERS_64
# A blank text is refused in a result too, and a result has some content
# (https://github.com/NousResearch/hermes-agent/issues/55092, 2026-11-28).
_EMPTY = "(empty)"
_NAME_CHARACTERS_MOST = 200
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")
_CACHED_HOUR = "1h"
_Block = dict[str, Any]


def conversation(prompt: Prompt, row: Family) -> dict[str, Any]:
    """The fields that say what was said and which tools there are.

    All that the system says stands before the conversation, in its order. Turns of one role are one message, as the
    wire wants. Raises `Failure` for files of a kind that it does not know, and where nothing is said.
    """
    writer = _Writer(row)
    system: list[_Block] = []
    messages: list[dict[str, Any]] = []
    for message in prompt.messages:
        blocks = writer.blocks(message)
        if message.role == "system":
            system += blocks
        elif messages and messages[-1]["role"] == message.role:
            messages[-1]["content"] += blocks
        elif blocks:
            messages.append({"role": message.role, "content": blocks})
    if not messages and system:
        messages, system = [{"role": "user", "content": system}], []
    if not messages:
        raise silent(prompt)
    body: dict[str, Any] = {"messages": messages}
    if system:
        body["system"] = system
    tools = _tools(prompt, row, writer.called)
    return {**body, "toolConfig": tools} if tools else body


class _Writer:
    """Writes content blocks; it remembers which tools were `called`, and the names that documents have taken."""

    def __init__(self, row: Family) -> None:
        self._cache = row.cache
        self._names: dict[str, int] = {}
        self.called: dict[str, None] = {}

    def blocks(self, message: Message) -> list[_Block]:
        """A message's content: no blank texts, for the wire refuses them, and a cache point after what is marked."""
        found: list[_Block] = []
        for part in message.parts:
            block = self._block(part)
            if block is not None:
                found.append(block)
                found += self._point(getattr(part, "cache", ""))
        return found

    def _block(self, part: Part) -> _Block | None:
        match part:
            case Text(text=text) | Refusal(text=text):
                return {"text": text} if text.strip() else None
            case Image():
                return {"image": {"format": _format(part.media_type, _IMAGES), "source": {"bytes": part.data}}}
            case Document():
                return {"document": self._document(part)}
            case Audio():
                return {"audio": {"format": part.format, "source": {"bytes": part.data}}}
            case ToolCall():
                self.called[part.name] = None
                called = {
                    "toolUseId": fit_id(part.id, _TOOL_ID),
                    "name": part.name,
                    "input": arguments_of(part.arguments),
                }
                return {"toolUse": called}
            case ToolResult():
                return {"toolResult": self._result(part)}
            case Reasoning():
                return _reasoning(part)

    def _result(self, result: ToolResult) -> _Block:
        content: list[_Block] = []
        for part in result.parts:
            block = self._block(part)
            content += [block] if block is not None else []
        found: _Block = {"toolUseId": fit_id(result.id, _TOOL_ID), "content": content or [{"text": _EMPTY}]}
        return {**found, "status": "error"} if result.failed else found

    def _document(self, document: Document) -> _Block:
        kind = "txt" if document.text else _format(document.media_type, _DOCUMENTS)
        source = {"text": document.text} if document.text else {"bytes": document.data}
        found: _Block = {"format": kind, "name": self._name(document.name), "source": source}
        if document.context:
            found["context"] = document.context
        return {**found, "citations": {"enabled": True}} if document.citations else found

    def _name(self, given: str) -> str:
        """A name in the few characters that the wire takes, none of them twice."""
        name = " ".join(_NOT_IN_NAMES.sub("-", given).split())[: _NAME_CHARACTERS_MOST - 8] or "document"
        free = name
        while free in self._names:
            self._names[name] += 1
            free = f"{name} {self._names[name]}"
        self._names[free] = 1
        return free

    def _point(self, cache: str) -> list[_Block]:
        return [_cache_point(cache)] if cache and self._cache else []


def _cache_point(cache: str) -> _Block:
    return {"cachePoint": {"type": "default", **({"ttl": cache} if cache == _CACHED_HOUR else {})}}


def _reasoning(part: Reasoning) -> _Block | None:
    """Thought that a model of this wire sealed; what has no seal would be refused."""
    if part.wire != WIRE:
        return None
    if part.sealed:
        return {"reasoningContent": {"redactedContent": part.sealed}}
    if not part.signature:
        return None
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _format(media_type: str, known: Mapping[str, str]) -> str:
    found = known.get(media_type.partition(";")[0].strip().lower())
    if found is None:
        words = f"the target takes no file of the type {media_type[:64] or 'that is not told'}"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="messages")
    return found


def _tools(prompt: Prompt, row: Family, called: Mapping[str, None]) -> dict[str, Any]:
    """The tools' configuration; one with calls in its messages must have it, so it then names what was called."""
    if prompt.tool_choice == "none":
        if called:
            words = "the target's wire cannot forbid tools once they were called"
            raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("tool_choice"))
        return {}
    tools = prompt.tools or tuple(Tool(name) for name in called)
    listed: list[_Block] = []
    for tool in tools:
        specification: _Block = {"name": tool.name, "inputSchema": {"json": tool.schema or {"type": "object"}}}
        if tool.description:
            specification["description"] = tool.description
        if tool.strict is not None:
            specification["strict"] = tool.strict
        listed.append({"toolSpec": specification})
        if tool.cache and row.cache:
            listed.append(_cache_point(tool.cache))
    found: dict[str, Any] = {"tools": listed} if listed else {}
    if tells_single(prompt, row):
        return found
    if listed and prompt.tool_choice == "required":
        found["toolChoice"] = {"any": {}}
    elif listed and prompt.tool_choice == "tool":
        found["toolChoice"] = {"tool": {"name": prompt.tool_name}}
    return found
