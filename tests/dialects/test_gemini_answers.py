"""Answers in Gemini's dialect: what each piece of the middle form becomes, streamed and whole, and failures."""

import json
from base64 import b64encode
from typing import Any

import orjson
import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.listing import Shown
from oneflow_ai.dialects import gemini
from tests.wire.generations import generation_call
from tests.wire.requests import target_of

TARGET = target_of("openai")
STOP = End("stop")
USAGE = Usage(input_tokens=10, output_tokens=7, cached_tokens=4, reasoning_tokens=2)
WRAPPED = b64encode(b"of:anthropic:s1").decode()
SEALED = b64encode(b"sealed-of:anthropic:dark").decode()


def streamed(*events: Event, end: End = STOP, usage: Usage = USAGE) -> list[Any]:
    """The events of a stream."""
    encoder = gemini.encoder(generation_call("streamGenerateContent"), TARGET)
    content = b"".join(map(encoder.feed, events)) + encoder.end(end, usage, 1_500)
    pieces = content.split(b"\r\n\r\n")
    assert pieces.pop() == b"" and all(piece.startswith(b"data: ") for piece in pieces)
    return [json.loads(piece.removeprefix(b"data: ")) for piece in pieces]


def whole(*events: Event, end: End = STOP, usage: Usage = USAGE, call: Call | None = None) -> Any:
    """A whole answer."""
    encoder = gemini.encoder(call or generation_call(), TARGET)
    assert not any(map(encoder.feed, events))
    return json.loads(encoder.end(end, usage, 1_500))


def parts_of(answer: Any, index: int = 0) -> Any:
    return answer["candidates"][index]["content"]["parts"]


def parts_in(events: list[Any]) -> list[Any]:
    """All parts that a stream brings, but for the empty text with which it ends."""
    found = [
        part for event in events for one in event["candidates"] if "content" in one for part in one["content"]["parts"]
    ]
    return [part for part in found if part != {"text": ""}]


CALLS = (
    Delta("tool_call", "f", tool_index=0, tool_id="c1"),
    Delta("tool_call", "g", tool_index=1),
    Delta("tool_arguments", '{"a":', tool_index=0),
    Delta("tool_arguments", "1}", tool_index=0),
    Delta("tool_signature", "EqQB", tool_index=0, wire="gemini"),
    Delta("tool_arguments", "broken", tool_index=1),
)
CALLED = [
    {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "EqQB"},
    {"functionCall": {"id": "call_1_0_1", "name": "g", "args": {"arguments": "broken"}}},
]
CASES: dict[str, tuple[tuple[Event, ...], list[Any], list[Any]]] = {
    "texts": (
        (Delta("text", "He"), Delta("text", "llo"), Delta("refusal", "!")),
        [{"text": "He"}, {"text": "llo"}, {"text": "!"}],
        [{"text": "Hello!"}],
    ),
    "thoughts of another wire": (
        (
            Delta("reasoning", "h"),
            Delta("reasoning", "m"),
            Delta("signature", "s1", wire="anthropic"),
            Delta("text", "Hi"),
        ),
        [
            {"text": "h", "thought": True},
            {"text": "m", "thought": True},
            {"text": "", "thought": True, "thoughtSignature": WRAPPED},
            {"text": "Hi"},
        ],
        [{"text": "hm", "thought": True, "thoughtSignature": WRAPPED}, {"text": "Hi"}],
    ),
    "a seal of its own": (
        (Delta("reasoning", "hm"), Delta("text", "Hi"), Delta("signature", "EqQB", wire="gemini")),
        [{"text": "hm", "thought": True}, {"text": "Hi"}, {"text": "", "thoughtSignature": "EqQB"}],
        [{"text": "hm", "thought": True}, {"text": "Hi", "thoughtSignature": "EqQB"}],
    ),
    "what only its own wire can read": (
        (Delta("sealed", "dark", wire="anthropic"), Delta("text", "Hi")),
        [{"text": "", "thought": True, "thoughtSignature": SEALED}, {"text": "Hi"}],
        [{"text": "", "thought": True, "thoughtSignature": SEALED}, {"text": "Hi"}],
    ),
    "calls": ((Delta("text", "So"), *CALLS), [{"text": "So"}, *CALLED], [{"text": "So"}, *CALLED]),
    "a text after calls": ((*CALLS, Delta("text", "So")), [*CALLED, {"text": "So"}], [*CALLED, {"text": "So"}]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_becomes_parts(name: str) -> None:
    events, pieces, parts = CASES[name]
    assert parts_in(streamed(*events)) == pieces
    assert parts_of(whole(*events)) == parts


def test_a_stream_ends_in_its_reason_and_what_was_used() -> None:
    events = streamed(Delta("text", "Hi"))
    assert [event["candidates"][0].get("finishReason") for event in events] == [None, "STOP"]
    assert "usageMetadata" not in events[0]
    assert events[1] == {
        "candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "totalTokenCount": 17,
            "cachedContentTokenCount": 4,
            "thoughtsTokenCount": 2,
            "cost": 0.0000015,
        },
        "modelVersion": TARGET.model,
        "responseId": "1",
    }


def test_sound_and_pictures_are_told_apart() -> None:
    used = whole(usage=Usage(input_tokens=10, output_tokens=5, input_audio_tokens=3, output_image_tokens=5))[
        "usageMetadata"
    ]
    assert used["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 7},
        {"modality": "AUDIO", "tokenCount": 3},
    ]
    assert used["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 5}]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop", "STOP"),
        ("tool_calls", "STOP"),
        ("pause", "STOP"),
        (None, "STOP"),
        ("length", "MAX_TOKENS"),
        ("context_length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("refusal", "SAFETY"),
    ],
)
def test_each_reason_has_its_word(reason: str | None, told: str) -> None:
    assert whole(Delta("text", "Hi"), end=End(reason))["candidates"][0]["finishReason"] == told
    assert streamed(Delta("text", "Hi"), end=End(reason))[-1]["candidates"][0]["finishReason"] == told


