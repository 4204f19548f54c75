"""The turns of a conversation, written as the input items of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from oneflow_ai.core.prompt import (
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from oneflow_ai.providers.openai_turns import short_id

# OpenAI's specification, FunctionCallOutputItemParam, 2026-11-23.
CALL_ID_CHARACTERS_MOST = 64
_BREAK = "\n\n"
Item = dict[str, Any]


class Turns:
    """Writes messages as items. `seals` are the wires whose sealed reasoning is given back; all other is left out.

    `marks` says whether the model is told where its cache may end.
    """

    def __init__(self, seals: frozenset[str], *, marks: bool) -> None:
        self._seals = seals
        self._marks = marks

    def of(self, messages: Iterable[Message]) -> list[Item]:
        """The items, in their order; one message may take several."""
        written: list[Item] = []
        for message in messages:
            if message.role == "assistant":
                written += self._assistant(message.parts)
            else:
                results = [part for part in message.parts if isinstance(part, ToolResult)]
                written += map(self._result, results)
                rest = [part for part in message.parts if not isinstance(part, ToolResult)]
                if rest or not results:
                    written.append({"role": message.role, "content": self._content(rest)})
        return written

    def _assistant(self, parts: Sequence[Part]) -> list[Item]:
        written: list[Item] = []
        said: list[str] = []
        for part in parts:
            if isinstance(part, Text | Refusal):
                said.append(part.text)
                continue
            written += _spoken(said)
            said = []
            if isinstance(part, ToolCall):
                written.append(_call(part))
            elif isinstance(part, Reasoning):
                written += self._thought(part)
        written += _spoken(said)
        while written and written[-1].get("type") == "reasoning":
            # What was thought of nothing that followed is refused (400 "without its required following item").
            written.pop()
        return written

    def _thought(self, part: Reasoning) -> list[Item]:
        if part.wire not in self._seals:
            return []
        try:
            seal = orjson.loads(part.sealed or part.signature)
        except orjson.JSONDecodeError:
            seal = None
        if not isinstance(seal, dict) or not isinstance(seal.get("encrypted_content"), str):
            return []
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        name = seal.get("id") if isinstance(seal.get("id"), str) else ""
        return [{"type": "reasoning", "id": name, "summary": summary, "encrypted_content": seal["encrypted_content"]}]

    def _result(self, part: ToolResult) -> Item:
        inner: list[Part] = [*part.parts]
        content = self._content(inner)
        if part.cache and self._marks:
            content = self._listed(inner) or [{"type": "input_text", "text": ""}]
            content[-1] |= self._mark(part.cache)
        return {"type": "function_call_output", "call_id": _id(part.id), "output": content}

    def _content(self, parts: Sequence[Part]) -> str | list[Item]:
        """One text where that says it all, else parts."""
        written = self._listed(parts)
        if not written:
            return ""
        if len(written) == 1 and written[0].keys() == {"type", "text"}:
            return str(written[0]["text"])
        return written

    def _listed(self, parts: Sequence[Part]) -> list[Item]:
        return [self._part(part) for part in parts]

    def _part(self, part: Part) -> Item:
        match part:
            case Image():
                written = _image(part)
            case Document():
                written = _document(part)
            case Text():
                written = {"type": "input_text", "text": part.text}
            case _:
                # What only an assistant says, in the mouth of another: no client's wire lets it through.
                return {"type": "input_text", "text": getattr(part, "text", "")}
        return written | self._mark(part.cache)

    def _mark(self, cache: str) -> Item:
        return {"prompt_cache_breakpoint": {"mode": "explicit"}} if cache and self._marks else {}


def _spoken(texts: Sequence[str]) -> list[Item]:
    text = "".join(texts)
    return [{"role": "assistant", "content": text}] if text else []


def _call(part: ToolCall) -> Item:
    return {
        "type": "function_call",
        "call_id": _id(part.id),
        "name": part.name,
        "arguments": part.arguments or "{}",
    }


def _id(given: str) -> str:
    return short_id(given, CALL_ID_CHARACTERS_MOST) or "call"


def _image(image: Image) -> Item:
    url = image.url or f"data:{image.media_type};base64,{image.data}"
    return {"type": "input_image", "image_url": url, "detail": image.detail or "auto"}


def _document(document: Document) -> Item:
    """A file; what is plain text is said as it is, under its name."""
    if document.text:
        return {"type": "input_text", "text": _BREAK.join(filter(None, (document.name, document.text)))}
    if document.id:
        return {"type": "input_file", "file_id": document.id}
    if document.url:
        return {"type": "input_file", "file_url": document.url}
    name = document.name or ("document.pdf" if document.media_type == "application/pdf" else "document")
    content = f"data:{document.media_type};base64,{document.data}"
    return {"type": "input_file", "filename": name, "file_data": content}
