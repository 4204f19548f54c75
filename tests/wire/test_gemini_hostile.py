"""Requests and answers in Gemini's dialect made to do harm: they end in a failure, and cost no more than their size."""

from __future__ import annotations

import gc
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects import gemini
from tests.wire.generations import HELLO, generation_call, raw_call
from tests.wire.requests import target_of
from tests.wire.test_hostile import LONGER_MOST, ODD_VALUES, SMALL, TIMES, is_read_or_refused

TARGET, OWN = target_of("openai"), target_of("gemini", model="gemini-3.8-flash")
MORE: list[Any] = [
    {"parts": [1]},
    {"parts": [{}]},
    [{"functionDeclarations": [{"name": []}]}],
    {"functionCallingConfig": 5},
]
PARTS = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "thought",
    "thoughtSignature",
    "executableCode",
)
WITHIN: dict[str, tuple[str, ...]] = {
    "inlineData": ("mimeType", "data", "displayName"),
    "fileData": ("mimeType", "fileUri"),
    "functionCall": ("id", "name", "args"),
    "functionResponse": ("id", "name", "response", "parts"),
}
GOOD: dict[str, dict[str, Any]] = {
    "inlineData": {"mimeType": "image/png", "data": "aGk="},
    "fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"},
    "functionCall": {"id": "c", "name": "f", "args": {}},
    "functionResponse": {"id": "c", "name": "f", "response": {}},
}
FIELDS = (
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "labels",
    "store",
)
SETTINGS = (
    "stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities", "topK",
    "candidateCount", "seed", "responseLogprobs", "logprobs", "thinkingConfig", "speechConfig",
)  # fmt: skip


FOREIGN = b64encode(b"of:anthropic:s1").decode()


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    """Without the collector, whose time grows with all that the tests before have left."""
    gc.disable()
    yield
    gc.enable()


def asked(**fields: Any) -> Call | Failure:
    try:
        return generation_call(**fields)
    except Failure as failure:
        return failure


def parts(*given: Any, role: str = "user") -> dict[str, Any]:
    called = {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "f"}}]}
    return {"contents": [HELLO, called, {"role": role, "parts": list(given)}]}


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_of_any_shape_is_taken_or_refused(kind: str) -> None:
    for role in ("user", "model"):
        for odd in [*ODD_VALUES, {"a": 1}]:
            assert is_read_or_refused(asked(**parts({kind: odd}, role=role))), odd
            for field in WITHIN.get(kind, ()):
                assert is_read_or_refused(asked(**parts({kind: {**GOOD[kind], field: odd}}, role=role))), (field, odd)


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_any_shape_is_taken_or_refused(field: str) -> None:
    for odd in [*ODD_VALUES, *MORE]:
        assert is_read_or_refused(asked(**{field: odd})), odd


@pytest.mark.parametrize("field", SETTINGS)
def test_a_setting_of_any_shape_is_taken_or_refused(field: str) -> None:
    for odd in [
        *ODD_VALUES,
        {"thinkingLevel": []},
        {"nullable": True, "type": [], "properties": {"a": 5}, "anyOf": [5]},
    ]:
        for kind in ({}, {"responseMimeType": "application/json"}):
            assert is_read_or_refused(asked(generationConfig={**kind, field: odd})), odd


@pytest.mark.parametrize("depth", range(240, 256))
def test_arguments_of_any_depth_are_told(depth: int) -> None:
    arguments = '{"a":' + "[" * depth + "]" * depth + "}"
    for method in ("generateContent", "streamGenerateContent"):
        encoder = gemini.encoder(generation_call(method), TARGET)
        encoder.feed(Delta("tool_call", "look", tool_id="call_1"))
        encoder.feed(Delta("tool_arguments", arguments))
        assert b'"functionCall"' in encoder.end(End("tool_calls"), Usage(1, 1), 0)


