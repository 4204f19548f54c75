"""Recorded exchanges of Anthropic's wire decode to what they hold, however they are cut, and a cut one is no answer."""

import json
from collections import defaultdict
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.core.fold import Fold
from oneflow_ai.dialects.anthropic import encoder
from oneflow_ai.providers.anthropic_failure import failure_of
from oneflow_ai.providers.anthropic_limits import hints_of
from oneflow_ai.providers.anthropic_stream import decoder_of
from tests.needs import require
from tests.wire.decoding import cuts_of
from tests.wire.messages import decoded, message_call
from tests.wire.requests import target_of

FAILURES = {
    "anthropic/messages-err-400-prompt-too-long": "context_length_exceeded",
    "anthropic/messages-err-400-shape": "upstream_rejected",
    "anthropic/messages-err-401": "provider_auth_failed",
    "anthropic/messages-err-404": "upstream_model_not_found",
    "_quoted/anthropic/messages-400-temperature-2026-10-21": "upstream_rejected",
    "_quoted/anthropic/messages-429-input-tokens": "upstream_rate_limited",
    "_quoted/anthropic/messages-429-ramp-limit": "upstream_rate_limited",
    "_quoted/anthropic/messages-429-requests-no-retry-after": "upstream_rate_limited",
    "_quoted/anthropic/messages-429-spend-limit": "provider_quota_exhausted",
    "_quoted/anthropic/messages-529": "upstream_overloaded",
}
WAITS = {
    "_quoted/anthropic/messages-429-input-tokens": 16.0,
    "_quoted/anthropic/messages-429-ramp-limit": 20.0,
}
BROKEN = "_quoted/anthropic/messages-stream-in-band-529"
# The provider ran its own tool: of its blocks nothing is told to another wire.
ANSWERS_LEAST = 20
STREAMS_LEAST = 4
REASONS = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length"}


def recordings() -> dict[str, dict[str, Any]]:
    """Every recorded exchange of this wire, by `folder/name`."""
    folder = require("shared") / "recordings"
    paths = [*folder.glob("anthropic/*.json"), *folder.glob("_quoted/anthropic/*.json")]
    return {
        path.relative_to(folder).with_suffix("").as_posix(): json.loads(path.read_text("utf-8"))
        for path in sorted(paths)
    }


def answers() -> dict[str, bytes]:
    """The successful answers' bytes, by name."""
    return {
        name: exchange["response"]["body"].encode()
        for name, exchange in recordings().items()
        if exchange["response"]["status"] == 200 and name != BROKEN
    }


def is_stream(body: bytes) -> bool:
    return not body.lstrip().startswith(b"{")


