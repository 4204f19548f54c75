"""Recorded exchanges of OpenAI's Responses decode to what they hold, however they are cut; a cut one is no answer."""

import json
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Event, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.fold import Fold
from oneflow_ai.core.money import usd_float
from oneflow_ai.dialects.responses import encoder
from oneflow_ai.providers.openai_failure import failure_of
from oneflow_ai.providers.openai_responses_stream import decoder_of
from tests.needs import require
from tests.wire.decoding import cuts_of
from tests.wire.replies import decoded, response_call
from tests.wire.requests import target_of

FAILURES = {
    "openai/responses-err-400-context-length": "context_length_exceeded",
    "openai/responses-err-401": "provider_auth_failed",
    "xai/responses-err-400-bad-key": "provider_auth_failed",
}
BROKEN = "openai/responses-stream-in-band-429"
# Not an answer, but a conversation made shorter: no route of ours leads there.
COMPACTED = "openai/responses-compact"
COUNTED = "openai/responses-input-tokens"
ANSWERS_LEAST = 12
# What is asked that other wires have no place for.
REFUSED = {"openai/responses-cachewrite": "tools[0]", "openai/responses-previous-id": "previous_response_id"}


def recordings() -> dict[str, dict[str, Any]]:
    """Every recorded exchange of this wire, by `folder/name`."""
    folder = require("shared") / "recordings"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob("*/responses-*.json"))
    }


def answers() -> dict[str, bytes]:
    """The successful answers' bytes, by name."""
    return {
        name: exchange["response"]["body"].encode()
        for name, exchange in recordings().items()
        if exchange["response"]["status"] == 200 and name not in (BROKEN, COMPACTED)
    }


def is_stream(body: bytes) -> bool:
    return not body.lstrip().startswith(b"{")


def operation_of(name: str) -> Operation:
    return Operation.COUNT_TOKENS if name == COUNTED else Operation.CHAT


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a recorded stream, read as simply as can be."""
    return [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]


def response_of(body: bytes) -> dict[str, Any]:
    """The response that a recording ends with."""
    found: dict[str, Any] = events_of(body)[-1]["response"] if is_stream(body) else json.loads(body)
    return found


def items_of(body: bytes) -> list[dict[str, Any]]:
    """The items of a recording; the last event of a stream seals them once more, in other words."""
    if not is_stream(body):
        return list(response_of(body)["output"])
    return [event["item"] for event in events_of(body) if event["type"] == "response.output_item.done"]


def said(output: list[dict[str, Any]]) -> dict[str, Any]:
    """What some items say, think and call."""
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    thoughts = [item for item in output if item["type"] == "reasoning"]
    return {
        "text": "".join(part["text"] for part in parts),
        "citations": [note["url"] for part in parts for note in part["annotations"]],
        "thoughts": "".join("\n\n".join(part["text"] for part in item["summary"]) for item in thoughts),
        "seals": [item["encrypted_content"] for item in thoughts if item.get("encrypted_content")],
        "calls": [
            (item["call_id"], item["name"], json.loads(item["arguments"]))
            for item in output
            if item["type"] == "function_call"
        ],
    }


def heard(deltas: list[Delta]) -> dict[str, Any]:
    fold = Fold()
    for delta in deltas:
        fold.add(delta)
    (choice,) = fold.whole().values()
    return {
        "text": choice.text,
        "citations": [json.loads(citation)["url"] for citation in choice.citations],
        "thoughts": "".join(thought.text for thought in choice.thoughts),
        "seals": [
            json.loads(thought.signature)["encrypted_content"] for thought in choice.thoughts if thought.signature
        ],
        "calls": [(tool.id, tool.name, json.loads(tool.arguments or "{}")) for tool in choice.tools.values()],
    }


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    return answers()


def test_there_are_recordings(bodies: dict[str, bytes]) -> None:
    assert len(bodies) >= ANSWERS_LEAST
    assert sum(map(is_stream, bodies.values())) >= 4


def test_an_answer_gives_the_same_events_however_it_is_cut(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        for raw in (True, False):
            expected = decoded([body], stream=is_stream(body), raw=raw, operation=operation_of(name))
            for chunks in cuts_of(body, name):
                found = decoded(chunks, stream=is_stream(body), raw=raw, operation=operation_of(name))
                assert found == expected, name


def test_an_answer_passes_unchanged_but_for_its_last_event(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        found = decoded([body], stream=is_stream(body), raw=True, operation=operation_of(name))
        kept = body[: body.index(b"event: response.completed")] if is_stream(body) else body
        assert found["raw"] == kept, name
        assert found["content_events"] > 0, name
        assert found["end"]["failure"] is None, name


def passed_on(body: bytes, **asked: Any) -> bytes:
    """What a client of the same wire gets of a provider's stream, which cost a little."""
    writer = encoder(response_call(stream=True, **asked), target_of("openai"))
    decoder = decoder_of(Operation.CHAT, stream=True, raw=True)
    written, usage = b"", Usage()
    events: list[Event] = [*decoder.feed(body), *decoder.close()]
    for event in events:
        if isinstance(event, Usage):
            usage = event
        elif isinstance(event, End):
            failure = event.failure
            written += writer.failure(failure) if failure is not None else writer.end(event, usage, 1_500_000)
        else:
            written += writer.feed(event)
    return written


