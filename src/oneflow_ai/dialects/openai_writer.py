"""Answers of other wires in the shape of OpenAI's chat: the chunks of a stream, or one whole `chat.completion`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.core.fold import Called, Choice, Fold, Thought
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.openai_legacy import is_legacy
from oneflow_ai.dialects.seal import wrapped
from oneflow_ai.dialects.seam import seam

DONE = b"data: [DONE]\n\n"
# Each reason of the middle form in this wire's words. A pause is for the client to go on, as after a stop.
REASONS: Mapping[str, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "context_length": "length",
}
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority"})
_TEXT = "reasoning.text"
_ENCRYPTED = "reasoning.encrypted"
_CALLED, _LEGACY_CALLED = "tool_calls", "function_call"
_ID_CHARACTERS = 24
# What a tool is called with that takes nothing: clients of this wire parse it as JSON.
_NO_ARGUMENTS = "{}"
_Seal = Mapping[str, Any]
_NO_SEAL: _Seal = MappingProxyType({})


def hides_reasoning(body: Mapping[str, Any]) -> bool:
    """Whether a request asks for reasoning that is not shown, in any of the ways in which it can be said.

    OpenRouter's are `reasoning.exclude` and `include_reasoning` (openrouter.ai/docs, reasoning tokens, 2026-11-26).
    """
    reasoning, thinking = body.get("reasoning"), body.get("thinking")
    if isinstance(reasoning, dict) and reasoning.get("exclude") is True:
        return True
    omitted = isinstance(thinking, dict) and thinking.get("display") == "omitted"
    return omitted or body.get("include_reasoning") is False


class _Frame:
    """What every object of one answer begins with, and how ids within it are made."""

    __slots__ = ("_call_id", "created", "id", "model")

    def __init__(self, call: Call, target: Target) -> None:
        self._call_id = call.id
        self.id = f"chatcmpl-{call.id}"
        self.created = int(call.received.timestamp())
        self.model = target.model

    def tool_id(self, index: int, place: int) -> str:
        """An id for a tool call that its provider gave none; the wire allows 40 characters."""
        return f"call_{self._call_id[-_ID_CHARACTERS:]}_{index}_{place}"


class _Place:
    """How far one choice of a stream has come."""

    __slots__ = ("annotations", "bare", "block", "characters", "refused", "tools")

    def __init__(self) -> None:
        self.annotations = 0
        self.block = 0
        self.characters = 0
        self.refused = False
        self.tools: dict[int, int] = {}
        # The calls that have no arguments yet.
        self.bare: dict[int, None] = {}


class ChunkWriter:
    """Writes an answer as chunks of a stream, each delta as it comes."""

    __slots__ = ("_choices", "_frame", "_head", "_hides", "_include_usage", "_legacy", "_tail")

    def __init__(self, call: Call, target: Target) -> None:
        self._frame = frame = _Frame(call, target)
        self._hides = hides_reasoning(call.body)
        self._legacy = is_legacy(call.body)
        self._include_usage = call.include_usage
        self._choices: dict[int, _Place] = {}
        self._head = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":[' % (
            orjson.dumps(frame.id),
            frame.created,
            orjson.dumps(frame.model),
        )
        # As OpenAI's own: where usage is asked for, every chunk before the last has none.
        self._tail = b'],"usage":null}\n\n' if call.include_usage else b"]}\n\n"

    def feed(self, delta: Delta) -> bytes:
        """The chunks that one delta brings."""
        place = self._choices.get(delta.index)
        begun = b""
        if place is None:
            begun, place = self._begin(delta.index)
        kind = delta.kind
        if kind == "text":
            place.characters += len(delta.text)
            return begun + self._chunk(delta.index, {"content": delta.text})
        if kind == "logprobs":
            return begun + self._chunk(delta.index, {}, _logprobs([delta.text]))
        if kind == "continued":
            return begun + self._seam(delta)
        fields = self._fields(delta, place)
        return begun + self._chunk(delta.index, fields) if fields else begun

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The finish reason of each choice, usage with its cost where it was asked for, and the mark of the end."""
        # A choice that said nothing has ended as well.
        pieces = [self._begin(index)[0] for index in end.reasons or () if index not in self._choices]
        if not self._choices:
            pieces.append(self._begin(0)[0])
        for index, place in sorted(self._choices.items()):
            bare = [self._called(number, {"arguments": _NO_ARGUMENTS}) for number in place.bare]
            pieces += [self._chunk(index, called) for called in bare if called]
            reason = orjson.dumps(_reason(end.reason_of(index), refused=place.refused, legacy=self._legacy))
            choice = b'{"index":%d,"delta":{},"logprobs":null,"finish_reason":%b}' % (index, reason)
            pieces.append(self._head + choice + self._tail)
        if self._include_usage:
            told = orjson.dumps({**usage_object(usage), "cost": usd_float(cost_nanos)})
            pieces.append(self._head + b'],"usage":' + told + _tier(usage) + b"}\n\n")
        return b"".join((*pieces, DONE))

    def _begin(self, index: int) -> tuple[bytes, _Place]:
        place = self._choices[index] = _Place()
        return self._chunk(index, {"role": "assistant", "content": ""}), place

    def _chunk(self, index: int, fields: Mapping[str, Any], logprobs: Any = None) -> bytes:
        return b'%b{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":null}%b' % (
            self._head,
            index,
            orjson.dumps(fields),
            b"null" if logprobs is None else orjson.dumps(logprobs),
            self._tail,
        )

    def _seam(self, delta: Delta) -> bytes:
        """A chunk without content that tells which model goes on."""
        choice = b'{"index":%d,"delta":{},"logprobs":null,"finish_reason":null}]' % delta.index
        return b'%b%b,"oneflow":%b%b' % (self._head, choice, orjson.dumps(seam(delta)), self._tail[1:])

    def _fields(self, delta: Delta, place: _Place) -> dict[str, Any]:
        kind, text = delta.kind, delta.text
        if kind.startswith("tool_"):
            return self._tool(delta, place)
        if kind == "refusal":
            place.refused = True
            return {"refusal": text}
        if kind == "citation":
            place.annotations += 1
            # With its number, by which OpenAI's client tells apart what it collects of a list.
            numbered = {"index": place.annotations - 1, **annotation(text, place.characters)}
            return {"annotations": [numbered]}
        if self._hides:
            return {}
        block = place.block
        if kind == "reasoning":
            return {"reasoning_content": text, "reasoning_details": [{"type": _TEXT, "text": text, "index": block}]}
        place.block += 1
        seal = wrapped(delta.wire, text)
        if kind == "signature":
            return {"reasoning_details": [{"type": _TEXT, "signature": seal, "index": block}]}
        return {"reasoning_details": [{"type": _ENCRYPTED, "data": seal, "index": block}]}

    def _tool(self, delta: Delta, place: _Place) -> dict[str, Any]:
        tools, kind = place.tools, delta.kind
        if kind == "tool_call":
            number = tools.setdefault(delta.tool_index, len(tools))
            place.bare[number] = None
            call_id = delta.tool_id or self._frame.tool_id(delta.index, number)
            function = {"name": delta.text, "arguments": ""}
            return self._called(number, function, id=call_id, type="function")
        begun = tools.get(delta.tool_index)
        if begun is None:
            return {}
        if kind == "tool_arguments":
            if delta.text:
                place.bare.pop(begun, None)
            return self._called(begun, {"arguments": delta.text})
        # With empty arguments: clients add up what each piece brings.
        return self._called(begun, {"arguments": ""}, _sealed(delta.wire, delta.text))

    def _called(self, number: int, function: Mapping[str, str], seal: _Seal = _NO_SEAL, **named: str) -> dict[str, Any]:
        """What a piece of a call brings, with its id and type in `named`; the older form has a place for one call."""
        if not self._legacy:
            return {_CALLED: [{"index": number, **named, "function": function, **seal}]}
        return {} if number else {_LEGACY_CALLED: {**function, **seal}}


