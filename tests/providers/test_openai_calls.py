"""What tells a call that was cut from one that is whole, where a server of OpenAI's wire tells no finish reason."""

import json
from typing import Any

import pytest

from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED
from oneflow_ai.providers.openai_calls import CHARACTERS_MOST
from oneflow_ai.providers.openai_stream import text_decoder
from oneflow_ai.providers.sse import EVENT_BYTES_MOST

RAW = pytest.mark.parametrize("raw", [True, False])
CUT = '{"path": "/srv'
USED = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
Piece = dict[str, Any]


def piece(arguments: Any, name: str = "", id: str = "", index: int | None = 0) -> Piece:
    """A piece of a call."""
    found: Piece = {"function": {"arguments": arguments, **({"name": name} if name else {})}}
    return found | ({"id": id} if id else {}) | ({} if index is None else {"index": index})


def streamed(*deltas: Piece, raw: bool, reason: str | None = None) -> list[Event]:
    """The events of a stream of these deltas, of one choice, that ends with the mark of the end."""
    chunks: list[Piece] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks += [{"index": 0, "delta": {}, "finish_reason": reason}] if reason else []
    events = [json.dumps({"id": "x", "choices": [chunk]}) for chunk in chunks]
    events += [json.dumps({"id": "x", "choices": [], "usage": USED}), "[DONE]"]
    decoder = text_decoder(stream=True, raw=raw, include_usage=True)
    found = [event for told in events for event in decoder.feed(f"data: {told}\n\n".encode())]
    return [*found, *decoder.close()]


def whole(message: Piece, *, raw: bool, reason: str | None = None) -> list[Event]:
    """The events of a whole answer of one choice."""
    body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": USED}
    decoder = text_decoder(stream=False, raw=raw, include_usage=True)
    return [*decoder.feed(json.dumps(body).encode()), *decoder.close()]


def is_cut(events: list[Event]) -> bool:
    """Whether an answer ended as one that was cut."""
    end = events[-1]
    assert isinstance(end, End)
    assert end.failure is None or end.failure.kind is UPSTREAM_STREAM_INTERRUPTED
    return end.failure is not None


@RAW
def test_a_call_without_its_end_is_cut_whatever_mark_of_the_end_follows(raw: bool) -> None:
    events = streamed({"content": "I'll delete"}, {"tool_calls": [piece(CUT, "rm", "a")]}, raw=raw)
    assert is_cut(events)
    assert isinstance(events[0], Raw if raw else Delta)
    (usage,) = [event for event in events if isinstance(event, Usage)]
    assert (usage.output_tokens, usage.source) == (2, "provider_partial")


CALLS: dict[str, tuple[bool, list[Piece]]] = {
    "whole": (False, [{"tool_calls": [piece(CUT, "rm", "a")]}, {"tool_calls": [piece('"}')]}]),
    "without arguments": (True, [{"tool_calls": [piece("", "rm", "a")]}]),
    "an object": (False, [{"tool_calls": [piece({"path": "/srv"}, "rm", "a")]}]),
    "the first of two": (True, [{"tool_calls": [piece(CUT, "rm", "a"), piece("{}", "ls", "b", 1)]}]),
    "two at one place": (False, [{"tool_calls": [piece("{}", "rm", "a")]}, {"tool_calls": [piece("{}", "ls", "b")]}]),
    "no place": (True, [{"tool_calls": [piece("{}", "rm", "a", None)]}, {"tool_calls": [piece("{", "ls", "b", None)]}]),
    "the wire of old": (True, [{"function_call": {"name": "rm", "arguments": CUT}}]),
    "text alone": (False, [{"content": "I'll"}]),
    "free text": (False, [{"tool_calls": [{"index": 0, "id": "a", "custom": {"name": "rm", "input": "/srv"}}]}]),
    "odd": (False, [{"tool_calls": [None, 7, {"function": None}]}, {"tool_calls": "x"}, {"function_call": 1}]),
}  # fmt: skip


@RAW
@pytest.mark.parametrize("name", CALLS)
def test_a_server_that_tells_no_finish_reason_is_believed_where_its_calls_are_whole(name: str, raw: bool) -> None:
    cut, deltas = CALLS[name]
    assert is_cut(streamed(*deltas, raw=raw)) is cut


@RAW
def test_what_a_model_wrote_is_its_own_where_a_finish_reason_is_told(raw: bool) -> None:
    calls = {"tool_calls": [piece(CUT, "rm", "a")]}
    assert not is_cut(streamed(calls, raw=raw, reason="tool_calls"))
    assert not is_cut(whole(calls, raw=raw, reason="length"))


@RAW
def test_a_whole_answer_with_half_a_call_is_cut_and_none_of_it_is_given(raw: bool) -> None:
    events = whole({"content": "I'll", "tool_calls": [piece(CUT, "rm", "a", None)]}, raw=raw)
    assert is_cut(events)
    assert not any(isinstance(event, Raw | Delta) for event in events)
    assert not is_cut(whole({"tool_calls": [piece("{}", "rm", "a", None)] * 2}, raw=raw))
    assert not is_cut(whole({"content": "I'll"}, raw=raw))


@RAW
def test_more_arguments_than_are_kept_are_taken_for_cut(raw: bool) -> None:
    sizes = [EVENT_BYTES_MOST // 2] * (2 * CHARACTERS_MOST // EVENT_BYTES_MOST)
    begun = {"tool_calls": [piece('{"a":"', "rm", "a")]}
    long = [begun, *({"tool_calls": [piece("x" * size)]} for size in sizes), {"tool_calls": [piece('"}')]}]
    assert not is_cut(streamed(*long[:2], long[-1], raw=raw))
    assert is_cut(streamed(*long, raw=raw))
    assert not is_cut(streamed(*long, raw=raw, reason="tool_calls"))
