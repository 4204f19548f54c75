"""The input items of OpenAI's Responses, read into the middle form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from oneflow_ai.core.failure import INVALID_MESSAGES, Failure
from oneflow_ai.core.prompt import (
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from oneflow_ai.dialects.openai_parts import cache_of, document_of, picture_of
from oneflow_ai.dialects.responses_input import kind_of
from oneflow_ai.dialects.seal import is_wrapped, unwrapped

# What a wrapped seal begins with that is all of a thought, and one that is a call's: its id and the seal, in JSON.
SEALED_MARK = "sealed:"
CALL_MARK = "call:"
# The id of a thought that was told here: the call's own and its place. Providers' ids have no second underscore: OpenAI
# has 48 or 50 hexadecimal digits, xAI a UUID (recordings of 2026-11-23).
_MADE_HERE = re.compile(r"rs_[0-9a-f]{24}_\d+")
_BREAK = "\n\n"
_ROLES: Mapping[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


class Conversation:
    """Reads the items of one input. `messages` is their middle form; `further` names what that has no place for."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.further: list[str] = []
        self._turn: list[Part] = []
        self._results: list[Part] = []
        self._seals: dict[str, tuple[str, str]] = {}

    def read(self, given: str | Iterable[Mapping[str, Any]]) -> None:
        """Read them all; they are as `check_input` lets them through. Raises `Failure` for what cannot be read."""
        if isinstance(given, str):
            self.messages.append(Message("user", (Text(given),)))
            return
        items = list(given)
        self._seals = dict(filter(None, map(_call_seal, items)))
        for place, item in enumerate(items):
            param, read = f"input[{place}]", _ITEMS.get(kind_of(item))
            if read is None:
                self.further.append(param)
            else:
                read(self, item, param)
        self._end_turn()
        self._end_results()

    def _message(self, item: Mapping[str, Any], param: str) -> None:
        role, parts = _ROLES[item["role"]], self._content(item["content"], f"{param}.content")
        if role == "assistant":
            self._say(parts)
            return
        self._end_turn()
        self._end_results()
        self.messages.append(Message(role, tuple(parts)))

    def _call(self, item: Mapping[str, Any], param: str) -> None:
        del param
        call_id = item["call_id"]
        seal, wire = self._seals.get(call_id, ("", ""))
        self._say([ToolCall(call_id, item["name"], item["arguments"], seal, wire=wire)])

    def _output(self, item: Mapping[str, Any], param: str) -> None:
        self._end_turn()
        parts = []
        for part in self._content(item["output"], f"{param}.output"):
            if not isinstance(part, Text | Image | Document):
                raise Failure(INVALID_MESSAGES, "an output holds texts, images and files", param=f"{param}.output")
            parts.append(part)
        self._results.append(ToolResult(item["call_id"], tuple(parts)))

    def _thought(self, item: Mapping[str, Any], param: str) -> None:
        del param
        sealed = item.get("encrypted_content") or ""
        wire, seal = unwrapped(sealed)
        if seal.startswith(CALL_MARK) and wire:
            return
        texts = [part.get("text") for part in item.get("summary") or item.get("content") or ()]
        text = _BREAK.join(each for each in texts if isinstance(each, str))
        if not sealed:
            thought = Reasoning(text)
        elif not wire:
            name = item.get("id")
            seal = orjson.dumps({"id": name if isinstance(name, str) else "", "encrypted_content": sealed}).decode()
            thought = Reasoning(text, seal)
        elif seal.startswith(SEALED_MARK):
            thought = Reasoning(sealed=seal.removeprefix(SEALED_MARK), wire=wire)
        else:
            thought = Reasoning(text, seal, wire=wire)
        self._say([thought])

    def _say(self, parts: Iterable[Part]) -> None:
        """What the model said in one turn stands in one message."""
        self._end_results()
        self._turn += parts

    def _end_turn(self) -> None:
        if self._turn:
            self.messages.append(Message("assistant", tuple(self._turn)))
            self._turn = []

    def _end_results(self) -> None:
        """The results of one round stand in one message."""
        if self._results:
            self.messages.append(Message("user", tuple(self._results)))
            self._results = []

    def _content(self, content: Any, param: str) -> list[Part]:
        if isinstance(content, str):
            return [Text(content)]
        found: list[Part] = []
        for number, part in enumerate(content):
            at = f"{param}[{number}]"
            read = _PARTS.get(part["type"])
            one = at if read is None else read(part, at)
            if isinstance(one, str):
                self.further.append(one)
            else:
                found.append(one)
        return found


def without_foreign_thoughts(given: Any) -> Any:
    """A checked input without the thoughts that no provider of this wire knows; the same one where there are none."""
    if not isinstance(given, list) or not any(map(_is_foreign, given)):
        return given
    return [item for item in given if not _is_foreign(item)]


def _is_foreign(item: Mapping[str, Any]) -> bool:
    """Whether a thought is what another wire sealed, or one without a seal that was told here.

    A provider looks the latter up by its id, and knows only its own ("Item with id … not found", 404).
    """
    seal, name = item.get("encrypted_content"), item.get("id")
    if seal or item.get("type") != "reasoning":
        return is_wrapped(seal)
    return isinstance(name, str) and _MADE_HERE.fullmatch(name) is not None


def _call_seal(item: Mapping[str, Any]) -> tuple[str, tuple[str, str]] | None:
    """The call that a seal of another wire is for, the seal, and that wire."""
    sealed = item.get("encrypted_content")
    wire, seal = unwrapped(sealed) if isinstance(sealed, str) else ("", "")
    if not wire or not seal.startswith(CALL_MARK):
        return None
    try:
        found = orjson.loads(seal.removeprefix(CALL_MARK))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(each, str) for each in found):
        return None
    return found[0], (found[1], wire)


def _text(part: Mapping[str, Any], param: str) -> Part:
    return Text(part["text"], cache_of(part, param))


def _refusal(part: Mapping[str, Any], param: str) -> Part:
    del param
    return Refusal(part["refusal"])


def _image(part: Mapping[str, Any], param: str) -> Part | str:
    url, detail = part.get("image_url"), part.get("detail")
    if url is None:
        # It lies with one provider: no other can read it.
        return f"{param}.file_id"
    return picture_of(url, detail if isinstance(detail, str) else "", cache_of(part, param))


def _file(part: Mapping[str, Any], param: str) -> Part | str:
    name, cache = part.get("filename"), cache_of(part, param)
    name = name if isinstance(name, str) else ""
    if part.get("file_url") is not None:
        return Document(url=part["file_url"], name=name, cache=cache)
    if part.get("file_data") is None:
        return f"{param}.file_id"
    return document_of(part["file_data"], name, cache)


_PARTS: Mapping[str, Callable[[Mapping[str, Any], str], Part | str]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
}
_ITEMS: Mapping[str, Callable[[Conversation, Mapping[str, Any], str], None]] = {
    "message": Conversation._message,
    "function_call": Conversation._call,
    "function_call_output": Conversation._output,
    "reasoning": Conversation._thought,
}
