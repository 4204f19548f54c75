"""What clients of OpenAI's Responses are told: events and responses made of the middle form, and errors."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Raw, Usage
from oneflow_ai.core.failure import KINDS, Failure
from oneflow_ai.dialects.responses import encoder, failure_body
from oneflow_ai.dialects.table import PATHS
from tests.wire.replies import response_call
from tests.wire.requests import target_of

USAGE = Usage(
    input_tokens=117, output_tokens=9, cached_tokens=100, cache_write_tokens=7, reasoning_tokens=2, service_tier="flex"
)
TOLD = {
    "input_tokens": 117,
    "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 7},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 126,
}
TARGET = target_of("anthropic", model="claude-haiku-5-5")


def written(*deltas: Delta, end: End = End("stop"), stream: bool = True, **asked: Any) -> bytes:  # noqa: B008 - a value that nobody changes
    """The answer that these pieces become."""
    writer = encoder(response_call(stream=stream, **asked), TARGET)
    return b"".join(map(writer.feed, deltas)) + writer.end(end, USAGE, 1_234_000)


def whole(*deltas: Delta, end: End = End("stop"), **asked: Any) -> dict[str, Any]:  # noqa: B008 - a value that nobody changes
    found: dict[str, Any] = json.loads(written(*deltas, end=end, stream=False, **asked))
    return found


def events(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each bears its type as its name, and its number."""
    found = []
    for place, block in enumerate(body.decode().split("\n\n")[:-1]):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event.pop("sequence_number") == place
        found.append(event)
    return found


def named(found: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in found]


