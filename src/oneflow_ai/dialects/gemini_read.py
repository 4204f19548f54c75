"""From a request in Gemini's dialect to its middle form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.dialects import gemini_seal
from oneflow_ai.dialects.gemini_calls import Calls
from oneflow_ai.dialects.gemini_contents import is_picture, is_sound
from oneflow_ai.dialects.gemini_request import LEVELS
from oneflow_ai.dialects.gemini_schema import plain

_CHOICES: Mapping[str, Any] = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}
_EFFORTS: Mapping[str, Any] = {level: level.lower() for level in LEVELS}
# OpenAI's words for a tier, which the middle form uses.
_TIERS = {"standard": "default", "unspecified": "", "service_tier_unspecified": ""}
# What the middle form calls a kind of sound.
_SOUNDS = {"mpeg": "mp3", "mp3": "mp3", "wav": "wav", "x-wav": "wav", "wave": "wav"}
_SCHEMAS = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")
_ALLOWED = "toolConfig.functionCallingConfig.allowedFunctionNames"
_THINKING = "generationConfig.thinkingConfig"
# What this wire calls a field of the middle form.
_PARAMS = MappingProxyType(
    {
        "messages": "contents",
        "format": "generationConfig.responseMimeType",
        "effort": f"{_THINKING}.thinkingLevel",
        "thinking_tokens": f"{_THINKING}.thinkingBudget",
        "adaptive": f"{_THINKING}.thinkingBudget",
        "show_reasoning": f"{_THINKING}.includeThoughts",
        "max_tokens": "generationConfig.maxOutputTokens",
        "temperature": "generationConfig.temperature",
        "top_p": "generationConfig.topP",
        "top_k": "generationConfig.topK",
        "stop": "generationConfig.stopSequences",
        "seed": "generationConfig.seed",
        "n": "generationConfig.candidateCount",
        "presence_penalty": "generationConfig.presencePenalty",
        "frequency_penalty": "generationConfig.frequencyPenalty",
        "logprobs": "generationConfig.responseLogprobs",
        "tool_choice": "toolConfig.functionCallingConfig",
        "service_tier": "serviceTier",
        "metadata": "labels",
        "is_error": "contents",
    }
)


def read(body: Mapping[str, Any], further: Sequence[str] = ()) -> Prompt:
    """The middle form of a checked request; `further` are the fields that only this wire has.

    Raises `Failure` for an answer to a function that nobody called.
    """
    config = body.get("generationConfig") or {}
    tools = tuple(_declared(body))
    choice, alone = _choice(body, [tool["name"] for tool in tools])
    strict = True if _mode(body) == "VALIDATED" else None
    system = tuple(Text(part["text"]) for part in (body.get("systemInstruction") or {}).get("parts") or ())
    tier = (body.get("serviceTier") or "").lower()
    return Prompt(
        messages=(*([Message("system", system)] if system else []), *_messages(body["contents"])),
        tools=tuple(_tool(tool, strict) for tool in tools),
        max_tokens=config.get("maxOutputTokens"),
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        top_k=config.get("topK"),
        stop=tuple(config.get("stopSequences") or ()),
        seed=config.get("seed"),
        n=config.get("candidateCount") or 1,
        presence_penalty=config.get("presencePenalty"),
        frequency_penalty=config.get("frequencyPenalty"),
        logprobs=config.get("responseLogprobs") is True,
        top_logprobs=config.get("logprobs"),
        format=_format(config),
        service_tier=_TIERS.get(tier, tier),
        metadata=body.get("labels"),
        **choice,
        **_thinking(config.get("thinkingConfig") or {}),
        further=tuple(dict.fromkeys((*further, *alone))),
        minor=tuple(_minor(body, tools)),
        params=_params(config),
    )


def _declared(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (each for tool in body.get("tools") or () for each in tool.get("functionDeclarations") or ())


def _mode(body: Mapping[str, Any]) -> str:
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    return calling.get("mode") or ""


def _choice(body: Mapping[str, Any], names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Which functions may be called, and what of that only this wire can say: some of them, but not all."""
    calling, mode = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}, _mode(body)
    allowed: Sequence[str] = calling.get("allowedFunctionNames") or ()
    if mode == "ANY" and len(allowed) == 1:
        return {"tool_choice": "tool", "tool_name": allowed[0]}, []
    some = bool(allowed) and mode != "NONE" and not set(names) <= set(allowed)
    return {"tool_choice": _CHOICES.get(mode, "")}, [_ALLOWED] if some else []


def _tool(tool: Mapping[str, Any], strict: bool | None) -> Tool:
    schema = _schema(tool, "parameters", "parametersJsonSchema")
    return Tool(tool["name"], tool.get("description") or "", schema, strict)


def _schema(given: Mapping[str, Any], own: str, *names: str) -> Mapping[str, Any] | None:
    """The schema under one of these names, or under this wire's `own` in its spelling."""
    schema = next((given[name] for name in names if given.get(name) is not None), None)
    if type(schema) is bool:
        return {} if schema else {"not": {}}
    return plain(given[own]) if schema is None and given.get(own) is not None else schema


def _params(config: Mapping[str, Any]) -> Mapping[str, str]:
    """What the client calls a field: the form of an answer by its schema, of whose names it used one, else its type."""
    name = next((name for name in _SCHEMAS if config.get(name) is not None), None)
    return _PARAMS if name is None else {**_PARAMS, "format": f"generationConfig.{name}"}


def _format(config: Mapping[str, Any]) -> Format | None:
    if config.get("responseMimeType") != "application/json":
        return None
    schema = _schema(config, *_SCHEMAS)
    return Format(schema=schema, enforced=schema is not None)