def test_the_client_gets_that_one_with_the_cost(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if is_stream(body):
            expected = events_of(body)
            expected[-1]["response"]["usage"]["cost"] = usd_float(1_500_000)
            assert events_of(passed_on(body)) == expected, name


def test_the_middle_form_says_what_the_answer_said(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if operation_of(name) is Operation.CHAT:
            found, response = decoded([body], stream=is_stream(body), raw=False), response_of(body)
            assert heard(found["deltas"]) == said(items_of(body)), name
            assert found["end"]["reason"] == ("tool_calls" if said(response["output"])["calls"] else "stop"), name
            assert (found["end"]["model"], found["end"]["answer_id"]) == (response["model"], response["id"]), name


def test_usage_is_the_providers(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if operation_of(name) is Operation.COUNT_TOKENS:
            continue
        response = response_of(body)
        told, usage = response["usage"], decoded([body], stream=is_stream(body), raw=True)["usage"]
        searched = sum(item["type"] == "web_search_call" for item in response["output"])
        ticks = told.get("cost_in_usd_ticks")
        assert usage == Usage(
            input_tokens=told["input_tokens"],
            output_tokens=told["output_tokens"],
            cached_tokens=told["input_tokens_details"]["cached_tokens"],
            cache_write_tokens=told["input_tokens_details"].get("cache_write_tokens", 0),
            reasoning_tokens=told["output_tokens_details"]["reasoning_tokens"],
            web_searches=searched,
            cost_nanos=None if ticks is None else ticks // 10,
            service_tier=response["service_tier"],
        ), name


def test_a_count_is_told_as_input(bodies: dict[str, bytes]) -> None:
    for raw in (True, False):
        found = decoded([bodies[COUNTED]], stream=False, raw=raw, operation=Operation.COUNT_TOKENS)
        assert found["usage"] == Usage(input_tokens=18)


def test_a_conversation_made_shorter_is_read_all_the_same() -> None:
    body = recordings()[COMPACTED]["response"]["body"].encode()
    assert decoded([body], stream=False, raw=True)["end"]["failure"] is None


def test_a_stream_that_is_cut_is_a_failure_and_never_told_as_complete(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if not is_stream(body):
            continue
        whole = decoded([body], stream=True, raw=False)
        finished = body.index(b"event: response.completed")
        for cut in range(0, finished, 3):
            found = decoded([body[:cut]], stream=True, raw=False)
            assert found["end"]["failure"] is not None, (name, cut)
            assert found["deltas"] == whole["deltas"][: len(found["deltas"])], (name, cut)
        for cut in range(1, finished, 101):
            told = events_of(passed_on(body[:cut]))
            assert [event["type"] for event in told[-2:]] == ["error", "response.failed"], (name, cut)
            assert [event["sequence_number"] for event in told] == list(range(len(told))), (name, cut)
            assert told[-1]["response"]["status"] == "failed"


def test_an_error_within_a_stream_ends_it() -> None:
    body = recordings()[BROKEN]["response"]["body"].encode()
    for raw in (True, False):
        found = decoded([body], stream=True, raw=raw)
        assert found["end"]["failure"]["code"] == "upstream_rate_limited"
        assert found["usage"] is None
    told = events_of(passed_on(body))
    assert [event["type"] for event in told] == [event["type"] for event in events_of(body)]
    assert told[-1]["response"]["id"] == events_of(body)[0]["response"]["id"]


def test_a_refusal_has_its_kind() -> None:
    kinds = {}
    for name, one in recordings().items():
        answer = one["response"]
        if answer["status"] != 200:
            headers = {field.lower(): value for field, value in answer["headers"].items()}
            kinds[name] = failure_of(answer["status"], headers, answer["body"].encode()).kind.code
    assert kinds == FAILURES


def test_a_recorded_request_is_read_and_goes_to_its_provider_as_it_was() -> None:
    refused = {}
    for name, exchange in recordings().items():
        body = exchange["request"]["body"]
        if body is None or name == COMPACTED:
            continue
        asked = orjson.loads(body)
        call = response_call(operation_of(name), **asked)
        for kind in ("openai", "xai"):
            if kind == "openai" or operation_of(name) is Operation.CHAT:
                target = target_of(kind, model=asked["model"])
                request = target.adapter.request(call, target)
                assert orjson.loads(request.body) == asked, name
                path = "/responses/input_tokens" if name == COUNTED else "/responses"
                assert request.url == target.base_url + path
        target = target_of("anthropic", model="claude-sonnet-5-5")
        try:
            assert target.adapter.request(call, target).body
        except Failure as failure:
            refused[name] = failure.param
    assert refused == REFUSED