@pytest.mark.parametrize("reason", ["content_filter", "refusal"])
def test_a_prompt_that_was_refused_has_no_candidate(reason: str) -> None:
    for answer in (whole(end=End(reason)), *streamed(end=End(reason))):
        assert answer["promptFeedback"] == {"blockReason": "SAFETY"}
        assert "candidates" not in answer and answer["usageMetadata"]["promptTokenCount"] == 10


def test_several_candidates_stay_apart() -> None:
    events = (Delta("text", "a"), Delta("text", "b", 1), Delta("text", "c"))
    assert [parts_of(whole(*events), index) for index in (0, 1)] == [[{"text": "ac"}], [{"text": "b"}]]
    assert [one["index"] for one in streamed(*events)[-1]["candidates"]] == [0, 1]


def test_citations_are_counted_in_bytes() -> None:
    cited = orjson.dumps({"url": "https://a", "title": "A", "start": 1, "end": 3}).decode()
    bare = orjson.dumps({"url": "https://b"}).decode()
    said = whole(Delta("text", "äöü"), Delta("citation", cited), Delta("citation", bare))["candidates"][0]
    assert said["citationMetadata"]["citationSources"] == [
        {"uri": "https://a", "title": "A", "startIndex": 2, "endIndex": 6},
        {"uri": "https://b"},
    ]


def test_log_probabilities() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.0}]}
    deltas = [Delta("logprobs", orjson.dumps([token]).decode())] * 2
    chosen = {"token": "a", "logProbability": -0.5}
    told: dict[str, list[Any]] = {
        "chosenCandidates": [chosen],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.0}]}],
    }
    assert streamed(*deltas)[0]["candidates"][0]["logprobsResult"] == told
    both = {name: values * 2 for name, values in told.items()}
    assert whole(*deltas)["candidates"][0]["logprobsResult"] == both


