"""What clients of Anthropic's dialect are told: events and messages made of the middle form, errors, models."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Raw, Usage
from oneflow_ai.core.failure import KINDS, Failure
from oneflow_ai.core.fold import Choice, Fold
from oneflow_ai.core.listing import Shown
from oneflow_ai.dialects.anthropic import encoder, failure_body, model_body, models_body
from oneflow_ai.providers.anthropic_stream import decoder_of
from tests.wire.messages import message_call
from tests.wire.requests import target_of

USAGE = Usage(
    input_tokens=117,
    output_tokens=9,
    cached_tokens=100,
    cache_write_tokens=7,
    cache_write_1h_tokens=4,
    reasoning_tokens=2,
    web_searches=1,
)
TOLD = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 9,
    "output_tokens_details": {"thinking_tokens": 2},
    "service_tier": "standard",
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
}


def written(*deltas: Delta, end: End = End("stop"), stream: bool = True, cost_nanos: int = 1_234_000) -> bytes:  # noqa: B008 - a value that nobody changes
    """The answer that these pieces become."""
    writer = encoder(message_call(stream=stream, thinking={"type": "adaptive"}), target_of("openai"))
    return b"".join(map(writer.feed, deltas)) + writer.end(end, USAGE, cost_nanos)


def events(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each bears its type as its name."""
    found = []
    for block in body.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_stream_has_its_frame() -> None:
    found = events(written(Delta("text", "Hi"), Delta("text", " there")))
    assert found == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "gpt-6-luna",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": found[0]["message"]["usage"],
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " there"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {**TOLD, "cost": 0.001234},
        },
        {"type": "message_stop"},
    ]
    assert found[0]["message"]["usage"]["input_tokens"] == 0


def test_an_answer_of_nothing_has_its_frame_all_the_same() -> None:
    assert [event["type"] for event in events(written())] == ["message_start", "message_delta", "message_stop"]


def test_a_whole_answer_is_a_message() -> None:
    body = written(
        Delta("reasoning", "hm"), Delta("signature", "s", wire="gemini"), Delta("text", "Hi"),
        Delta("tool_call", "f", tool_id="call_1"), Delta("tool_arguments", '{"a":'), Delta("tool_arguments", "1}"),
        Delta("tool_signature", "t", wire="gemini"), Delta("tool_call", "g", 0, 1), Delta("text", "!"),
        end=End("tool_calls"), stream=False,
    )  # fmt: skip
    assert json.loads(body) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-6-luna",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "of:gemini:s"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
            {"type": "redacted_thinking", "data": "tool-of:gemini:t"},
            {"type": "tool_use", "id": "call_1", "name": "g", "input": {}},
            {"type": "text", "text": "!"},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": TOLD,
    }


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("refusal", "refusal"),
        ("pause", "pause_turn"),
        ("context_length", "model_context_window_exceeded"),
        (None, "end_turn"),
        ("new", "end_turn"),
    ],
)
def test_an_end_has_this_wires_word(reason: str | None, told: str) -> None:
    assert events(written(end=End(reason)))[-2]["delta"]["stop_reason"] == told
    assert json.loads(written(end=End(reason), stream=False))["stop_reason"] == told


def test_a_stop_sequence_is_told() -> None:
    found = events(written(end=End("stop", stop_sequence="###")))[-2]["delta"]
    assert found == {"stop_reason": "stop_sequence", "stop_sequence": "###"}


