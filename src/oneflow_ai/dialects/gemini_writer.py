"""From the middle form of an answer to the candidates of Gemini's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.dialects import gemini_seal
from oneflow_ai.dialects.anthropic_blocks import input_of
from oneflow_ai.dialects.gemini_places import Places
from oneflow_ai.dialects.in_turn import InTurn

# Why an answer ended, from the middle form. A pause is for the client to go on, as after a stop; calls of functions end
# an answer like any other here.
REASONS = {
    "length": "MAX_TOKENS",
    "context_length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
}
Piece = dict[str, Any]


@dataclass(slots=True)
class _Called:
    """A call of a function so far: this wire tells it whole."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    signature: str = ""

    def part(self) -> Piece:
        """The call as a part."""
        call = {"id": self.id, "name": self.name, "args": input_of("".join(self.arguments))}
        return {"functionCall": call, **({"thoughtSignature": self.signature} if self.signature else {})}


class CandidateWriter:
    """Gives what each delta brings to one candidate: parts of its content, or fields beside it.

    Calls of functions wait until they are complete: for another part that comes in its turn, or for the end. `id` is
    nobody else's: those which their provider gave no id get one of it.
    """

    __slots__ = ("_calls", "_id", "_places", "_thinks", "_turns")

    def __init__(self, id: str) -> None:
        self._id = id
        self._calls: dict[int, _Called] = {}
        self._places = Places()
        self._thinks = False
        # None before the first call: until then nothing can be mixed.
        self._turns: InTurn | None = None

    def write(self, delta: Delta) -> tuple[list[Piece], Piece]:
        """The parts that a delta completes, and the fields that it brings beside them."""
        kind = delta.kind
        if kind == "logprobs":
            return [], {"logprobsResult": _logprobs(delta.text)}
        if kind == "citation":
            return [], {"citationMetadata": {"citationSources": [self._citation(delta.text)]}}
        turns = self._turns
        if turns is None:
            if kind != "tool_call":
                return self._said(delta), {}
            turns = self._turns = InTurn()
        elif kind == "tool_arguments" and turns.flows(delta):
            self._call(delta)
            return [], {}
        return [part for each in turns.put(delta) for part in self._part(each)], {}

    def end(self) -> list[Piece]:
        """The parts that waited."""
        rest = self._turns.rest() if self._turns is not None else []
        return [*(part for each in rest for part in self._part(each)), *self._called()]

    def _called(self) -> list[Piece]:
        found, self._calls = [call.part() for call in self._calls.values()], {}
        return found

    def _part(self, delta: Delta) -> list[Piece]:
        if delta.kind.startswith("tool_"):
            self._call(delta)
            return []
        return [*self._called(), *self._said(delta)]

    def _said(self, delta: Delta) -> list[Piece]:
        kind, text = delta.kind, delta.text
        if kind in ("text", "refusal"):
            self._thinks = False
            self._places.add(text)
            return [{"text": text}] if text else []
        if kind == "reasoning":
            self._thinks = True
            return [{"text": text, "thought": True}] if text else []
        if kind == "signature":
            thought = {"thought": True} if self._thinks else {}
            return [{"text": "", **thought, "thoughtSignature": gemini_seal.written(text, delta.wire)}]
        if kind == "sealed":
            return [
                {"text": "", "thought": True, "thoughtSignature": gemini_seal.written(text, delta.wire, whole=True)}
            ]
        return []

    def _call(self, delta: Delta) -> None:
        if delta.kind == "tool_call":
            self._calls[delta.tool_index] = _Called(delta.tool_id or f"{self._id}_{delta.tool_index}", delta.text)
            return
        called = self._calls.get(delta.tool_index)
        if called is None:
            return
        if delta.kind == "tool_arguments":
            called.arguments.append(delta.text)
        else:
            called.signature = gemini_seal.written(delta.text, delta.wire)

    def _citation(self, text: str) -> Piece:
        """A source of the answer; this wire counts in bytes."""
        told = orjson.loads(text)
        named = (("uri", told.get("url")), ("title", told.get("title")))
        found: Piece = {name: value for name, value in named if isinstance(value, str)}
        start, end = told.get("start"), told.get("end")
        if type(start) is int and type(end) is int and 0 <= start <= end:
            before = self._places.bytes_before
            found |= {"startIndex": before(start), "endIndex": before(end)}
        return found