@pytest.mark.parametrize("source", ["provider", "estimated"])
def test_what_came_of_geminis_own_wire_passes_and_its_last_event_tells_the_cost(source: str) -> None:
    encoder = gemini.encoder(generation_call("streamGenerateContent"), TARGET)
    assert encoder.feed(Raw(b'data: {"a": 1}\r\n\r\n', 1)) == b'data: {"a": 1}\r\n\r\n'
    chunk: dict[str, Any] = {
        "candidates": [{"finishReason": "STOP", "avgLogprobs": -0.5}],
        "usageMetadata": {"trafficType": "X"},
    }
    last = encoder.end(End("STOP", chunk=chunk), Usage(10, 2, source=source), 1_500)
    assert last.startswith(b"data: ") and last.endswith(b"\r\n\r\n")
    counted = {"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 12}
    used: dict[str, Any] = {"trafficType": "X"} if source == "provider" else counted
    told = json.loads(last[6:])
    assert told.pop("usageMetadata") == {**used, "cost": 0.0000015}
    assert told == {"candidates": chunk["candidates"]}


def test_a_whole_answer_and_a_count_of_geminis_own_wire_pass_as_they_are() -> None:
    for call in (generation_call(), generation_call("countTokens")):
        encoder = gemini.encoder(call, TARGET)
        assert encoder.feed(Raw(b'{"a": 1}', 1)) + encoder.end(End("STOP"), USAGE, 1_500) == b'{"a": 1}'


def test_another_model_that_goes_on_is_told() -> None:
    seam = streamed(Delta("text", "a"), Delta("continued", "openai/b"), Delta("text", "c"))[1]
    assert seam["oneflow"] == {"continued_by": "openai/b"}
    assert parts_of(seam) == [{"text": ""}]


def test_counts_and_vectors() -> None:
    assert whole(call=generation_call("countTokens")) == {"totalTokens": 10}
    content = {"content": {"parts": [{"text": "a"}]}}
    told = {"usageMetadata": {"promptTokenCount": 10}}
    batch = generation_call("batchEmbedContents", requests=[content] * 2)
    vectors = (Vector(1, (0.5,)), Vector(0, (0.25,)))
    assert whole(*vectors, call=batch) == {"embeddings": [{"values": [0.25]}, {"values": [0.5]}], **told}
    alone = generation_call("embedContent", **content)
    assert whole(Vector(0, (0.5,)), call=alone) == {"embedding": {"values": [0.5]}, **told}


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (kinds.INVALID_VALUE, 400, "INVALID_ARGUMENT"),
        (kinds.MISSING_API_KEY, 401, "UNAUTHENTICATED"),
        (kinds.MODEL_NOT_ALLOWED, 403, "PERMISSION_DENIED"),
        (kinds.MODEL_NOT_FOUND, 404, "NOT_FOUND"),
        (kinds.REQUEST_TOO_LARGE, 413, "INVALID_ARGUMENT"),
        (kinds.RATE_LIMIT_EXCEEDED, 429, "RESOURCE_EXHAUSTED"),
        (kinds.INTERNAL_ERROR, 500, "INTERNAL"),
        (kinds.UPSTREAM_ERROR, 502, "UNAVAILABLE"),
        (kinds.OVERLOADED, 503, "UNAVAILABLE"),
        (kinds.DEADLINE_EXCEEDED, 504, "DEADLINE_EXCEEDED"),
    ],
)
def test_a_failure_has_the_statuss_own_word(kind: kinds.Kind, code: int, status: str) -> None:
    error = json.loads(gemini.failure_body(Failure(kind, "so it is", param="topP", retry_after_seconds=1.5), "req_1"))[
        "error"
    ]
    assert (error["code"], error["status"], error["message"]) == (code, status, "topP: so it is")
    assert error["details"] == [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": kind.code, "domain": "oneflow"},
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "topP", "description": "so it is"}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"},
        {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "req_1"},
    ]


def test_a_stream_that_breaks_ends_in_the_same() -> None:
    encoder = gemini.encoder(generation_call("streamGenerateContent"), TARGET)
    encoder.feed(Delta("text", "Hi"))
    last = encoder.failure(Failure(kinds.UPSTREAM_STREAM_INTERRUPTED, "it broke"))
    # Its clients know an error within a stream by how it begins.
    assert last.startswith(b'data: {"error":') and last.endswith(b"\r\n\r\n") and b"finishReason" not in last


def test_models_of_texts_and_of_embeddings_are_shown() -> None:
    text = json.loads(gemini.model_body(Shown("a/b", "a", ("text", "reasoning"), 1_000, 100), 0))
    assert (text["name"], text["inputTokenLimit"], text["outputTokenLimit"], text["thinking"]) == (
        "models/a/b",
        1_000,
        100,
        True,
    )
    assert text["supportedGenerationMethods"] == ["generateContent", "countTokens"]
    vectors = json.loads(gemini.model_body(Shown("a/c", "a", ("embedding",)), 0))
    assert vectors["supportedGenerationMethods"] == ["embedContent"] and "inputTokenLimit" not in vectors
    assert gemini.model_body(Shown("a/d", "a", ("image",)), 0) == b""
    assert gemini.models_body({"a": b"{}", "b": b"{}"}) == b'{"models":[{},{}]}'
