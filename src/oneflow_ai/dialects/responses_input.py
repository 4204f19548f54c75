"""The rules for the input items of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_MESSAGES, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.media import Media
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST, check_address, check_image

ROLES = frozenset({"user", "assistant", "system", "developer"})
_CALLS = frozenset({"function_call", "custom_tool_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
# What an item of these types must have as text.
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "function_call": ("call_id", "name", "arguments"),
    "custom_tool_call": ("call_id", "name", "input"),
    "function_call_output": ("call_id",),
    "custom_tool_call_output": ("call_id",),
    "item_reference": ("id",),
}
# What a part of these types must have as text.
_PART_TEXTS: Mapping[str, str] = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "refusal": "refusal",
    "summary_text": "text",
    "reasoning_text": "text",
}


def kind_of(item: Mapping[str, Any]) -> Any:
    """The type of an item; a message may come without."""
    return item.get("type") or ("message" if "role" in item else "item_reference")


def check_input(given: Any, *, kept: bool) -> Media:
    """What an input carries beside its text; raises `Failure` naming the first item that breaks a rule.

    With `kept`, the provider has turns of the conversation that stand before these.
    """
    media = Media()
    if type(given) is not list:
        return media
    if len(given) > MESSAGES_MOST:
        raise Failure(TOO_MANY_ITEMS, f"input holds at most {MESSAGES_MOST}", param="input")
    if not given and not kept:
        raise Failure(INVALID_MESSAGES, "input is empty", param="input")
    calls = _Calls(kept)
    for place, item in enumerate(given):
        param = f"input[{place}]"
        if type(item) is not dict:
            raise _wrong(param, "an item is an object")
        kind = kind_of(item)
        if type(kind) is not str:
            raise _wrong(f"{param}.type", "a type is a text")
        for name in _TEXTS.get(kind, ()):
            if type(item.get(name)) is not str:
                raise _wrong(f"{param}.{name}", f"a {kind} has {name}, a text")
        check = _CHECKS.get(kind)
        if check is not None:
            check(item, param, media)
        media.files += kind == "item_reference"
        calls.add(kind, item, param)
    calls.check()
    return media


class _Calls:
    """The calls of a conversation, each to be answered, unless part of it stands elsewhere."""

    __slots__ = ("_elsewhere", "_made", "_open")

    def __init__(self, elsewhere: bool) -> None:
        self._elsewhere = elsewhere
        self._made: set[str] = set()
        self._open: dict[str, str] = {}

    def add(self, kind: str, item: Mapping[str, Any], param: str) -> None:
        """One more item."""
        if kind in _CALLS:
            self._made.add(item["call_id"])
            self._open[item["call_id"]] = param
        elif kind in _OUTPUTS:
            if item["call_id"] not in self._made and not self._elsewhere:
                raise _wrong(f"{param}.call_id", "an output answers a call of an earlier item")
            self._open.pop(item["call_id"], None)
        elif kind == "item_reference":
            self._elsewhere = True

    def check(self) -> None:
        """Raise `Failure` for the first call that nothing answers."""
        if self._open and not self._elsewhere:
            raise _wrong(next(iter(self._open.values())), "each call is answered by an output after it")


def _message(item: Mapping[str, Any], param: str, media: Media) -> None:
    role = item.get("role")
    if type(role) is not str or role not in ROLES:
        raise _wrong(f"{param}.role", "a message's role is user, assistant, system or developer")
    _content(item.get("content"), f"{param}.content", media)


def _output(item: Mapping[str, Any], param: str, media: Media) -> None:
    _content(item.get("output"), f"{param}.output", media)


def _thought(item: Mapping[str, Any], param: str, media: Media) -> None:
    sealed = item.get("encrypted_content")
    if sealed is not None and type(sealed) is not str:
        raise _wrong(f"{param}.encrypted_content", "encrypted_content is a text")
    for name in ("summary", "content"):
        if item.get(name) is not None:
            if type(item[name]) is not list:
                raise _wrong(f"{param}.{name}", f"{name} is a list")
            _content(item[name], f"{param}.{name}", media)


def _content(content: Any, param: str, media: Media) -> None:
    if type(content) is str:
        return
    if type(content) is not list:
        raise _wrong(param, "this is a text or a list of parts")
    for number, part in enumerate(content):
        at = f"{param}[{number}]"
        if type(part) is not dict or type(part.get("type")) is not str:
            raise _wrong(at, "a part is an object with a type")
        kind = part["type"]
        name = _PART_TEXTS.get(kind)
        if name is not None and type(part.get(name)) is not str:
            raise _wrong(f"{at}.{name}", f"a part of type {kind} has {name}, a text")
        if kind == "input_image":
            _image(part, at, media)
        elif kind == "input_file":
            _file(part, at, media)
        elif kind == "input_audio":
            _audio(part, media)


def _image(part: Mapping[str, Any], param: str, media: Media) -> None:
    url = part.get("image_url")
    if url is not None or part.get("file_id") is None:
        check_image(url, f"{param}.image_url")
    media.add_picture(url)


def _file(part: Mapping[str, Any], param: str, media: Media) -> None:
    url, data = part.get("file_url"), part.get("file_data")
    if url is not None:
        check_address(url, f"{param}.file_url")
    elif data is not None and type(data) is not str:
        raise _wrong(f"{param}.file_data", "file_data is a text")
    elif data is None and type(part.get("file_id")) is not str:
        raise _wrong(param, "a file has file_data, file_url or file_id")
    media.files += type(data) is not str


def _audio(part: Mapping[str, Any], media: Media) -> None:
    sound = part.get("input_audio")
    data = sound.get("data") if isinstance(sound, dict) else None
    media.sound_bytes += len(data) if isinstance(data, str) else 0


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], str, Media], None]] = {
    "message": _message,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": _thought,
}


def _wrong(param: str, words: str) -> Failure:
    return Failure(INVALID_MESSAGES, words, param=param)