class Gathered:
    """A whole candidate, gathered from what the writer gives: pieces of one text, or of one thought, are one part."""

    __slots__ = ("_beside", "_parts", "_texts", "writer")

    def __init__(self, id: str) -> None:
        self.writer = CandidateWriter(id)
        self._parts: list[Piece] = []
        self._texts: list[list[str]] = []
        self._beside: list[Piece] = []

    def add(self, delta: Delta) -> None:
        """One more delta."""
        parts, beside = self.writer.write(delta)
        self._take(parts)
        if beside:
            self._beside.append(beside)

    def candidate(self, index: int, reason: str) -> Piece:
        """The candidate, complete."""
        self._take(self.writer.end())
        for part, texts in zip(self._parts, self._texts, strict=True):
            if "text" in part:
                part["text"] = "".join(texts)
        found = {"content": content(self._parts), "finishReason": reason, "index": index}
        return found | _joined(self._beside)

    def _take(self, parts: list[Piece]) -> None:
        for part in parts:
            last = self._parts[-1] if self._parts else None
            if last is None or not _goes_on(last, part):
                self._parts.append(dict(part))
                self._texts.append([part.get("text", "")])
                continue
            self._texts[-1].append(part["text"])
            last.update((name, value) for name, value in part.items() if name != "text")


def content(parts: list[Piece]) -> Piece:
    """What the model says with these parts; without any, an empty text, as this wire has it."""
    return {"parts": parts or [{"text": ""}], "role": "model"}


def reason_of(end: End, index: int) -> str:
    """Why a candidate ended, in this wire's word."""
    return REASONS.get(end.reason_of(index) or "", "STOP")


def ended(end: End, said: Iterable[int]) -> list[int]:
    """The candidates of an answer in their order: those that said anything, and those that ended without a word."""
    return sorted({*said, *(end.reasons or ())}) or [0]


def usage_object(usage: Usage) -> Piece:
    """What an answer used, as this wire counts it: thoughts beside the candidates; a nought is not told."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(usage.output_tokens - usage.reasoning_tokens, 0),
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
    }
    found: Piece = {name: count for name, count in counts.items() if count}
    for name, sound, picture, whole in (
        ("promptTokensDetails", usage.input_audio_tokens, usage.input_image_tokens, usage.input_tokens),
        ("candidatesTokensDetails", usage.output_audio_tokens, usage.output_image_tokens, usage.output_tokens),
    ):
        if sound or picture:
            text = max(whole - sound - picture, 0)
            told = (("TEXT", text), ("AUDIO", sound), ("IMAGE", picture))
            found[name] = [{"modality": kind, "tokenCount": count} for kind, count in told if count]
    return found


def _goes_on(last: Piece, part: Piece) -> bool:
    """Whether a part goes on with the one before: text of the same kind, the seal of which is yet to come."""
    if "text" not in part or "text" not in last or "thoughtSignature" in last:
        return False
    return last.get("thought") is part.get("thought")


def _joined(pieces: list[Piece]) -> Piece:
    found: Piece = {}
    for piece in pieces:
        for name, fields in piece.items():
            for key, values in fields.items():
                found.setdefault(name, {}).setdefault(key, []).extend(values)
    return found


def _logprobs(text: str) -> Piece:
    """The chosen tokens and, in their order, what might have stood there."""
    tokens = [token for token in orjson.loads(text) if isinstance(token, dict)]
    return {
        "chosenCandidates": [_token(token) for token in tokens],
        "topCandidates": [{"candidates": _others(token.get("top_logprobs"))} for token in tokens],
    }


def _others(tokens: Any) -> list[Piece]:
    return [_token(token) for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []


def _token(token: Piece) -> Piece:
    text, logprob = token.get("token"), token.get("logprob")
    return {
        "token": text if isinstance(text, str) else "",
        "logProbability": logprob if type(logprob) in (int, float) else 0.0,
    }