class WholeWriter:
    """Writes an answer as one object, at its end."""

    __slots__ = ("_fold", "_frame", "_hides", "_legacy")

    def __init__(self, call: Call, target: Target) -> None:
        self._frame = _Frame(call, target)
        self._hides = hides_reasoning(call.body)
        self._legacy = is_legacy(call.body)
        self._fold = Fold()

    def feed(self, delta: Delta) -> bytes:
        """Keep the delta."""
        self._fold.add(delta)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The whole answer; what it cost is told in a header."""
        del cost_nanos
        frame, choices = self._frame, self._fold.whole()
        # A choice that said nothing has ended as well.
        for index in end.reasons or (() if choices else (0,)):
            choices.setdefault(index, Choice())
        body: dict[str, Any] = {
            "id": frame.id,
            "object": "chat.completion",
            "created": frame.created,
            "model": end.model or frame.model,
            "choices": [self._choice(index, choice, end) for index, choice in sorted(choices.items())],
            "usage": usage_object(usage),
        }
        if usage.service_tier in _TIERS:
            body["service_tier"] = usage.service_tier
        return orjson.dumps(body)

    def _choice(self, index: int, choice: Choice, end: End) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": choice.refusal or None}
        message["annotations"] = [annotation(citation, len(choice.text)) for citation in choice.citations]
        if not choice.text and (choice.tools or choice.refusal):
            message["content"] = None
        if choice.thoughts and not self._hides:
            message["reasoning_content"] = choice.reasoning or None
            message["reasoning_details"] = [_detail(thought, place) for place, thought in enumerate(choice.thoughts)]
        if choice.tools:
            message |= self._calls(index, list(choice.tools.values()))
        return {
            "index": index,
            "message": message,
            "logprobs": _logprobs(choice.logprobs) if choice.logprobs else None,
            "finish_reason": _reason(end.reason_of(index), refused=bool(choice.refusal), legacy=self._legacy),
        }

    def _calls(self, index: int, calls: list[Called]) -> dict[str, Any]:
        functions = [{"name": call.name, "arguments": call.arguments or _NO_ARGUMENTS} for call in calls]
        seals = [_sealed(call.wire, call.signature) if call.signature else _NO_SEAL for call in calls]
        if self._legacy:
            return {_LEGACY_CALLED: {**functions[0], **seals[0]}}
        ids = [call.id or self._frame.tool_id(index, place) for place, call in enumerate(calls)]
        told = zip(ids, functions, seals, strict=True)
        return {
            _CALLED: [{"id": id_, "type": "function", "function": function, **seal} for id_, function, seal in told]
        }


def usage_object(usage: Usage) -> dict[str, Any]:
    """What an answer used, as this wire counts it: parts are within their totals."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
        },
    }