def test_an_answer_that_calls_a_tool_says_so_whatever_its_end() -> None:
    for end in (End("stop"), End(None)):
        assert events(written(Delta("tool_call", "f"), end=end))[-2]["delta"]["stop_reason"] == "tool_use"
    assert events(written(Delta("tool_call", "f"), end=End("length")))[-2]["delta"]["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("arguments", ["[1]", "{", "null", '{"a":' * 300 + "1" + "}" * 300])
def test_arguments_that_are_no_object_are_quoted(arguments: str) -> None:
    body = json.loads(written(Delta("tool_call", "f"), Delta("tool_arguments", arguments), stream=False))
    assert body["content"][0]["input"] == {"arguments": arguments}


def test_one_block_is_open_at_a_time() -> None:
    open_blocks: list[int] = []
    pieces = (
        Delta("reasoning", "a"), Delta("text", "b"), Delta("reasoning", ""), Delta("sealed", "x", wire="anthropic"),
        Delta("tool_call", "f", 0, 0, "1"), Delta("tool_call", "g", 0, 1, "2"), Delta("citation", "{}"),
        Delta("signature", "s"), Delta("refusal", "no"), Delta("logprobs", "[]"), Delta("text", "other choice", 1),
    )  # fmt: skip
    places = []
    for event in events(written(*pieces)):
        if event["type"] == "content_block_start":
            assert open_blocks == []
            open_blocks.append(event["index"])
            places.append(event["index"])
        elif event["type"] == "content_block_delta":
            assert open_blocks == [event["index"]]
        elif event["type"] == "content_block_stop":
            assert open_blocks.pop() == event["index"]
    assert open_blocks == []
    assert places == list(range(len(places)))


def test_late_arguments_reach_their_call() -> None:
    body = written(
        Delta("tool_call", "f", 0, 0, "1"), Delta("tool_call", "g", 0, 1, "2"),
        Delta("tool_arguments", '{"a":1}', 0, 0), Delta("tool_arguments", "{}", 0, 1), stream=False,
    )  # fmt: skip
    assert [block["input"] for block in json.loads(body)["content"]] == [{"a": 1}, {}]


def test_a_citation_becomes_a_place() -> None:
    web = Delta("citation", '{"url":"https://a","title":"T","text":"q","start":0,"end":2}')
    found = json.loads(written(Delta("text", "Hi"), web, Delta("citation", "junk"), stream=False))["content"][0]
    assert found["citations"][0] == {
        "type": "web_search_result_location",
        "cited_text": "q",
        "url": "https://a",
        "title": "T",
        "encrypted_index": "",
    }
    assert found["citations"][1]["type"] == "char_location"


def test_bytes_of_the_same_wire_pass_and_the_last_two_events_follow() -> None:
    held = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}, "x": [1]}
    writer = encoder(message_call(stream=True), target_of("openai"))
    assert writer.feed(Raw(b"event: a\ndata: b\n\n", 1)) == b"event: a\ndata: b\n\n"
    found = events(writer.end(End("end_turn", chunk=held), Usage(3, 9), 2_000_000_000))
    assert found == [{**held, "usage": {"output_tokens": 9, "cost": 2.0}}, {"type": "message_stop"}]
    whole = encoder(message_call(), target_of("openai"))
    assert (whole.feed(Raw(b"{}", 1)), whole.end(End("end_turn"), Usage(), 5)) == (b"{}", b"")


@pytest.mark.parametrize("source", ["estimated", "capped", "provider_partial"])
def test_usage_that_is_not_the_providers_is_told_as_it_was_counted(source: str) -> None:
    held = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    writer = encoder(message_call(stream=True), target_of("openai"))
    writer.feed(Raw(b"", 0))
    for chunk in (held, {}):
        found = events(writer.end(End("end_turn", chunk=chunk), Usage(3, 4, source=source), 0))
        assert (found[0]["usage"]["input_tokens"], found[0]["usage"]["output_tokens"]) == (3, 4)
        assert found[0]["delta"]["stop_reason"] == "end_turn"


def test_a_count_is_told() -> None:
    call = message_call(Operation.COUNT_TOKENS)
    raw, counted = encoder(call, target_of("openai")), encoder(call, target_of("openai"))
    assert (raw.feed(Raw(b'{"input_tokens":5}', 1)), raw.end(End(), Usage(5), 0)) == (b'{"input_tokens":5}', b"")
    assert counted.feed(Delta("text", "x")) == b""
    assert json.loads(counted.end(End(), Usage(9), 0)) == {"input_tokens": 9}


# ---- failures


@pytest.mark.parametrize("code", KINDS)
def test_every_failure_has_a_type_of_this_wire(code: str) -> None:
    failure = Failure(KINDS[code], "words", param="messages.0")
    found = json.loads(failure_body(failure, "req_9"))
    assert found["type"] == "error"
    assert found["request_id"] == "req_9"
    assert found["error"]["message"] == "messages.0: words"
    assert found["error"]["details"] == {"error_code": code}
    by_class = "api_error" if failure.status >= 500 else "invalid_request_error"
    known = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
    }
    known |= {408: "timeout_error", 503: "overloaded_error", 504: "timeout_error"}
    assert found["error"]["type"] == known.get(failure.status, by_class)


