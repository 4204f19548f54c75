"""A prompt as Gemini's wire has it: the system's instruction, turns of user and model, and functions declared."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from oneflow_ai.core.failure import INVALID_MESSAGES, Failure
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
    ToolCall,
    ToolResult,
    text_in,
)
from oneflow_ai.providers.base import arguments_of
from oneflow_ai.providers.gemini_config import generation
from oneflow_ai.providers.gemini_seal import WIRE, with_stand_ins

# What an address's ending tells of a file; without it Gemini looks for itself.
_MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "html": "text/html",
    "csv": "text/csv",
}
# google-genai tells of 128 characters since, but servers were seen to refuse more than 64: kaitranntt/ccs/issues/25,
# 2026-11-27.
NAMES = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
# Who sealed a call: this wire, or one that a client has of Google's own servers of OpenAI's.
_SEALERS = (WIRE, "")
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}


def conversation(prompt: Prompt, model: str) -> dict[str, Any]:
    """The fields that say what was said and which functions there are.

    All that the system says stands before the conversation, in its order. Raises `Failure` for a result of a tool that
    no earlier message called.
    """
    writer = _Writer(model)
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for message in prompt.told().messages:
        if message.role == "system":
            system += [{"text": part.text} for part in message.parts if isinstance(part, Text) and part.text]
            continue
        role = "model" if message.role == "assistant" else "user"
        parts = writer.parts(message)
        if contents and contents[-1]["role"] == role:
            # The answers to calls made at once must stand in one turn.
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    if not contents:
        contents, system = [{"role": "user", "parts": system or [{"text": ""}]}], []
    if generation(model) >= (3, 0):
        contents = with_stand_ins(contents)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    return {**body, **_tools(prompt)}


class _Writer:
    """Writes the parts of messages in their order; it remembers the names of the functions that were called."""

    def __init__(self, model: str) -> None:
        self._pictures_within = generation(model) >= (3, 0)
        self._names: dict[str, str] = {}

    def parts(self, message: Message) -> list[dict[str, Any]]:
        """A message's parts. The seal of a thought stands on the text that follows it, as Gemini gave it."""
        found: list[dict[str, Any]] = []
        seal = ""
        for part in message.parts:
            if isinstance(part, Reasoning):
                if part.wire != WIRE:
                    continue
                seal = part.signature or seal
                written = [{"text": part.text, "thought": True}] if part.text else []
            else:
                written = self._part(part)
            if seal and written and isinstance(part, Text):
                written[0]["thoughtSignature"] = seal
                seal = ""
            found += written
        return [*found, {"text": "", "thoughtSignature": seal}] if seal else found

    def _part(self, part: Part) -> list[dict[str, Any]]:
        match part:
            case Text(text=text) | Refusal(text=text):
                return [{"text": text}] if text else []
            case Image():
                return [_file(part.url, part.data, part.media_type)]
            case Document():
                said = text_in(part) if part.text else None
                return [{"text": said}] if said else [_file(part.url, part.data, part.media_type)]
            case Audio():
                return [_file("", part.data, f"audio/{part.format}")]
            case ToolCall():
                return [self._call(part)]
            case ToolResult():
                return self._result(part)
            case _:
                return []

    def _call(self, call: ToolCall) -> dict[str, Any]:
        self._names[call.id] = call.name
        part: dict[str, Any] = {
            "functionCall": {"id": call.id, "name": call.name, "args": arguments_of(call.arguments)}
        }
        if call.signature and call.wire in _SEALERS:
            part["thoughtSignature"] = call.signature
        return part

    def _result(self, result: ToolResult) -> list[dict[str, Any]]:
        """An answer with its text; what is no text goes into it since Gemini 3, beside it before, or by address."""
        name = self._names.get(result.id)
        if name is None:
            words = "a result of a tool answers a call of an earlier message"
            raise Failure(INVALID_MESSAGES, words, param="messages")
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        answer: dict[str, Any] = {
            "id": result.id,
            "name": name,
            "response": {"error" if result.failed else "result": "\n".join(texts)},
        }
        files = [written for part in result.parts if not isinstance(part, Text) for written in self._part(part)]
        within = [file for file in files if self._goes_within(file)]
        if within:
            answer["parts"] = within
        return [{"functionResponse": answer}, *(file for file in files if not self._goes_within(file))]

    def _goes_within(self, file: dict[str, Any]) -> bool:
        return self._pictures_within and "inlineData" in file


def _file(url: str, data: str, media_type: str) -> dict[str, Any]:
    if not url:
        return {"inlineData": {"mimeType": media_type, "data": data}}
    media_type = media_type or _MEDIA_TYPES.get(urlsplit(url).path.rpartition(".")[2].lower(), "")
    return {"fileData": {**({"mimeType": media_type} if media_type else {}), "fileUri": url}}


def _tools(prompt: Prompt) -> dict[str, Any]:
    if not prompt.tools:
        return {}
    declared = []
    for tool in prompt.tools:
        function: dict[str, Any] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        if tool.schema is not None:
            function["parametersJsonSchema"] = tool.schema
        declared.append(function)
    calling: dict[str, Any] = {}
    if prompt.tool_choice:
        calling["mode"] = _MODES[prompt.tool_choice]
    if prompt.tool_choice == "tool":
        calling["allowedFunctionNames"] = [prompt.tool_name]
    if prompt.tool_choice in ("", "auto") and any(tool.strict for tool in prompt.tools):
        # Free to call or not, but what is called keeps to its schema, as it does under ANY
        # (ai.google.dev/gemini-api/docs/function-calling, 2026-11-26).
        calling["mode"] = "VALIDATED"
    found: dict[str, Any] = {"tools": [{"functionDeclarations": declared}]}
    return {**found, "toolConfig": {"functionCallingConfig": calling}} if calling else found
