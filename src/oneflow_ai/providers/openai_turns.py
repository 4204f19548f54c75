"""The turns of a conversation, written as the messages of a chat on OpenAI's wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from oneflow_ai.core.abilities import SENT
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    text_in,
)
from oneflow_ai.providers.openai_idiom import Idiom

_PDF = "application/pdf"
# OpenAI refuses longer ids of tool calls ("expected a string with maximum length 40", community.openai.com).
TOOL_ID_CHARACTERS_MOST = 40
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BREAK = "\n\n"
_Fields = dict[str, Any]


class Turns:
    """Writes messages as one server wants them. `seals` are the names of wires whose sealed reasoning is its own."""

    def __init__(self, idiom: Idiom, seals: frozenset[str]) -> None:
        self._idiom = idiom
        self._seals = seals

    def of(self, messages: Iterable[Message]) -> list[_Fields]:
        """The messages, in their order; one of the middle form's may take several."""
        written: list[_Fields] = []
        for message in messages:
            if message.role == "assistant":
                written.append(self._assistant(message))
            elif message.role == "user":
                written += self._user(message)
            else:
                written.append(self._named(message, {"role": "system", "content": self._content(message.parts)}))
        return written

    def _user(self, message: Message) -> list[_Fields]:
        """Results of tools first, each in its own message, as the wire wants them right after their calls."""
        written: list[_Fields] = []
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                written.append(self._result(part))
                rest += _shown(part)
        rest += [part for part in message.parts if not isinstance(part, ToolResult)]
        if rest:
            written.append(self._named(message, {"role": "user", "content": self._content(rest)}))
        return written

    def _result(self, result: ToolResult) -> _Fields:
        texts: list[Part] = [part for part in result.parts if isinstance(part, Text)]
        seen = any(not isinstance(part, Text) for part in result.parts)
        if not texts:
            texts = [Text("The result is in the next message." if seen else "")]
        call_id = self.tool_id(result.id)
        return {"role": "tool", "tool_call_id": call_id, "content": self._content(texts, result.cache)}

    def _assistant(self, message: Message) -> _Fields:
        parts = message.parts
        texts: list[Part] = [part for part in parts if isinstance(part, Text)]
        calls = [self._call(part) for part in parts if isinstance(part, ToolCall)]
        refusals = [part.text for part in parts if isinstance(part, Refusal)]
        written: _Fields = {"role": "assistant", "content": self._content(texts) if texts else None}
        if not texts and not calls and not refusals:
            # Nothing that this server may be told is left of the turn; its content may not be null.
            written["content"] = ""
        if refusals:
            written["refusal"] = "".join(refusals)
        written |= self._thoughts([part for part in parts if isinstance(part, Reasoning)], called=bool(calls))
        if calls:
            written["tool_calls"] = calls
        return self._named(message, written)

    def _call(self, call: ToolCall) -> _Fields:
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        return {"id": self.tool_id(call.id), "type": "function", "function": function}

    def _thoughts(self, thoughts: Sequence[Reasoning], *, called: bool) -> _Fields:
        field = self._idiom.thoughts
        text = "".join(thought.text for thought in thoughts)
        if field == "reasoning_content":
            # Wanted with every turn that called a tool, even where nothing was thought (400 otherwise, see the rows).
            return {field: text} if text or called else {}
        if field == "reasoning":
            return {field: text} if text else {}
        if field == "reasoning_details":
            details = [_detail(thought) for thought in thoughts if thought.wire in self._seals and _is_sealed(thought)]
            if details:
                return {field: details}
            return {"reasoning": text} if text else {}
        return {}

    def _content(self, parts: Sequence[Part], cache: str = "") -> str | list[_Fields]:
        """One text where that says it all, else parts."""
        parts = [_said(part) for part in parts]
        texts = [part for part in parts if isinstance(part, Text)]
        if self._idiom.joins_texts and len(texts) == len(parts):
            return BREAK.join(part.text for part in texts)
        written = [self._part(part) for part in parts]
        if cache and written:
            written[-1] |= cache_mark(cache, self._idiom)
        if len(written) == 1 and written[0].keys() == {"type", "text"}:
            return str(written[0]["text"])
        return written

    def _part(self, part: Part) -> _Fields:
        match part:
            case Image():
                written = _image(part)
            case Document():
                written = _document(part)
            case Audio():
                return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
            case Text():
                written = {"type": "text", "text": part.text}
            case _:
                # What only an assistant says, in the mouth of another: no client's wire lets it through.
                return {"type": "text", "text": getattr(part, "text", "")}
        return written | cache_mark(part.cache, self._idiom)

    def tool_id(self, call_id: str) -> str:
        """The id of a call as this server takes it: the same one always becomes the same."""
        exactly = self._idiom.tool_id_characters
        if not exactly:
            return short_id(call_id, TOOL_ID_CHARACTERS_MOST)
        if len(call_id) == exactly and call_id.isascii() and call_id.isalnum():
            return call_id
        return _letters(call_id, exactly)

    def _named(self, message: Message, written: _Fields) -> _Fields:
        return written | {"name": message.name} if message.name else written