def annotation(citation: str, characters: int) -> dict[str, Any]:
    """A citation of the middle form as a `url_citation`; without a place it stands after what has been said so far."""
    found = orjson.loads(citation)
    start, end = found.get("start"), found.get("end")
    cited = {
        "url": found.get("url") or "",
        "title": found.get("title") or "",
        "start_index": characters if start is None else start,
        "end_index": characters if end is None else end,
    }
    if found.get("text"):
        # What is quoted, under the name that OpenRouter has for it (openrouter.ai/docs, web search, 2026-11-26).
        cited["content"] = found["text"]
    return {"type": "url_citation", "url_citation": cited}


def _detail(thought: Thought, place: int) -> dict[str, Any]:
    if thought.sealed:
        return {"type": _ENCRYPTED, "data": wrapped(thought.wire, thought.sealed), "index": place}
    signature = {"signature": wrapped(thought.wire, thought.signature)} if thought.signature else {}
    return {"type": _TEXT, "text": thought.text, **signature, "index": place}


def _sealed(wire: str, signature: str) -> _Seal:
    """The seal of a tool call, in the place that Google's servers of this wire have for it (ai.google.dev)."""
    return {"extra_content": {"google": {"thought_signature": wrapped(wire, signature)}}}


def _logprobs(pieces: list[str]) -> dict[str, Any]:
    return {"content": [token for piece in pieces for token in orjson.loads(piece)], "refusal": None}


def _reason(reason: str | None, *, refused: bool, legacy: bool) -> str:
    if reason == "refusal" and refused:
        # What it would not do it has said, in its own field.
        return "stop"
    if legacy and reason == "tool_calls":
        return _LEGACY_CALLED
    return REASONS.get(reason or "stop", "stop")


def _tier(usage: Usage) -> bytes:
    return b',"service_tier":' + orjson.dumps(usage.service_tier) if usage.service_tier in _TIERS else b""
