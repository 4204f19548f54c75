"""Decoders of Converse's answers, streamed in Amazon's own framing or whole, and of counts of tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.events import Delta, End, Event, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.providers.base import WholeDecoder, bad, encoded, listed, mapping, sound, word
from oneflow_ai.providers.bedrock_failure import event_failure, words_of
from oneflow_ai.providers.bedrock_frames import Message, MessageSplitter
from oneflow_ai.providers.bedrock_model import WIRE
from oneflow_ai.providers.bedrock_usage import read_count, read_usage

# docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseResponse.html, 2026-11-26, and Anthropic's further
# words for its models.
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
    "model_context_window_exceeded": "context_length",
}
# The model's answer is broken: to give it as whole would be a lie, and another try may do better.
_BROKEN = frozenset({"malformed_model_output", "malformed_tool_use"})
# Measured of OpenAI's models (github.com/maximhq/bifrost/pull/6942, 2026-11-26): in streams, and only there, the input
# is counted whole, the cache's share in it.
_WHOLE_INPUT = "openai."


class StreamDecoder:
    """Decodes one stream: its last event tells the usage, after the one that tells why the model stopped."""

    __slots__ = (
        "_bare", "_ended", "_messages", "_places", "_reason", "_seen", "_stop_sequence", "_usage", "_whole_input",
    )  # fmt: skip

    def __init__(self, model: str) -> None:
        self._whole_input = _WHOLE_INPUT in model
        self._messages = MessageSplitter()
        self._places: dict[Any, int] = {}
        # The call that has no arguments yet.
        self._bare: int | None = None
        self._reason = ""
        self._stop_sequence = ""
        self._usage: Usage | None = None
        self._seen = False
        self._ended = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events complete with this chunk; an exception inside the stream ends it."""
        if self._ended:
            return []
        out: list[Event] = []
        try:
            for message in self._messages.feed(chunk):
                if self._take(message, out):
                    return [*out, *self._end(None)]
        except Failure as failure:
            return [*out, *self._end(failure)]
        return out

    def close(self) -> list[Event]:
        """End the sequence: well when the model said why it stopped, else with the failure that the cut is."""
        return [] if self._ended else self._end(None)

    def _take(self, message: Message, out: list[Event]) -> bool:
        """Read one message; gives whether it is the last. Raises `Failure` for an exception."""
        kind = message.headers.get(":message-type")
        if kind != "event":
            name = message.headers.get(":exception-type") or message.headers.get(":error-code", "")
            payload = message.payload
            if kind == "error":
                payload = orjson.dumps({"message": message.headers.get(":error-message", "")})
            raise event_failure(name, payload)
        found = sound(message.payload)
        if not isinstance(found, dict):
            raise Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        self._seen = True
        match message.headers.get(":event-type"):
            case "contentBlockStart":
                out += self._start(found)
            case "contentBlockDelta":
                out += self._delta(found)
            case "contentBlockStop":
                out += self._stop(found)
            case "messageStop":
                self._reason = word(found.get("stopReason"))
                self._stop_sequence = _stop_sequence(found)
            case "metadata":
                self._usage = read_usage(found.get("usage"), found.get("serviceTier"), whole_input=self._whole_input)
                return bool(self._reason)
        return False

    def _start(self, found: dict[str, Any]) -> list[Delta]:
        called = mapping(mapping(found.get("start")).get("toolUse"))
        name = word(called.get("name"))
        if not name:
            return []
        place = self._places[_place(found)] = self._bare = len(self._places)
        return [Delta("tool_call", name, tool_index=place, tool_id=word(called.get("toolUseId")))]

    def _delta(self, found: dict[str, Any]) -> list[Delta]:
        delta = mapping(found.get("delta"))
        text, called, thought = delta.get("text"), delta.get("toolUse"), delta.get("reasoningContent")
        deltas: list[Delta] = []
        if isinstance(text, str) and text:
            deltas.append(Delta("text", text))
        place = self._places.get(_place(found))
        arguments = word(mapping(called).get("input"))
        if arguments and place is not None:
            self._bare = None
            deltas.append(Delta("tool_arguments", arguments, tool_index=place))
        deltas += _thought(mapping(thought))
        citation = _citation(delta.get("citation"))
        return [*deltas, Delta("citation", citation)] if citation else deltas

    def _stop(self, found: dict[str, Any]) -> list[Delta]:
        """A call of a tool that takes nothing is whole as its block ends."""
        place = self._places.get(_place(found))
        if place is None or place != self._bare:
            return []
        self._bare = None
        return [Delta("tool_arguments", "{}", tool_index=place)]

    def _end(self, failure: Failure | None) -> list[Event]:
        self._ended = True
        failure = failure or _problem(self._reason) or self._cut()
        usage = self._usage
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        end = End(_reason(self._reason) if failure is None else None, failure, stop_sequence=self._stop_sequence)
        return [end] if usage is None else [usage, end]

    def _cut(self) -> Failure | None:
        if self._reason:
            return None
        if self._seen:
            return Failure(UPSTREAM_STREAM_INTERRUPTED, "the provider ended the stream before the answer was finished")
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")