def _thinking(thinking: Mapping[str, Any]) -> dict[str, Any]:
    budget = thinking.get("thinkingBudget")
    return {
        "effort": _EFFORTS.get(thinking.get("thinkingLevel") or ""),
        "thinking_tokens": None if budget is None or budget < 0 else budget,
        "adaptive": budget is not None and budget < 0,
        "show_reasoning": thinking.get("includeThoughts") is True,
    }


def _minor(body: Mapping[str, Any], tools: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What an answer is nearly the same without: no filters, whether it is kept, what a function gives."""
    if body.get("safetySettings"):
        yield "safetySettings"
    if body.get("store"):
        yield "store"
    if any(tool.get("response") or tool.get("responseJsonSchema") for tool in tools):
        yield "tools"


def _messages(contents: Iterable[Mapping[str, Any]]) -> Iterator[Message]:
    """Turns: contents of one side that follow each other are one, as a stream's pieces are given back."""
    role, calls = "", Calls()
    parts: list[Mapping[str, Any]] = []
    for content in contents:
        now = "assistant" if content["role"] == "model" else "user"
        if now != role and parts:
            yield _message(role, parts, calls)
            parts = []
        role = now
        parts += content["parts"]
    yield _message(role, parts, calls)


def _message(role: str, parts: list[Mapping[str, Any]], calls: Calls) -> Message:
    if role == "assistant":
        return Message("assistant", tuple(_Said(calls).read(parts)))
    return Message("user", tuple(_user_part(part, calls) for part in parts if _is_given(part)))


def _is_given(part: Mapping[str, Any]) -> bool:
    return bool(part.get("text")) or len(part.keys() - {"text", "thought", "thoughtSignature", "partMetadata"}) > 0


def _user_part(part: Mapping[str, Any], calls: Calls) -> Part:
    if "text" in part:
        return Text(part["text"])
    if "functionResponse" in part:
        return _result(part["functionResponse"], calls)
    if "functionCall" in part:
        return _call(part, calls)
    return _file(part)


class _Said:
    """Reads what the model said: pieces of one thought, or of one text, are one."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._found: list[Part] = []
        self._pieces: list[str] = []
        self._thinks = False

    def read(self, parts: Iterable[Mapping[str, Any]]) -> list[Part]:
        """The parts of a turn."""
        for part in parts:
            if "text" in part or not _is_given(part):
                self._add(part.get("text") or "", part.get("thoughtSignature") or "", part.get("thought") is True)
                continue
            self._close()
            self._found.append(_user_part(part, self._calls))
        self._close()
        return self._found

    def _add(self, text: str, signature: str, thinks: bool) -> None:
        if thinks != self._thinks:
            self._close()
        seal = gemini_seal.read(signature) if signature else None
        self._thinks = thinks
        if seal is None:
            self._pieces.append(text)
        elif seal.whole:
            self._close()
            self._found.append(Reasoning(sealed=seal.text, wire=seal.wire))
        elif thinks:
            thought = "".join((*self._pieces, text))
            self._pieces = []
            self._found.append(Reasoning(thought, signature=seal.text, wire=seal.wire))
        else:
            self._close()
            self._found.append(Reasoning(signature=seal.text, wire=seal.wire))
            self._pieces.append(text)

    def _close(self) -> None:
        text, self._pieces = "".join(self._pieces), []
        if text:
            self._found.append(Reasoning(text, wire=gemini_seal.WIRE) if self._thinks else Text(text))


def _call(part: Mapping[str, Any], calls: Calls) -> ToolCall:
    call, seal = part["functionCall"], gemini_seal.read(part.get("thoughtSignature") or "")
    arguments = orjson.dumps(call.get("args") or {}).decode()
    # A seal of all that there is of a thought is none of a call.
    signature, wire = (seal.text, seal.wire) if seal.text and not seal.whole else ("", "")
    return ToolCall(calls.called(call), call["name"], arguments, signature, wire=wire)


def _result(given: Mapping[str, Any], calls: Calls) -> ToolResult:
    """What a function gave: the words of `result`, `output` or `error`, where it is no more than that."""
    response = given["response"]
    name = next(iter(response), "") if len(response) == 1 else ""
    failed = name == "error"
    said = response[name] if failed or name in ("result", "output") else response
    text = said if isinstance(said, str) else orjson.dumps(said).decode()
    files = tuple(_file(part) for part in given.get("parts") or () if _is_given(part))
    return ToolResult(calls.answered(given), (*([Text(text)] if text else []), *(_shown(files))), failed)


def _shown(files: Iterable[Part]) -> Iterator[Image | Document]:
    """Pictures and documents: sound as what a function gave is a document of its kind."""
    for file in files:
        if isinstance(file, Audio):
            yield Document(data=file.data, media_type=f"audio/{file.format}")
        elif isinstance(file, Image | Document):
            yield file


def _file(part: Mapping[str, Any]) -> Part:
    if "inlineData" in part:
        blob = part["inlineData"]
        kind, data = blob["mimeType"].lower(), blob["data"]
        if is_picture(kind):
            return Image(data=data, media_type=kind)
        sound = _SOUNDS.get(kind.removeprefix("audio/")) if is_sound(kind) else None
        return Audio(data, sound) if sound else Document(data=data, media_type=kind, name=blob.get("displayName", ""))
    if "fileData" not in part:
        # Named in `further`: whoever reads it is refused, or is of this wire.
        return Text("")
    file = part["fileData"]
    kind = file.get("mimeType", "").lower()
    if kind.startswith("image/"):
        return Image(url=file["fileUri"], media_type=kind)
    return Document(url=file["fileUri"], media_type=kind, name=file.get("displayName", ""))