def short_id(call_id: str, characters_most: int) -> str:
    """The id of a call within a wire's bound: the same one always becomes the same."""
    return call_id if len(call_id) <= characters_most else f"call_{_letters(call_id, 24)}"


def cache_mark(cache: str, idiom: Idiom) -> _Fields:
    """The field that ends what is to be cached, where the server has one."""
    if not cache or idiom.abilities["prompt cache marks"] is not SENT:
        return {}
    if idiom.cache_mark == "cache_control":
        return {"cache_control": {"type": "ephemeral", "ttl": cache}}
    return {"prompt_cache_breakpoint": {"mode": "explicit"}}


def _shown(result: ToolResult) -> list[Part]:
    """What a tool's message has no place for, with a word on where it comes from."""
    rest: list[Part] = [part for part in result.parts if not isinstance(part, Text)]
    return [Text(f"Result of the tool call {result.id}:"), *rest] if rest else []


def _image(image: Image) -> _Fields:
    url = image.url or f"data:{image.media_type};base64,{image.data}"
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": image.detail} if image.detail else {})}


def _said(part: Part) -> Part:
    """A document that is plain text is said as it is, under its name."""
    text = text_in(part) if isinstance(part, Document) else None
    return part if text is None else Text(text, part.cache if isinstance(part, Document) else "")


def _document(document: Document) -> _Fields:
    """A file: on this wire a PDF (https://developers.openai.com/api/docs/guides/file-inputs, 2026-11-27)."""
    if document.data and document.media_type != _PDF:
        words = f"the target's wire takes files that are PDF or text, not {document.media_type[:64] or 'of no type'}"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="messages")
    content = document.url or f"data:{document.media_type};base64,{document.data}"
    name = document.name or ("document.pdf" if document.media_type == _PDF else "document")
    return {"type": "file", "file": {"filename": name, "file_data": content}}


def _is_sealed(thought: Reasoning) -> bool:
    return bool(thought.signature or thought.sealed)


def _detail(thought: Reasoning) -> _Fields:
    """A block of reasoning as the server gave it: its seal is all of it but what could be read."""
    try:
        found = orjson.loads(thought.sealed or thought.signature)
    except orjson.JSONDecodeError:
        found = None
    detail: _Fields = found if isinstance(found, dict) else {}
    if not thought.sealed:
        detail["summary" if detail.get("type") == "reasoning.summary" else "text"] = thought.text
    return detail


def _letters(text: str, characters: int) -> str:
    number = int.from_bytes(blake2b(text.encode(), digest_size=characters).digest())
    found = []
    for _ in range(characters):
        number, place = divmod(number, len(_LETTERS))
        found.append(_LETTERS[place])
    return "".join(found)