def operation_of(name: str) -> Operation:
    return Operation.COUNT_TOKENS if "count-tokens" in name else Operation.CHAT


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a recorded stream, read as simply as can be."""
    return [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]


def content_of(body: bytes) -> list[dict[str, Any]]:
    """The blocks of a recorded answer, put together as simply as can be."""
    if not is_stream(body):
        found: list[dict[str, Any]] = json.loads(body)["content"]
        return found
    blocks: list[dict[str, Any]] = []
    written: dict[int, str] = defaultdict(str)
    for event in events_of(body):
        if event["type"] == "content_block_start":
            blocks.append(event["content_block"])
        elif event["type"] == "content_block_delta" and "text" in event["delta"]:
            blocks[event["index"]]["text"] += event["delta"]["text"]
        elif event["type"] == "content_block_delta":
            written[event["index"]] += event["delta"]["partial_json"]
    for index, text in written.items():
        blocks[index]["input"] = json.loads(text or "{}")
    return blocks


def said(content: list[dict[str, Any]]) -> dict[str, Any]:
    """The texts, thoughts and tool calls of some blocks."""
    texts = "".join(block["text"] for block in content if block["type"] == "text")
    thoughts = [(block["thinking"], block["signature"]) for block in content if block["type"] == "thinking"]
    calls = [(block["id"], block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
    return {"text": texts, "thoughts": thoughts, "calls": calls}


def heard(deltas: list[Delta]) -> dict[str, Any]:
    fold = Fold()
    for delta in deltas:
        fold.add(delta)
    (choice,) = fold.whole().values()
    return {
        "text": choice.text,
        "thoughts": [(thought.text, thought.signature) for thought in choice.thoughts],
        "calls": [(tool.id, tool.name, json.loads(tool.arguments or "{}")) for tool in choice.tools.values()],
    }


def usage_of(body: bytes) -> dict[str, Any]:
    """The usage that a recording holds: of a stream, what came last of each count."""
    if not is_stream(body):
        return json.loads(body).get("usage") or {}
    found: dict[str, Any] = {}
    for event in events_of(body):
        found |= event.get("usage") or event.get("message", {}).get("usage") or {}
    return found


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    return answers()


def test_there_are_recordings(bodies: dict[str, bytes]) -> None:
    assert len(bodies) >= ANSWERS_LEAST
    assert sum(map(is_stream, bodies.values())) >= STREAMS_LEAST


def test_an_answer_gives_the_same_events_however_it_is_cut(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        for raw in (True, False):
            expected = decoded([body], stream=is_stream(body), raw=raw, operation=operation_of(name))
            for chunks in cuts_of(body, name):
                found = decoded(chunks, stream=is_stream(body), raw=raw, operation=operation_of(name))
                assert found == expected, name


def test_an_answer_passes_unchanged_but_for_its_last_two_events(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        found = decoded([body], stream=is_stream(body), raw=True, operation=operation_of(name))
        kept = body[: body.index(b"event: message_delta")] if is_stream(body) else body
        assert found["raw"] == kept, name
        assert found["content_events"] > 0, name
        assert found["end"]["failure"] is None, name


def test_the_client_gets_those_two_with_the_cost(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if not is_stream(body):
            continue
        call = message_call(stream=True)
        writer = encoder(call, target_of("anthropic", model="claude-sonnet-4-6"))
        decoder = decoder_of(call.operation, stream=True, raw=True)
        written, usage = b"", Usage()
        for event in [*decoder.feed(body), *decoder.close()]:
            if isinstance(event, Usage):
                usage = event
            elif isinstance(event, End):
                written += writer.end(event, usage, 1_500_000)
            else:
                written += writer.feed(event)
        expected = [event for event in events_of(body) if event["type"] != "ping"]
        expected[-2]["usage"]["cost"] = 0.0015
        assert [event for event in events_of(written) if event["type"] != "ping"] == expected, name


def test_the_middle_form_says_what_the_answer_said(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if operation_of(name) is Operation.CHAT:
            found = decoded([body], stream=is_stream(body), raw=False)
            assert heard(found["deltas"]) == said(content_of(body)), name
            message = events_of(body)[0]["message"] if is_stream(body) else json.loads(body)
            told = events_of(body)[-2]["delta"] if is_stream(body) else message
            assert found["end"]["reason"] == REASONS[told["stop_reason"]], name
            assert (found["end"]["model"], found["end"]["answer_id"]) == (message["model"], message["id"]), name


def test_usage_is_the_providers_with_the_cache_in_the_prompt(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if operation_of(name) is Operation.COUNT_TOKENS:
            continue
        told, usage = usage_of(body), decoded([body], stream=is_stream(body), raw=True)["usage"]
        read, written = told.get("cache_read_input_tokens") or 0, told.get("cache_creation_input_tokens") or 0
        assert usage == Usage(
            input_tokens=told["input_tokens"] + read + written,
            output_tokens=told["output_tokens"],
            cached_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=(told.get("cache_creation") or {}).get("ephemeral_1h_input_tokens", 0),
            reasoning_tokens=(told.get("output_tokens_details") or {}).get("thinking_tokens", 0),
            service_tier=told.get("service_tier"),
        ), name


def test_a_count_is_told_as_input(bodies: dict[str, bytes]) -> None:
    found = decoded([bodies["anthropic/count-tokens-2"]], stream=False, raw=False, operation=Operation.COUNT_TOKENS)
    assert found["usage"] == Usage(input_tokens=671)


def test_a_stream_that_is_cut_is_a_failure(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        if not is_stream(body):
            continue
        whole = decoded([body], stream=True, raw=False)
        finished = body.index(b"\n\n", body.index(b"event: message_delta"))
        for cut in range(0, len(body), 3):
            found = decoded([body[:cut]], stream=True, raw=False)
            if cut < finished - 20:
                assert found["end"]["failure"] is not None, (name, cut)
                assert found["deltas"] == whole["deltas"][: len(found["deltas"])], (name, cut)
            elif cut >= finished + 2:
                assert found["end"] == whole["end"], (name, cut)


def test_an_error_within_a_stream_ends_it() -> None:
    body = recordings()[BROKEN]["response"]["body"].encode()
    for raw in (True, False):
        found = decoded([body], stream=True, raw=raw)
        assert found["end"]["failure"] == {"code": "upstream_overloaded", "status": 503, "message": "Overloaded"}
        assert found["usage"] == Usage(10, 1, source="provider_partial")
    assert [delta.text for delta in found["deltas"]] == ["so far"]


def test_a_refusal_has_its_kind() -> None:
    refused = {name: one["response"] for name, one in recordings().items() if one["response"]["status"] != 200}
    kinds, waits = {}, {}
    for name, answer in refused.items():
        headers = {field.lower(): value for field, value in answer["headers"].items()}
        failure = failure_of(answer["status"], headers, answer["body"].encode())
        kinds[name] = failure.kind.code
        if failure.retry_after_seconds is not None:
            waits[name] = failure.retry_after_seconds
        assert failure.should_retry == {"true": True, "false": False}.get(headers.get("x-should-retry", "")), name
        if failure.kind.code == "upstream_rejected":
            assert failure.status == answer["status"], name
    assert kinds == FAILURES
    assert waits == WAITS


def test_headers_tell_the_limits() -> None:
    told = 0
    for name, exchange in recordings().items():
        headers = {field.lower(): text for field, text in exchange["response"]["headers"].items()}
        hints = hints_of(headers)
        if "anthropic-ratelimit-tokens-remaining" not in headers:
            assert hints is None, name
            continue
        told += 1
        assert hints is not None
        assert hints.limit_tokens == int(headers["anthropic-ratelimit-tokens-limit"]), name
        empty = headers.get("anthropic-ratelimit-input-tokens-remaining") == "0"
        assert hints.remaining_tokens == (0 if empty else int(headers["anthropic-ratelimit-tokens-remaining"])), name
        # The quoted ones have no date to measure against.
        assert (hints.reset_tokens_seconds is not None) == ("date" in headers), name
    assert told >= 18


def test_a_recorded_request_is_read_and_written_again() -> None:
    for name, exchange in recordings().items():
        body = exchange["request"]["body"]
        if body is None or "err-" in name:
            continue
        asked = orjson.loads(body)
        call = message_call(operation_of(name), **asked)
        assert call.body == asked, name
        assert call.prompt().messages, name