def test_a_stream_has_its_frame() -> None:
    found = events(written(Delta("text", "Hi"), Delta("text", " there")))
    assert found[0] == {"type": "response.created", "response": found[1]["response"]}
    begun, ended = found[0]["response"], found[-1]["response"]
    assert (begun["id"], begun["status"], begun["output"], begun["usage"]) == ("resp_1", "in_progress", [], None)
    at = {"item_id": "msg_1_0", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "Hi there", "annotations": [], "logprobs": []}
    item = {"id": "msg_1_0", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    assert found[2:-1] == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "Hi", "logprobs": []},
        {"type": "response.output_text.delta", **at, "delta": " there", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "Hi there", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    assert found[-1]["type"] == "response.completed"
    assert (ended["status"], ended["output"], ended["usage"]) == ("completed", [item], {**TOLD, "cost": 0.001234})


def test_an_answer_of_nothing_has_its_frame_all_the_same() -> None:
    assert named(events(written())) == ["created", "in_progress", "completed"]
    assert whole()["output"] == []


def test_a_whole_answer_is_a_response() -> None:
    found = whole(
        Delta("reasoning", "hm"), Delta("signature", "s", wire="anthropic"), Delta("sealed", "d", wire="anthropic"),
        Delta("text", "Hi"), Delta("tool_call", "f", tool_id="call_1"), Delta("tool_arguments", '{"a":'),
        Delta("tool_arguments", "1}"), Delta("tool_signature", "t", wire="gemini"), Delta("tool_call", "g", 0, 1),
        end=End("tool_calls", model="claude-haiku-5-5-20261001"),
    )  # fmt: skip
    thought = {"type": "reasoning", "summary": []}
    part = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    call = {"type": "function_call", "status": "completed"}
    assert found["output"] == [
        {
            "id": "rs_1_0",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "of:anthropic:s",
        },
        {"id": "rs_1_1", **thought, "encrypted_content": "of:anthropic:sealed:d"},
        {"id": "msg_1_2", "type": "message", "status": "completed", "role": "assistant", "content": [part]},
        {"id": "fc_1_3", **call, "arguments": '{"a":1}', "call_id": "call_1", "name": "f"},
        {"id": "fc_1_4", **call, "arguments": "{}", "call_id": "call_1_4", "name": "g"},
        {"id": "rs_1_5", **thought, "encrypted_content": 'of:gemini:call:["call_1","t"]'},
    ]
    assert (found["status"], found["model"], found["service_tier"]) == (
        "completed",
        "claude-haiku-5-5-20261001",
        "flex",
    )
    assert found["usage"] == TOLD


def test_a_response_repeats_its_request() -> None:
    asked: dict[str, Any] = {
        "instructions": "Be kind",
        "max_output_tokens": 50,
        "tools": [{"type": "function", "name": "f"}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "metadata": {"a": "b"},
        "truncation": "auto",
    }
    found = whole(**asked, reasoning={"effort": "low"}, text={"verbosity": "high"})
    assert {name: found[name] for name in asked} == asked
    assert found["reasoning"] == {"effort": "low", "summary": None}
    assert found["text"] == {"format": {"type": "text"}, "verbosity": "high"}
    usual = whole()
    assert (usual["tools"], usual["tool_choice"], usual["metadata"], usual["store"]) == ([], "auto", {}, False)


def test_parts_of_a_message_follow_each_other() -> None:
    found = events(written(Delta("text", "Hi"), Delta("refusal", "No."), Delta("text", "But")))
    content = found[-1]["response"]["output"][0]["content"]
    assert [part.get("text", part.get("refusal")) for part in content] == ["Hi", "No.", "But"]
    assert [event["content_index"] for event in found if event["type"].endswith(".delta")] == [0, 1, 2]
    assert len(found[-1]["response"]["output"]) == 1


def test_pieces_of_several_calls_may_be_mixed() -> None:
    found = events(
        written(
            Delta("tool_call", "f", 0, 4, "a"), Delta("tool_call", "g", 0, 2, "b"), Delta("tool_arguments", "{", 0, 4),
            Delta("tool_arguments", "[", 0, 2), Delta("text", "so"), Delta("tool_arguments", "}", 0, 4),
            Delta("tool_arguments", "?", 0, 9),
        )
    )  # fmt: skip
    output = found[-1]["response"]["output"]
    assert [item.get("arguments") for item in output] == ["{}", "[", None]
    deltas = [event for event in found if event["type"] == "response.function_call_arguments.delta"]
    assert [(event["output_index"], event["delta"]) for event in deltas] == [(0, "{"), (1, "["), (0, "}")]


@pytest.mark.parametrize("arguments", ["", '{"city":"Par'])
def test_a_call_that_was_cut_does_not_look_whole(arguments: str) -> None:
    deltas = (Delta("tool_call", "f", 0, 0, "a"), Delta("tool_arguments", arguments))
    (call,) = whole(*deltas, end=End("length"))["output"]
    assert (call["arguments"], call["status"]) == (arguments, "incomplete")
    writer = encoder(response_call(stream=True), TARGET)
    (call,) = events(b"".join(map(writer.feed, deltas)) + writer.failure(BROKEN))[-1]["response"]["output"]
    assert (call["arguments"], call["status"]) == (arguments, "incomplete")


def test_thoughts_are_summed_up() -> None:
    found = events(
        written(Delta("reasoning", ""), Delta("reasoning", "Let "), Delta("reasoning", "me"), Delta("text", "Hi"))
    )
    assert named(found)[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]
    assert found[-1]["response"]["output"][0]["summary"] == [{"type": "summary_text", "text": "Let me"}]


def test_citations_stand_in_their_part() -> None:
    cited = '{"url":"https://a.example","title":"A","start":4,"end":6}'
    found = whole(
        Delta("text", "abc"), Delta("refusal", "No"), Delta("text", "defg"), Delta("citation", cited),
        Delta("citation", '{"url":"https://b.example"}'), Delta("citation", '{"title":"a.pdf","text":"quoted"}'),
    )  # fmt: skip
    url = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 1, "end_index": 3}
    assert found["output"][0]["content"][2]["annotations"] == [
        url,
        {**url, "url": "https://b.example", "title": "", "start_index": 4, "end_index": 4},
        {"type": "file_citation", "file_id": "", "filename": "a.pdf", "index": 0},
    ]


def test_other_choices_have_no_place() -> None:
    assert whole(Delta("text", "Hi", 1))["output"] == []


@pytest.mark.parametrize(
    ("reason", "refused", "status", "why"),
    [
        ("stop", False, "completed", None),
        ("tool_calls", False, "completed", None),
        ("pause", False, "completed", None),
        (None, False, "completed", None),
        ("length", False, "incomplete", "max_output_tokens"),
        ("context_length", False, "incomplete", "max_output_tokens"),
        ("content_filter", False, "incomplete", "content_filter"),
        ("refusal", False, "incomplete", "content_filter"),
        ("refusal", True, "completed", None),
    ],
)
def test_why_it_ended_is_told(reason: str | None, refused: bool, status: str, why: str | None) -> None:
    said = Delta("refusal" if refused else "text", "Hi")
    for found in (whole(said, end=End(reason)), events(written(said, end=End(reason)))[-1]["response"]):
        assert found["status"] == found["output"][0]["status"] == status
        assert found["incomplete_details"] == (None if why is None else {"reason": why})
    assert events(written(said, end=End(reason)))[-1]["type"] == f"response.{status}"


# ---- of the same wire


OPENED = {"type": "response.created", "response": {"id": "resp_9", "x": 1}, "sequence_number": 0}
RAW = b"event: response.created\ndata: %b\n\n" % orjson.dumps(OPENED)
CHUNK: dict[str, Any] = {
    "type": "response.completed",
    "response": {"id": "resp_9", "usage": {"input_tokens": 1, "more": 2}, "x": 1},
    "sequence_number": 5,
}


def test_the_providers_last_event_is_its_own_with_the_cost() -> None:
    writer = encoder(response_call(stream=True), target_of("openai"))
    assert writer.feed(Raw(RAW, 0)) == RAW
    assert writer.feed(USAGE) == b""
    name, data = writer.end(End("completed", chunk=CHUNK), Usage(1, 2), 1_000_000).split(b"\n")[:2]
    assert name == b"event: response.completed"
    usage = {"input_tokens": 1, "more": 2, "cost": 0.001}
    assert orjson.loads(data[6:]) == {**CHUNK, "response": {**CHUNK["response"], "usage": usage}}


def test_usage_that_the_provider_did_not_tell_is_ours() -> None:
    for chunk, source in ((CHUNK, "capped"), ({**CHUNK, "response": {"usage": None}}, "estimated")):
        writer = encoder(response_call(stream=True), target_of("openai"))
        told = writer.end(End("completed", chunk=chunk), Usage(3, 4, source=source), 0)
        assert orjson.loads(told.split(b"\n")[1][6:])["response"]["usage"]["total_tokens"] == 7


def test_a_whole_answer_of_the_same_wire_passes_as_it_is() -> None:
    writer = encoder(response_call(), target_of("openai"))
    assert writer.feed(Raw(b'{"a": 1}', 1)) + writer.end(End("completed"), USAGE, 5) == b'{"a": 1}'


@pytest.mark.parametrize("raw", [True, False])
def test_a_count_has_its_shape(raw: bool) -> None:
    writer = encoder(response_call(Operation.COUNT_TOKENS), TARGET)
    body = writer.feed(Raw(b'{"input_tokens": 7}', 1)) if raw else writer.feed(Usage(7))
    body += writer.end(End(), Usage(7), 0)
    expected = {"input_tokens": 7} if raw else {"object": "response.input_tokens", "input_tokens": 7}
    assert json.loads(body) == expected


# ---- failures


BROKEN = Failure(kinds.UPSTREAM_STREAM_INTERRUPTED, "it broke")


def test_a_stream_of_our_making_that_breaks_ends_in_its_failure() -> None:
    writer = encoder(response_call(stream=True), TARGET)
    found = events(writer.feed(Delta("text", "Hel")) + writer.failure(BROKEN))
    error, failed = found[-2:]
    told = {"code": "upstream_stream_interrupted", "message": "it broke", "param": None}
    assert error == {"type": "error", **told, "error": {**told, "type": "server_error"}}
    assert failed["type"] == "response.failed"
    assert (failed["response"]["status"], failed["response"]["error"]["code"]) == ("failed", told["code"])
    assert failed["response"]["output"][0]["content"][0]["text"] == "Hel"
    assert failed["response"]["output"][0]["status"] == "incomplete"
    assert "response.completed" not in named(found)


def test_a_stream_that_breaks_before_anything_is_said_has_its_frame() -> None:
    writer = encoder(response_call(stream=True), TARGET)
    assert named(events(writer.failure(BROKEN))) == ["created", "in_progress", "error", "failed"]


def test_a_stream_of_the_same_wire_that_breaks_goes_on_counting() -> None:
    writer = encoder(response_call(stream=True), target_of("openai"))
    said = b'event: x\ndata: {"type":"x","sequence_number":1}\n\ndata: oops\n\n'
    found = events(
        writer.feed(Raw(RAW, 0)) + writer.feed(Raw(said[: said.index(b"data: oops")], 1)) + writer.failure(BROKEN)
    )
    assert found[-1]["response"] == {
        "id": "resp_9",
        "x": 1,
        "status": "failed",
        "error": {"code": "upstream_stream_interrupted", "message": "it broke"},
    }


def test_bytes_that_are_no_events_fail_in_their_shape_all_the_same() -> None:
    writer = encoder(response_call(stream=True), target_of("openai"))
    writer.feed(Raw(b'data: oops\n\ndata: [1]\n\ndata: {"sequence_number":"x"}\n\n', 1))
    assert [event["type"] for event in events(writer.failure(BROKEN))] == ["error", "response.failed"]


def test_every_kind_of_failure_has_a_body() -> None:
    for kind in KINDS.values():
        failure = Failure(kind, "words", param="input")
        told = json.loads(failure_body(failure))["error"]
        assert told == {"message": "words", "type": kind.type, "param": "input", "code": kind.code}
        assert encoder(response_call(), TARGET).failure(failure) == failure_body(failure)
    assert json.loads(encoder(response_call(Operation.COUNT_TOKENS), TARGET).failure(BROKEN))["error"]["message"]


def test_its_addresses() -> None:
    dialect, operation = PATHS[b"/v1/responses"]
    assert (dialect.DIALECT, operation) == ("responses", Operation.CHAT)
    assert PATHS[b"/v1/responses/input_tokens"] == (dialect, Operation.COUNT_TOKENS)


def test_a_calls_id_makes_those_of_its_items() -> None:
    call = replace(response_call(stream=True), id="req_00ff")
    found = events(encoder(call, TARGET).feed(Delta("text", "Hi")))
    assert (found[0]["response"]["id"], found[2]["item"]["id"]) == ("resp_00ff", "msg_00ff_0")