def test_a_stream_that_broke_ends_in_an_error() -> None:
    writer = encoder(message_call(stream=True), target_of("openai"))
    body = writer.feed(Delta("text", "so far")) + writer.failure(Failure(kinds.UPSTREAM_OVERLOADED, "Overloaded"))
    last = events(body)[-1]
    assert last["error"] == {
        "type": "overloaded_error",
        "message": "Overloaded",
        "details": {"error_code": "upstream_overloaded"},
    }
    assert last["request_id"] == "req_1"
    assert b"message_stop" not in body


def test_other_answers_break_as_error_bodies() -> None:
    for call in (message_call(), message_call(Operation.COUNT_TOKENS)):
        assert json.loads(encoder(call, target_of("openai")).failure(Failure(kinds.DRAINING, "x")))["type"] == "error"


def test_models_are_listed_in_this_wires_shape() -> None:
    one = {
        "type": "model", "id": "a/b", "display_name": "a/b", "created_at": "2026-11-24T00:00:00Z", "capabilities": None,
        "lifecycle": "deprecated", "deprecated_at": None, "retires_at": "2027-01-14T00:00:00Z",
        "max_input_tokens": 200_000, "max_tokens": 64_000,
    }  # fmt: skip
    shown = Shown("a/b", "a", ("text",), 200_000, 64_000, ends=date(2027, 1, 14))
    written, route = model_body(shown, 1_795_478_400), model_body(Shown("text", "oneflow"), 1_795_478_400)
    assert json.loads(written) == one
    assert json.loads(route)["lifecycle"] == "active"
    found = json.loads(models_body({"a/b": written, "text": route}))
    assert (found["data"][0], found["has_more"], found["first_id"], found["last_id"]) == (one, False, "a/b", "text")
    assert json.loads(models_body({})) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


# ---- there and back

TEXTS = st.text(min_size=1, max_size=8)
JSON_TEXTS = st.dictionaries(TEXTS, st.integers(-9, 9), max_size=2).map(lambda one: orjson.dumps(one).decode())


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """The pieces of an answer, in any order that a model may give them; tools' arguments follow their call."""
    found: list[Delta] = []
    tools = 0
    for kind in draw(st.lists(st.sampled_from(["text", "thought", "sealed", "tool"]), max_size=6)):
        if kind == "text":
            found += [Delta("text", text) for text in draw(st.lists(TEXTS, min_size=1, max_size=3))]
        elif kind == "thought":
            found += [Delta("reasoning", text) for text in draw(st.lists(TEXTS, min_size=1, max_size=3))]
            found.append(Delta("signature", draw(TEXTS), wire="anthropic"))
        elif kind == "sealed":
            found.append(Delta("sealed", draw(TEXTS), wire="anthropic"))
        else:
            found.append(Delta("tool_call", draw(TEXTS), 0, tools, draw(TEXTS)))
            arguments = draw(JSON_TEXTS)
            cut = draw(st.integers(0, len(arguments)))
            found += [Delta("tool_arguments", part, 0, tools) for part in (arguments[:cut], arguments[cut:]) if part]
            tools += 1
    return found


def folded(deltas: list[Any]) -> dict[int, Choice]:
    fold = Fold()
    for delta in deltas:
        if isinstance(delta, Delta):
            fold.add(delta)
    found = fold.whole()
    for choice in found.values():
        for tool in choice.tools.values():
            tool.arguments = json.loads(tool.arguments or "{}")
    return found


@given(answers(), st.booleans())
def test_an_answer_comes_back_from_what_was_written(deltas: list[Delta], stream: bool) -> None:
    decoder = decoder_of(Operation.CHAT, stream=stream, raw=False)
    body = written(*deltas, stream=stream)
    found = [*decoder.feed(body), *decoder.close()]
    assert folded(found) == folded(list(deltas))
    (usage,) = (one for one in found if isinstance(one, Usage))
    assert usage == replace(USAGE, service_tier="standard")
    (end,) = (one for one in found if isinstance(one, End))
    assert (end.failure, end.model) == (None, "gpt-6-luna")
    assert end.reason == ("tool_calls" if any(delta.kind == "tool_call" for delta in deltas) else "stop")