@pytest.mark.parametrize("text", ["[" * 250 + "]" * 250, "[5]", '[{"token":[1],"logprob":"x","top_logprobs":5}]'])
def test_log_probabilities_of_any_shape_are_told(text: str) -> None:
    for method in ("generateContent", "streamGenerateContent"):
        encoder = gemini.encoder(generation_call(method), TARGET)
        content = encoder.feed(Delta("logprobs", text)) + encoder.end(End("stop"), Usage(1, 1), 0)
        assert b"logprobsResult" in content


def _calls(number: int) -> list[Any]:
    calls = [{"functionCall": {"id": f"c{place}", "name": "f"}} for place in range(number)]
    results = [{"functionResponse": {"id": f"c{place}", "name": "f", "response": {}}} for place in range(number)]
    return [HELLO, {"role": "model", "parts": calls}, {"role": "user", "parts": results[::-1]}]


def _nameless(number: int) -> list[Any]:
    calls = [{"functionCall": {"name": f"f{place}"}} for place in range(number)]
    results = [{"functionResponse": {"name": f"f{place}", "response": {}}} for place in range(number)]
    return [HELLO, {"role": "model", "parts": calls}, {"role": "user", "parts": results[::-1]}]


SHAPES: dict[str, Callable[[int], list[Any]]] = {
    "contents": lambda number: [HELLO] * number,
    "turns": lambda number: [HELLO, {"role": "model", "parts": [{"text": "a"}]}] * (number // 2),
    "parts": lambda number: [{"role": "user", "parts": [{"text": "a"}] * number}],
    "pieces": lambda number: [HELLO, *[{"role": "model", "parts": [{"text": "a"}]}] * number],
    "thoughts": lambda number: [HELLO, *[{"role": "model", "parts": [{"text": "a", "thought": True}]}] * number],
    "seals of others": lambda number: [
        HELLO,
        *[{"role": "model", "parts": [{"text": "a", "thoughtSignature": FOREIGN}]}] * number,
    ],
    "calls": _calls,
    "calls without ids": _nameless,
}


def grows(seconds: Callable[[int], float]) -> float:
    """How many times as long so much more takes."""
    short, long = (min(seconds(number) for _ in range(3)) for number in (SMALL, SMALL * TIMES))
    return long / max(short, 0.002)


@pytest.mark.parametrize("name", SHAPES)
def test_a_long_request_is_read_in_a_time_that_grows_as_it_does(name: str) -> None:
    def seconds(number: int) -> float:
        contents = SHAPES[name](number)
        began = time.thread_time()
        call = generation_call(contents=contents)
        call.prompt()
        OWN.adapter.request(call, OWN)
        return time.thread_time() - began

    assert grows(seconds) < LONGER_MOST


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
@pytest.mark.parametrize("kind", ["text", "reasoning", "tool_call", "citation", "tool_signature", "logprobs"])
def test_a_long_answer_is_written_in_a_time_that_grows_as_it_does(kind: str, method: str) -> None:
    texts = {"citation": '{"url":"https://a.example","start":1,"end":2}', "logprobs": "[]"}

    def seconds(number: int) -> float:
        encoder = gemini.encoder(generation_call(method), TARGET)
        began = time.thread_time()
        encoder.feed(Delta("text", "ä" * number))
        encoder.feed(Delta("tool_call", "f", 0, 0, "c"))
        for place in range(number):
            encoder.feed(
                Delta(kind, texts.get(kind, "word"), 0, place if kind == "tool_call" else 0, f"c{place}", "gemini")
            )
        encoder.end(End("stop"), Usage(), 0)
        return time.thread_time() - began

    assert grows(seconds) < LONGER_MOST


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe{}", b'{"contents":[{"parts":[{"text":"\\ud800"}]}]}', b'{"contents":' + b"[" * 70 + b"]" * 70 + b"}"],
)
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        raw_call(body)
    assert caught.value.status == 400