def _whole(read: Callable[[dict[str, Any]], list[Event]]) -> WholeDecoder:
    """The decoder of one whole answer, an object that `read` makes events of."""

    def checked(body: bytes, found: Any) -> list[Event]:
        del body
        return read(found) if isinstance(found, dict) else bad("the provider's answer is not a JSON object")

    return WholeDecoder(checked)


def text_decoder() -> WholeDecoder:
    """The decoder of one whole answer of text."""
    return _whole(_text)


def count_decoder() -> WholeDecoder:
    """The decoder of a count of tokens."""
    return _whole(_count)


def _text(found: dict[str, Any]) -> list[Event]:
    blocks = mapping(mapping(found.get("output")).get("message")).get("content")
    reason = word(found.get("stopReason"))
    if not isinstance(blocks, list) or not reason:
        words = words_of(found)
        return bad(f"the provider sent an error as success: {words}" if words else "the provider's answer is not whole")
    usage = read_usage(found.get("usage"), found.get("serviceTier"))
    failure = _problem(reason)
    if usage is not None and failure is not None:
        usage = replace(usage, source="provider_partial")
    events: list[Event] = []
    calls = 0
    for block in blocks:
        deltas = _block(block, calls) if isinstance(block, dict) else []
        calls += sum(delta.kind == "tool_call" for delta in deltas)
        events += deltas
    end = End(_reason(reason) if failure is None else None, failure, stop_sequence=_stop_sequence(found))
    # Of an answer that is broken nothing is given, so that another target may be asked.
    return [*(events if failure is None else ()), *([] if usage is None else [usage]), end]


def _block(block: dict[str, Any], calls: int) -> list[Delta]:
    """What one whole block brings; a call of a tool comes after so many others."""
    text, called, cited = word(block.get("text")), block.get("toolUse"), mapping(block.get("citationsContent"))
    deltas = [Delta("text", text)] if text else []
    if isinstance(called, dict) and word(called.get("name")):
        deltas.append(Delta("tool_call", called["name"], tool_index=calls, tool_id=word(called.get("toolUseId"))))
        deltas.append(Delta("tool_arguments", encoded(mapping(called.get("input")), "{}"), tool_index=calls))
    thought = mapping(block.get("reasoningContent"))
    deltas += _thought({**mapping(thought.get("reasoningText")), "redactedContent": thought.get("redactedContent")})
    for piece in listed(cited.get("content")):
        if said := word(mapping(piece).get("text")):
            deltas.append(Delta("text", said))
    citations = (_citation(each) for each in listed(cited.get("citations")))
    return [*deltas, *(Delta("citation", citation) for citation in citations if citation)]


def _thought(found: dict[str, Any]) -> list[Delta]:
    """Reasoning, and what seals it or stands for it."""
    text, signature = word(found.get("text")), word(found.get("signature"))
    sealed = word(found.get("redactedContent"))
    deltas = [Delta("reasoning", text)] if text else []
    if signature:
        deltas.append(Delta("signature", signature, wire=WIRE))
    return [*deltas, Delta("sealed", sealed, wire=WIRE)] if sealed else deltas


def _citation(found: Any) -> str:
    """A citation as JSON in the middle form; places in the source are none in the answer, so they are left out."""
    if not isinstance(found, dict):
        return ""
    web = mapping(mapping(found.get("location")).get("web"))
    texts = (word(mapping(each).get("text")) for each in listed(found.get("sourceContent")))
    told = {"url": word(web.get("url")) or _address(found), "title": word(found.get("title")), "text": "".join(texts)}
    told = {name: text for name, text in told.items() if text}
    return orjson.dumps(told).decode() if told else ""


def _address(found: dict[str, Any]) -> str:
    source = word(found.get("source"))
    return source if source.startswith(("http://", "https://")) else ""


def _count(found: dict[str, Any]) -> list[Event]:
    tokens = read_count(found.get("inputTokens"))
    return bad("the provider's answer has no count of tokens") if tokens is None else [Usage(tokens), End()]


def _problem(reason: str) -> Failure | None:
    return Failure(UPSTREAM_BAD_RESPONSE, f"the model's answer is broken: {reason}") if reason in _BROKEN else None


def _reason(reason: str) -> str | None:
    return _REASONS.get(reason, "stop") if reason else None


def _stop_sequence(found: dict[str, Any]) -> str:
    return word(mapping(found.get("additionalModelResponseFields")).get("stop_sequence"))


def _place(found: dict[str, Any]) -> int:
    place = found.get("contentBlockIndex")
    return place if type(place) is int else -1
