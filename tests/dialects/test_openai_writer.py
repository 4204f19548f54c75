"""Answers of other wires as OpenAI's clients get them, chunk by chunk and whole: to the letter, and valid to them."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from oneflow_ai.core.events import Delta, End, Event, Usage
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.dialects.openai import encoder
from oneflow_ai.dialects.openai_writer import DONE
from tests.wire.requests import MODEL, call_of, target_of

ASKED = {"model": "text", "messages": [{"role": "user", "content": "hi"}]}
USAGE = Usage(20, 30, cached_tokens=5, cache_write_tokens=2, reasoning_tokens=7, service_tier="flex")
NOTHING = {"logprobs": None, "finish_reason": None}
CREATED = 1_795_478_400
FRAME = {"id": "chatcmpl-req_1", "created": CREATED, "model": MODEL}
TOLD = {
    "prompt_tokens": 20,
    "completion_tokens": 30,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 0},
}
STOP = End("stop")
ROLE = {"role": "assistant", "content": ""}
TOOLS = (
    Delta("tool_call", "f", tool_index=3, tool_id="toolu_1"),
    Delta("tool_arguments", '{"a"', tool_index=3),
    Delta("tool_call", "g", tool_index=5),
    Delta("tool_signature", "s", tool_index=5, wire="gemini"),
    Delta("tool_arguments", ":1}", tool_index=3),
)
THOUGHTS = (
    Delta("reasoning", "Hm"),
    Delta("reasoning", "!"),
    Delta("signature", "s", wire="anthropic"),
    Delta("sealed", "dark", wire="anthropic"),
    Delta("reasoning", "So"),
)
SEALED = {"extra_content": {"google": {"thought_signature": "of:gemini:s"}}}


def streamed(
    *events: Event, end: End = STOP, usage: Usage = USAGE, cost_nanos: int = 0, **fields: Any
) -> list[dict[str, Any]]:
    """The chunks of a stream that these events make; it asserts that it ends with the mark, and that they are valid."""
    call = call_of({**ASKED, "stream": True, **fields})
    writer = encoder(call, target_of("openai"))
    content = b"".join(map(writer.feed, events)) + writer.end(end, usage, cost_nanos)
    assert content.endswith(DONE)
    blocks = content.removesuffix(DONE).split(b"\n\n")
    assert blocks.pop() == b""
    chunks = [json.loads(block.removeprefix(b"data: ")) for block in blocks]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
        assert {name: chunk[name] for name in FRAME} == {**FRAME}
    return chunks


def choices(*events: Event, end: End = STOP, **fields: Any) -> list[dict[str, Any]]:
    """The choices that chunks bring, without what says nothing."""
    found = [chunk["choices"][0] for chunk in streamed(*events, end=end, **fields)]
    return [{name: value for name, value in choice.items() if value not in (None, 0)} for choice in found]


def whole(*events: Event, end: End = STOP, usage: Usage = USAGE, **fields: Any) -> dict[str, Any]:
    """The whole answer that these events make; it asserts that it is valid."""
    writer = encoder(call_of({**ASKED, **fields}), target_of("openai"))
    assert b"".join(map(writer.feed, events)) == b""
    found: dict[str, Any] = json.loads(writer.end(end, usage, 0))
    ChatCompletion.model_validate(found)
    return found


def message(*events: Event, end: End = STOP, **fields: Any) -> dict[str, Any]:
    (choice,) = whole(*events, end=end, **fields)["choices"]
    return {name: value for name, value in choice["message"].items() if value not in (None, [])}


def test_a_text_stream() -> None:
    assert streamed(Delta("text", "He"), Delta("text", "llo")) == [
        {
            "id": "chatcmpl-req_1",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
        }
        for delta, reason in [(ROLE, None), ({"content": "He"}, None), ({"content": "llo"}, None), ({}, "stop")]
    ]


def test_a_whole_text() -> None:
    assert whole(Delta("text", "He"), Delta("text", "llo"), end=End("length", model="m-1")) == {
        "id": "chatcmpl-req_1",
        "object": "chat.completion",
        "created": CREATED,
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": TOLD,
        "service_tier": "flex",
    }


def test_usage_is_told_in_a_stream_where_it_was_asked_for() -> None:
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}}
    chunks = streamed(Delta("text", "a"), cost_nanos=1_234_000, **asked)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None, None, None]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {**TOLD, "cost": 0.001234}
    assert chunks[-1]["service_tier"] == "flex"
    assert all("usage" not in chunk for chunk in streamed(Delta("text", "a")))


def test_a_tier_that_the_wire_does_not_know_is_not_told() -> None:
    assert "service_tier" not in whole(usage=replace(USAGE, service_tier="standard"))
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}}
    assert "service_tier" not in streamed(usage=replace(USAGE, service_tier=None), **asked)[-1]


def test_tool_calls_stream_in_their_order_with_ids() -> None:
    assert choices(*TOOLS, end=End("tool_calls")) == [
        {"delta": ROLE},
        {
            "delta": {
                "tool_calls": [
                    {"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
            }
        },
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}},
        {
            "delta": {
                "tool_calls": [
                    {"index": 1, "id": "call_req_1_0_1", "type": "function", "function": {"name": "g", "arguments": ""}}
                ]
            }
        },
        {"delta": {"tool_calls": [{"index": 1, "function": {"arguments": ""}, **SEALED}]}},
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}},
        {"delta": {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}},
        {"delta": {}, "finish_reason": "tool_calls"},
    ]


def test_tool_calls_whole() -> None:
    assert message(*TOOLS, end=End("tool_calls")) == {
        "role": "assistant",
        "tool_calls": [
            {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
            {"id": "call_req_1_0_1", "type": "function", "function": {"name": "g", "arguments": "{}"}, **SEALED},
        ],
    }


def test_thoughts_stream_with_their_seals_wrapped() -> None:
    def detail(index: int, **fields: Any) -> dict[str, Any]:
        return {"type": "reasoning.text", **fields, "index": index}

    assert [choice["delta"] for choice in choices(*THOUGHTS)][1:-1] == [
        {"reasoning_content": "Hm", "reasoning_details": [detail(0, text="Hm")]},
        {"reasoning_content": "!", "reasoning_details": [detail(0, text="!")]},
        {"reasoning_details": [detail(0, signature="of:anthropic:s")]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "of:anthropic:dark", "index": 1}]},
        {"reasoning_content": "So", "reasoning_details": [detail(2, text="So")]},
    ]


def test_thoughts_whole() -> None:
    found = message(*THOUGHTS, Delta("text", "a"))
    assert found == {
        "role": "assistant",
        "content": "a",
        "reasoning_content": "Hm!So",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm!", "signature": "of:anthropic:s", "index": 0},
            {"type": "reasoning.encrypted", "data": "of:anthropic:dark", "index": 1},
            {"type": "reasoning.text", "text": "So", "index": 2},
        ],
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": {"exclude": True}},
        {"include_reasoning": False},
        {"thinking": {"type": "enabled", "display": "omitted"}},
    ],
)
def test_thoughts_are_not_shown_to_whom_asked_for_none(fields: dict[str, Any]) -> None:
    assert [choice["delta"] for choice in choices(*THOUGHTS, **fields)] == [ROLE, {}]
    assert message(*THOUGHTS, Delta("text", "a"), **fields) == {"role": "assistant", "content": "a"}


def test_citations_have_places_in_what_was_said() -> None:
    cited = json.dumps({"url": "https://a", "title": "A", "start": 0, "end": 2})
    quoted = json.dumps({"title": "B", "text": "quoted"})
    found = choices(Delta("text", "He"), Delta("citation", cited), Delta("text", "llo"), Delta("citation", quoted))
    one = {"url": "https://a", "title": "A", "start_index": 0, "end_index": 2}
    other = {"url": "", "title": "B", "start_index": 5, "end_index": 5, "content": "quoted"}
    told = [choice["delta"]["annotations"] for choice in (found[2], found[4])]
    assert told == [
        [{"index": 0, "type": "url_citation", "url_citation": one}],
        [{"index": 1, "type": "url_citation", "url_citation": other}],
    ]
    said = message(Delta("text", "Hello"), Delta("citation", cited), Delta("citation", quoted))["annotations"]
    assert said == [{"type": "url_citation", "url_citation": cited} for cited in (one, other)]


def test_log_probabilities() -> None:
    tokens = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]
    told = {"content": tokens, "refusal": None}
    found = choices(Delta("text", "a"), Delta("logprobs", json.dumps(tokens)))
    assert found[2] == {"delta": {}, "logprobs": told}
    twice = whole(Delta("logprobs", json.dumps(tokens)), Delta("logprobs", json.dumps(tokens)))
    assert twice["choices"][0]["logprobs"]["content"] == tokens * 2


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("content_filter", "content_filter"),
        ("refusal", "content_filter"),
        ("pause", "stop"),
        ("context_length", "length"),
        (None, "stop"),
    ],
)
def test_finish_reasons(reason: str | None, word: str) -> None:
    assert whole(Delta("text", "a"), end=End(reason))["choices"][0]["finish_reason"] == word
    assert choices(Delta("text", "a"), end=End(reason))[-1]["finish_reason"] == word


def test_a_refusal_in_words_is_a_stop() -> None:
    refusal = Delta("refusal", "No.")
    assert message(refusal, end=End("refusal")) == {"role": "assistant", "refusal": "No."}
    assert whole(refusal, end=End("refusal"))["choices"][0]["finish_reason"] == "stop"
    assert choices(refusal, end=End("refusal"))[1:] == [
        {"delta": {"refusal": "No."}},
        {"delta": {}, "finish_reason": "stop"},
    ]


def test_choices_each_have_their_own() -> None:
    deltas = Delta("text", "a", 1), Delta("text", "b", 0), Delta("text", "c", 1)
    found = whole(*deltas)["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in found] == [(0, "b"), (1, "ac")]
    streams = [(chunk["choices"][0]["index"], chunk["choices"][0]["finish_reason"]) for chunk in streamed(*deltas)]
    assert streams == [(1, None), (1, None), (0, None), (0, None), (1, None), (0, "stop"), (1, "stop")]


def test_an_answer_of_nothing_is_an_answer() -> None:
    assert message() == {"role": "assistant", "content": ""}
    assert choices() == [{"delta": ROLE}, {"delta": {}, "finish_reason": "stop"}]


def test_what_belongs_to_no_tool_call_is_left() -> None:
    assert choices(Delta("tool_arguments", "{}"), Delta("tool_signature", "s", wire="x")) == [
        {"delta": ROLE},
        {"delta": {}, "finish_reason": "stop"},
    ]


def test_a_broken_stream_ends_with_an_error_and_no_mark() -> None:
    writer = encoder(call_of({**ASKED, "stream": True}), target_of("openai"))
    writer.feed(Delta("text", "a"))
    content = writer.failure(Failure(UPSTREAM_STREAM_INTERRUPTED, "cut"))
    assert orjson.loads(content.removeprefix(b"data: "))["error"]["code"] == "upstream_stream_interrupted"
    assert b"[DONE]" not in content
