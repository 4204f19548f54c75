"""Requests and answers made to do harm: they cost no more than their size, and end in a failure, never in a fault."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Delta, End, Usage, Vector
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Document, Image, Message, Prompt, Text, ToolCall, ToolResult
from oneflow_ai.dialects import anthropic, openai, responses
from oneflow_ai.providers.anthropic_stream import DELTAS_HELD_MOST, StreamDecoder
from oneflow_ai.providers.base import numbers_of
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_stream import text_decoder as gemini_text_decoder
from oneflow_ai.providers.openai_responses_stream import StreamDecoder as ResponsesDecoder
from oneflow_ai.providers.openai_stream import text_decoder
from tests.wire.messages import message_call
from tests.wire.own_prompts import PNG, call_with
from tests.wire.replies import response_call
from tests.wire.requests import envelope, target_of

# Four times as much may take four times as long, and twice that on a machine with other things to do; a square is 16.
TIMES, LONGER_MOST = 4, 9.0
SMALL = 1_500
TARGETS = {
    "openai": target_of("openai"),
    "responses": target_of("openai", model="gpt-5.5-pro"),
    "anthropic": target_of("anthropic", model="claude-sonnet-5-5"),
    "gemini": target_of("gemini", model="gemini-3.8-flash"),
    "bedrock": target_of("bedrock", model="anthropic.claude-sonnet-5-5"),
}
CALLED = (Message("user", (Text("Hi"),)), Message("assistant", (ToolCall("call_1", "look", "{}"),)))
LONG: dict[str, Callable[[int], Prompt]] = {
    "messages": lambda number: Prompt((Message("user", (Text("a"),)),) * number),
    "parts": lambda number: Prompt((Message("user", (Text("a"),) * number),)),
    "documents": lambda number: Prompt(
        (Message("user", (Document(data="aGk=", media_type="application/pdf"),) * number),)
    ),
    "results": lambda number: Prompt(
        (*CALLED, Message("user", (ToolResult("call_1", (Image(data=PNG, media_type="image/png"),) * number),)))
    ),
}


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    """Without the collector, whose time grows with all that the tests before have left."""
    gc.disable()
    yield
    gc.enable()


def seconds_for(prompt: Prompt, kind: str) -> float:
    call, target, best = call_with(prompt), TARGETS[kind], float("inf")
    for _ in range(3):
        began = time.thread_time()
        target.adapter.request(replace(call, wire=""), target)
        best = min(best, time.thread_time() - began)
    return best


@pytest.mark.parametrize("what", LONG)
@pytest.mark.parametrize("kind", TARGETS)
def test_a_long_request_is_written_in_a_time_that_grows_as_it_does(kind: str, what: str) -> None:
    short, long = (seconds_for(LONG[what](number), kind) for number in (SMALL, SMALL * TIMES))
    assert long < max(short, 0.002) * LONGER_MOST


def answered(parse: Callable[[bytes, Any], Call], operation: Operation, **body: Any) -> Call | Failure:
    try:
        return parse(orjson.dumps({"model": "text", "max_tokens": 9, **body}), envelope(operation))
    except Failure as failure:
        return failure


@pytest.mark.parametrize(
    "part",
    [
        {"type": "tool_result", "content": [1]},
        {"type": "image", "source": {"data": 5}},
        {"type": "image", "source": {"type": "file", "data": 5, "file_id": "f"}},
        {"type": "image_url", "image_url": 7},
        {"type": "input_audio", "input_audio": [1]},
        {"type": "file", "file": 3},
        {"type": "document", "source": {"type": "url", "url": 1}},
        {"type": "input_image", "image_url": [1], "file_id": {}},
        {"type": "input_file", "file_url": None, "file_data": None, "file_id": 5},
        {"type": "input_file", "filename": 7, "file_data": "x"},
        {"type": "input_audio", "input_audio": 7},
        {"type": "input_text", "text": "x", "prompt_cache_breakpoint": [1], "cache_control": 5},
    ],
)
def test_a_part_of_any_shape_is_taken_or_refused(part: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": [part]}]
    for parse, operation in (
        (openai.parse, Operation.CHAT),
        (anthropic.parse, Operation.CHAT),
        (anthropic.parse, Operation.COUNT_TOKENS),
    ):
        found = answered(parse, operation, messages=messages)
        assert isinstance(found, Call) or found.status == 400
    for item in (*messages, part, {"type": "function_call_output", "call_id": "call_1", "output": [part]}):
        for operation in (Operation.CHAT, Operation.COUNT_TOKENS):
            found = answered(responses.parse, operation, input=[item])
            assert is_read_or_refused(found)


def is_read_or_refused(found: Call | Failure) -> bool:
    try:
        return (
            bool(found.prompt().messages or found.prompt().further) if isinstance(found, Call) else found.status == 400
        )
    except Failure as failure:
        return failure.status == 400


ITEM_FIELDS = (
    "type",
    "role",
    "content",
    "call_id",
    "name",
    "arguments",
    "output",
    "summary",
    "encrypted_content",
    "id",
)
ODD_VALUES: list[Any] = [
    None,
    5,
    "x",
    True,
    [],
    {},
    [1],
    [[]],
    [{}],
    [{"type": 1}],
    [{"type": "summary_text"}],
    "of:a:call:[",
]


@pytest.mark.parametrize(
    "kind", ["message", "function_call", "function_call_output", "reasoning", "item_reference", "new"]
)
def test_an_item_of_any_shape_is_taken_or_refused(kind: str) -> None:
    good = {"type": kind, "role": "user", "content": "x", "call_id": "c", "name": "n", "arguments": "{}", "output": "x"}
    for field in ITEM_FIELDS:
        for odd in ODD_VALUES:
            for more in ({}, {"previous_response_id": "resp_1"}):
                assert is_read_or_refused(
                    answered(responses.parse, Operation.CHAT, input=[{**good, field: odd}], **more)
                )


OPTIONS = (
    "instructions", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "user", "safety_identifier",
    "service_tier", "truncation", "top_logprobs", "parallel_tool_calls", "prompt_cache_key", "conversation", "prompt",
)  # fmt: skip


@pytest.mark.parametrize("field", OPTIONS)
def test_an_option_of_any_shape_is_taken_or_refused(field: str) -> None:
    more: list[Any] = [{"type": []}, {"type": "allowed_tools", "tools": [5]}, {"format": {"type": []}}, {"effort": []}]
    more += [
        {"summary": [1]},
        {"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": 5}},
        [{"type": "function"}],
    ]
    more += [{"context": [1], "mode": {}}, [{"type": "function", "name": []}], [{"type": []}], 1 << 70]
    for odd in [*ODD_VALUES, *more]:
        try:
            found = answered(responses.parse, Operation.CHAT, input="Hi", **{field: odd})
        except (TypeError, orjson.JSONEncodeError):
            continue
        assert is_read_or_refused(found), odd
        if isinstance(found, Call):
            responses.encoder(found, TARGETS["anthropic"]).end(End("stop"), Usage(), 0)


@pytest.mark.parametrize("dialect", ["responses"])
def test_a_long_input_is_read_in_a_time_that_grows_as_it_does(dialect: str) -> None:
    del dialect
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": 'of:gemini:call:["c","s"]'}
    shapes: dict[str, Callable[[int], list[Any]]] = {
        "messages": lambda number: [{"role": "user", "content": "a"}] * number,
        "turns": lambda number: [{"role": "assistant", "content": "a"}] * number,
        "parts": lambda number: [{"role": "user", "content": [{"type": "input_text", "text": "a"}] * number}],
        "seals": lambda number: [thought] * number,
        "calls": lambda number: [
            each
            for place in range(number)
            for each in (
                {"type": "function_call", "call_id": f"c{place}", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": f"c{place}", "output": "x"},
            )
        ],
    }
    for name, shape in shapes.items():
        taken = []
        for number in (SMALL, SMALL * TIMES):
            given, best = {"input": shape(number)}, float("inf")
            for _ in range(3):
                began = time.thread_time()
                response_call(**given).prompt()
                best = min(best, time.thread_time() - began)
            taken.append(best)
        assert taken[1] < max(taken[0], 0.002) * LONGER_MOST, name


@pytest.mark.parametrize("kind", ["text", "reasoning", "tool_call", "citation", "tool_signature"])
def test_a_long_answer_is_written_in_a_time_that_grows_as_it_does(kind: str) -> None:
    def seconds(number: int) -> float:
        writer = responses.encoder(response_call(stream=True), TARGETS["gemini"])
        text = '{"url":"https://a.example"}' if kind == "citation" else "word"
        deltas = [
            Delta(kind, text, 0, place if kind == "tool_call" else 0, f"c{place}", "gemini") for place in range(number)
        ]
        began = time.thread_time()
        for delta in [Delta("tool_call", "f", 0, 0, "c"), *deltas]:
            writer.feed(delta)
        writer.end(End("stop"), Usage(), 0)
        return time.thread_time() - began

    short, long = (min(seconds(number) for _ in range(3)) for number in (SMALL, SMALL * TIMES))
    assert long < max(short, 0.002) * LONGER_MOST


def test_a_response_too_deep_to_be_told_again_still_fails_in_its_shape() -> None:
    deep = "[" * 500 + "]" * 500
    created = f'data: {{"type":"response.created","sequence_number":0,"response":{{"id":"r","x":{deep}}}}}\n\n'.encode()
    said = b'data: {"type":"response.output_text.delta","delta":"Hi","sequence_number":7}\n\n'
    decoder, writer = ResponsesDecoder(raw=True), responses.encoder(response_call(stream=True), TARGETS["openai"])
    for event in decoder.feed(created + said):
        writer.feed(event)
    (end,) = decoder.close()
    assert isinstance(end, End) and end.failure is not None
    told = writer.failure(end.failure)
    assert b'"sequence_number":8' in told and b'"sequence_number":9' in told
    ended = f'data: {{"type":"response.completed","response":{{"id":"r","x":{deep}}}}}\n\n'.encode()
    (*_, end) = ResponsesDecoder(raw=True).feed(created + ended)
    assert isinstance(end, End) and end.failure is not None


@pytest.mark.parametrize("depth", range(236, 256))
def test_log_probabilities_of_any_depth_are_told_in_a_response(depth: int) -> None:
    for stream in (True, False):
        writer = responses.encoder(response_call(stream=stream), TARGETS["openai"])
        written = writer.feed(Delta("text", "Hi")) + writer.feed(Delta("logprobs", "[" * depth + "]" * depth))
        assert written + writer.end(End("stop"), Usage(1, 1), 0)


@pytest.mark.parametrize(
    "odd",
    [{"stop_sequences": 5}, {"metadata": "x"}, {"service_tier": [1]}, {"temperature": "hot"}, {"max_tokens": "many"}],
)
def test_a_count_of_tokens_is_checked_as_a_message_is(odd: dict[str, Any]) -> None:
    hi = [{"role": "user", "content": "Hi"}]
    found = answered(anthropic.parse, Operation.COUNT_TOKENS, **{"messages": hi, **odd})
    assert isinstance(found, Failure) and found.status == 400


def test_a_forged_seal_that_is_nested_too_deep_is_the_clients_mistake() -> None:
    seal = 'of:openai:{"a":' + "[" * 300 + "]" * 300 + "}"
    thought = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": seal}]}
    hi = {"role": "user", "content": "Hi"}
    target = target_of("openrouter")
    with pytest.raises(Failure) as caught:
        target.adapter.request(message_call(messages=[hi, thought, hi]), target)
    assert caught.value.code == "too_deep"


@pytest.mark.parametrize("depth", range(244, 256))
def test_arguments_of_any_depth_are_told_in_a_message(depth: int) -> None:
    arguments = '{"a":' + "[" * depth + "]" * depth + "}"
    encoder = anthropic.encoder(message_call(), TARGETS["openai"])
    encoder.feed(Delta("tool_call", "look", tool_id="call_1"))
    encoder.feed(Delta("tool_arguments", arguments))
    content = encoder.end(End("tool_calls"), Usage(1, 1), 0)
    assert orjson.loads(content)["content"][0]["type"] == "tool_use"


def test_a_citation_of_the_wrong_types_is_none() -> None:
    deep: Any = "x"
    for _ in range(240):
        deep = [deep]
    told = {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": deep, "start_index": "7"}}
    message = {"role": "assistant", "content": "Hi", "annotations": [told]}
    body = orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    decoder = text_decoder(stream=False, raw=False, include_usage=False)
    decoder.feed(body)
    assert Delta("citation", '{"url":"https://example.com"}') in decoder.close()


def test_of_a_broken_whole_answer_nothing_is_given_but_what_it_cost() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    message = {"role": "assistant", "content": "Hel"}
    broken = {"choices": [{"index": 0, "message": message, "finish_reason": "error"}], "usage": usage}
    decoder = text_decoder(stream=False, raw=False, include_usage=False)
    decoder.feed(orjson.dumps(broken))
    assert [type(event) for event in decoder.close()] == [Usage, End]
    gemini = gemini_text_decoder(Answer("req_1"))
    candidate = {"content": {"parts": [{"text": "Hel"}]}, "finishReason": "MALFORMED_FUNCTION_CALL"}
    gemini.feed(orjson.dumps({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 5}}))
    (*_, end) = found = gemini.close()
    assert isinstance(end, End) and end.failure is not None
    assert not any(isinstance(event, Delta) for event in found)


@pytest.mark.parametrize("value", [1e39, -1e39, float("nan"), float("inf"), True, "1", None])
def test_a_number_that_no_vector_can_hold_is_none(value: Any) -> None:
    assert numbers_of([0.5, value]) is None


def test_the_largest_numbers_of_a_vector_are_told_in_base64() -> None:
    numbers = numbers_of([3.4028234663852886e38, -3.4028234663852886e38, 0, 7])
    assert numbers is not None
    asked = openai.parse(b'{"model":"e","input":"a","encoding_format":"base64"}', envelope(Operation.EMBEDDING))
    encoder = openai.encoder(asked, TARGETS["gemini"])
    encoder.feed(Vector(0, numbers))
    assert orjson.loads(encoder.end(End(), Usage(1), 0))["data"][0]["embedding"]


def test_a_message_that_ends_again_and_again_is_broken() -> None:
    decoder = StreamDecoder(raw=True)
    events = [
        b'data: {"type":"message_delta","delta":{"k%d":1}}\n\n' % number for number in range(DELTAS_HELD_MOST + 1)
    ]
    found = decoder.feed(b"".join(events))
    assert isinstance(found[-1], End) and found[-1].failure is not None
    assert decoder.feed(events[0]) == []


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        '"response.output_text.delta","delta":"word","output_index":0',
        '"response.output_text.annotation.added","annotation":{"url":"https://a.example"}',
        '"response.output_item.added","output_index":%d,"item":{"type":"function_call","name":"f","call_id":"c"}',
        '"response.in_progress","response":{"id":"r"}',
    ],
)
def test_a_long_stream_of_responses_is_read_in_a_time_that_grows_as_it_does(event: str, raw: bool) -> None:
    def seconds(number: int) -> float:
        told = [f'data: {{"type":{event.replace("%d", str(place))}}}\n\n'.encode() for place in range(number)]
        decoder = ResponsesDecoder(raw=raw)
        began = time.thread_time()
        for piece in told:
            decoder.feed(piece)
        decoder.close()
        return time.thread_time() - began

    short, long = (min(seconds(number) for _ in range(3)) for number in (SMALL, SMALL * TIMES))
    assert long < max(short, 0.002) * LONGER_MOST
