"""The shapes that OpenAI's text routes share: what a request asks, its usage, its stream."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from oneflow_ai.simulator.answer import CONTENT, DONE, FINISH, START, STREAM_TYPE, USAGE, Answer, StreamEvent
from oneflow_ai.simulator.reply import LENGTH, Reply
from oneflow_ai.simulator.wires.events import event
from oneflow_ai.simulator.wires.openai_logprobs import ALTERNATIVES_MOST, logprobs
from oneflow_ai.simulator.wires.wire import Surroundings

CHOICES_MOST = 128
STOPS_MOST = 4
_NAME_CHARACTERS_MOST = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]+")


class BadRequest(Exception):
    """A request that OpenAI would refuse: the message, the code (may be empty), the parameter at fault, the status."""

    def __init__(self, message: str, code: str, param: str | None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.status = status


def missing(param: str) -> BadRequest:
    """A required parameter is not there."""
    return BadRequest(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)


def invalid(param: str, expected: str, code: str = "invalid_type") -> BadRequest:
    """A parameter is not what it must be."""
    return BadRequest(f"Invalid '{param}': expected {expected}.", code, param)


def check_name(name: str, param: str) -> None:
    """Raise `BadRequest` for what no tool of a chat may be called.

    The words: ravitemer/mcphub.nvim/pull/243 and brekkylab/ailoy/pull/109 (2026-11-27).
    """
    if len(name) > _NAME_CHARACTERS_MOST:
        words = f"string too long. Expected a string with maximum length {_NAME_CHARACTERS_MOST}, but got a string "
        code, words = "string_above_max_length", f"{words}with length {len(name)} instead."
    elif _NAME.fullmatch(name) is None:
        code = "invalid_value"
        words = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    else:
        return
    raise BadRequest(f"Invalid '{param}': {words}", code, param)


@dataclass(frozen=True, slots=True)
class Asked:
    """What both text routes ask alike; `tokens_most` is 0 when nothing bounds the answer.

    `alternatives` is how many a chat tells for each token, None where it tells no probabilities.
    """

    model: str
    stream: bool
    include_usage: bool
    choices: int
    tokens_most: int
    stops: tuple[str, ...]
    alternatives: int | None = None


def read_asked(document: dict[str, Any], tokens_most: int = 0) -> Asked:
    """Read the common parameters; `tokens_most` is the route's default. Raises `BadRequest`."""
    stream = document.get("stream") or False
    if not isinstance(stream, bool):
        raise invalid("stream", "a boolean")
    options = document.get("stream_options") or {}
    if options and not stream:
        raise BadRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "invalid_value",
            "stream_options",
        )
    for name in ("max_completion_tokens", "max_tokens"):
        if document.get(name) is not None:
            tokens_most = _whole_number(document, name, 1, None)
            break
    choices = _whole_number(document, "n", 1, CHOICES_MOST) if document.get("n") is not None else 1
    include_usage = bool(options.get("include_usage")) if isinstance(options, dict) else False
    stops, alternatives = _stops(document.get("stop")), _alternatives(document)
    return Asked(str(document["model"]), stream, include_usage, choices, tokens_most, stops, alternatives)


def why_ended(reply: Reply) -> str:
    """The finish reason of a text."""
    return "length" if reply.finish == LENGTH else "stop"


def _whole_number(document: dict[str, Any], name: str, least: int, most: int | None) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(name, "an integer")
    if value < least or (most is not None and value > most):
        raise invalid(name, f"an integer from {least}" + (f" to {most}" if most else ""), "integer_out_of_range")
    return value


def _stops(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or len(stops) > STOPS_MOST or not all(isinstance(each, str) for each in stops):
        raise invalid("stop", f"a string or up to {STOPS_MOST} strings")
    return tuple([each for each in stops if each])


def _alternatives(document: dict[str, Any]) -> int | None:
    told, wanted = document.get("logprobs") is True, document.get("top_logprobs")
    if wanted is None:
        return 0 if told else None
    if not told:
        words = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise BadRequest(words, "invalid_value", "top_logprobs")
    return _whole_number(document, "top_logprobs", 0, ALTERNATIVES_MOST)


def usage(prompt_tokens: int, completion_tokens: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """The usage block of a chat answer; `completion_tokens` has the reasoning in it."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """How the events of one stream look: the fields before the choice, cut into bytes once; probabilities or none."""

    before: bytes
    after: bytes
    alternatives: int | None = None

    def delta(
        self, kind: str, index: int, delta: bytes, finish: bytes = b"null", likely: bytes = b"null"
    ) -> StreamEvent:
        """An event for one choice; `delta`, `finish` and `likely`, its probabilities, are JSON."""
        parts = (
            self.before,
            b"%d" % index,
            b',"delta":',
            delta,
            b',"logprobs":',
            likely,
            b',"finish_reason":',
            finish,
            self.after,
        )
        return StreamEvent(kind, b"".join(parts))

    def texts(self, index: int, texts: Iterable[str]) -> list[StreamEvent]:
        """Pieces of text for one choice, an event each."""
        if (alternatives := self.alternatives) is not None:
            told = [(orjson.dumps({"content": text}), orjson.dumps(logprobs([text], alternatives))) for text in texts]
            return [self.delta(CONTENT, index, delta, likely=likely) for delta, likely in told]
        before = b'%b%d,"delta":{"content":' % (self.before, index)
        after = b'},"logprobs":null,"finish_reason":null' + self.after
        return [StreamEvent(CONTENT, before + orjson.dumps(text) + after) for text in texts]


def chunk_shape(frame: dict[str, Any], include_usage: bool, alternatives: int | None = None) -> ChunkShape:
    """The shape of a chat stream whose events share a frame of fields."""
    usage_field = b',"usage":null' if include_usage else b""
    before, after = b'data: %b,"choices":[{"index":' % orjson.dumps(frame)[:-1], b"}]%b}\n\n" % usage_field
    return ChunkShape(before, after, alternatives)


def streamed(frame: dict[str, Any], events: Iterable[StreamEvent], spent: dict[str, Any], asked: Asked) -> Answer:
    """A stream of those events, the usage if it was asked for, and the end mark."""
    ending = [event(USAGE, frame | {"choices": [], "usage": spent})] if asked.include_usage else []
    ending.append(StreamEvent(DONE, b"data: [DONE]\n\n"))
    return Answer(
        events=(*events, *ending),
        media_type=STREAM_TYPE,
        input_tokens=spent["prompt_tokens"],
        output_tokens=spent["completion_tokens"],
    )


def chat_frame(model: str, around: Surroundings, name: str) -> dict[str, Any]:
    """The fields that every chat answer begins with; `name` is the object's."""
    return {
        "id": f"chatcmpl-{around.unique}",
        "object": name,
        "created": around.now_unix,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def start(shape: ChunkShape, index: int) -> StreamEvent:
    """The event that opens a choice of a chat: its role, no content."""
    return shape.delta(START, index, b'{"role":"assistant","content":"","refusal":null}')


def finish(shape: ChunkShape, index: int, why: str) -> StreamEvent:
    """The event that closes a choice of a chat."""
    return shape.delta(FINISH, index, b"{}", orjson.dumps(why))
