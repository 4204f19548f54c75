"""Whatever a provider answers, on whichever wire: events of sound text and sound counts, then one end, no fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Decoder, Delta, End, Event, Raw, Usage
from oneflow_ai.providers.anthropic_stream import decoder_of
from oneflow_ai.providers.bedrock_stream import StreamDecoder as BedrockStream
from oneflow_ai.providers.bedrock_stream import text_decoder as bedrock_text
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_stream import StreamDecoder as GeminiStream
from oneflow_ai.providers.gemini_stream import text_decoder as gemini_text
from oneflow_ai.providers.openai_stream import text_decoder as openai_text
from tests.wire.decoding import events_of, pieces
from tests.wire.frames import event as frame

COUNT_MOST = 1 << 56
_USAGE = [field.name for field in fields(Usage)]
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1.5, -0.0, 1e300, float("nan"), float("inf"), 2**63, -(2**70), 10**400),
        *("", "x", "\ud800", "a\udc00b", "\x00", "tool_use", "stop", [], [[]], [None], {}, {"type": "x"}),
        *([{}], {"a": {"b": [1]}}, {"text": None}, {"text": "\ud83d"}, {"message": "x"}, {"error": {"message": 1}}),
    ]
)
USED = {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}, "total_tokens": 12}
CALLED = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
SAID = {"role": "assistant", "content": "Hi", "reasoning_content": "I", "refusal": None, "tool_calls": [CALLED]}
OPENAI = {"id": "1", "model": "m", "usage": USED, "choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}]}
OPENAI_EVENTS = [
    {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]},
    {"id": "1", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **CALLED}]}, "finish_reason": None}]},
    {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
    {"id": "1", "choices": [], "usage": USED},
]
SPENT: dict[str, Any] = {
    "input_tokens": 5,
    "output_tokens": 7,
    "cache_read_input_tokens": 2,
    "server_tool_use": {"web_search_requests": 1},
}
CITED = {"type": "char_location", "cited_text": "x", "document_title": "t", "start_char_index": 0}
BLOCKS: list[Any] = [
    {"type": "thinking", "thinking": "I", "signature": "s"},
    {"type": "text", "text": "Hi", "citations": [CITED]},
    {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}},
]
ANTHROPIC = {"type": "message", "id": "1", "model": "m", "content": BLOCKS, "stop_reason": "tool_use", "usage": SPENT}
ANTHROPIC_EVENTS: list[Any] = [
    {"type": "message_start", "message": {**ANTHROPIC, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITED}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": BLOCKS[2]},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": SPENT},
    {"type": "message_stop"},
]
GROUND: dict[str, Any] = {"groundingChunks": [{"web": {"uri": "u", "title": "t"}}]}
GROUND |= {"groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 1}, "groundingChunkIndices": [0]}]}
PARTS: list[Any] = [
    {"text": "I", "thought": True},
    {"text": "Hi"},
    {"functionCall": {"name": "look", "args": {"a": 1}}},
]
LIKELY: dict[str, Any] = {
    "chosenCandidates": [{"token": "a", "logProbability": -1}],
    "topCandidates": [{"candidates": []}],
}
COUNTED = {
    "promptTokenCount": 5,
    "candidatesTokenCount": 7,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}],
}
CANDIDATE = {
    "content": {"parts": PARTS},
    "finishReason": "STOP",
    "index": 0,
    "groundingMetadata": GROUND,
    "logprobsResult": LIKELY,
}
GEMINI = {"candidates": [CANDIDATE], "usageMetadata": COUNTED, "modelVersion": "m", "responseId": "1"}
TOKENS = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12, "cacheDetails": [{"ttl": "1h", "inputTokens": 1}]}
SOURCE = {"title": "t", "location": {"web": {"url": "u"}}, "sourceContent": [{"text": "x"}]}
CONTENT: list[Any] = [
    {"text": "Hi"},
    {"reasoningContent": {"reasoningText": {"text": "I", "signature": "s"}}},
    {"toolUse": {"toolUseId": "t", "name": "look", "input": {"a": 1}}},
    {"citationsContent": {"content": [{"text": "x"}], "citations": [SOURCE]}},
]
BEDROCK = {"output": {"message": {"content": CONTENT}}, "stopReason": "tool_use", "usage": TOKENS}
BEDROCK_EVENTS: list[Any] = [
    ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi", "citation": SOURCE}}],
    ["contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "look"}}}],
    ["contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{}"}}}],
    ["messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"stop_sequence": "x"}}],
    ["metadata", {"usage": TOKENS, "serviceTier": {"type": "default"}}],
]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _events(values: Any) -> bytes:
    listed = values if isinstance(values, list) else [values]
    return b"".join(b"data: %b\n\n" % _json(value) for value in listed)


def _frames(values: Any) -> bytes:
    pairs = [pair if isinstance(pair, list) and len(pair) == 2 else ["metadata", pair] for pair in values]
    return b"".join(frame(name if name in _NAMES else "metadata", _json(payload)) for name, payload in pairs)


_NAMES = ("contentBlockDelta", "contentBlockStart", "messageStop", "metadata")
WIRES: dict[str, tuple[Callable[[], Decoder], Any, Callable[[Any], bytes]]] = {
    "openai": (lambda: openai_text(stream=False, raw=False, include_usage=True), OPENAI, _json),
    "openai raw": (lambda: openai_text(stream=False, raw=True, include_usage=True), OPENAI, _json),
    "openai stream": (lambda: openai_text(stream=True, raw=False, include_usage=True), OPENAI_EVENTS, _events),
    "openai raw stream": (lambda: openai_text(stream=True, raw=True, include_usage=False), OPENAI_EVENTS, _events),
    "anthropic": (lambda: decoder_of(Operation.CHAT, stream=False, raw=False), ANTHROPIC, _json),
    "anthropic raw": (lambda: decoder_of(Operation.CHAT, stream=False, raw=True), ANTHROPIC, _json),
    "anthropic stream": (lambda: decoder_of(Operation.CHAT, stream=True, raw=False), ANTHROPIC_EVENTS, _events),
    "anthropic raw stream": (lambda: decoder_of(Operation.CHAT, stream=True, raw=True), ANTHROPIC_EVENTS, _events),
    "gemini": (lambda: gemini_text(Answer("req_1")), GEMINI, _json),
    "gemini raw": (lambda: gemini_text(Answer("req_1", raw=True)), GEMINI, _json),
    "gemini stream": (lambda: GeminiStream(Answer("req_1")), [GEMINI, GEMINI], _events),
    "gemini raw stream": (lambda: GeminiStream(Answer("req_1", raw=True)), [GEMINI, GEMINI], _events),
    "bedrock": (bedrock_text, BEDROCK, _json),
    "bedrock stream": (lambda: BedrockStream("m"), BEDROCK_EVENTS, _frames),
}


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *[each for name, part in inner for each in _places(part, (*path, name))]]


def _sound(events: list[Event]) -> None:
    for event in events:
        match event:
            case Delta():
                (event.text + event.tool_id).encode()
                assert type(event.index) is int and type(event.tool_index) is int
            case Raw():
                event.content.decode()
            case Usage():
                counts = [getattr(event, name) for name in _USAGE if name.endswith(("tokens", "searches"))]
                assert all(type(count) is int and 0 <= count <= COUNT_MOST for count in counts)
            case End():
                (f"{event.reason}{event.model}{event.stop_sequence}{event.answer_id}{event.failure}").encode()
                orjson.dumps(event.chunk)


@pytest.mark.parametrize("wire", WIRES)
def test_an_answer_without_oddities_is_whole(wire: str) -> None:
    make, document, write = WIRES[wire]
    ended = events_of(make(), [write(document) + b"data: [DONE]\n\n" * ("openai" in wire and "stream" in wire)])[-1]
    assert isinstance(ended, End) and ended.failure is None


@pytest.mark.parametrize("wire", WIRES)
def test_an_answer_that_is_nested_deeply_ends_in_order(wire: str) -> None:
    make, document, write = WIRES[wire]
    for *way, last in _places(document):
        deep = copy.deepcopy(document)
        part = deep
        for step in way:
            part = part[step]
        part[last] = DEEP
        _sound(events_of(make(), [write(deep)]))


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_answer_with_oddities_ends_in_order(wire: str, data: st.DataObject) -> None:
    make, document, write = WIRES[wire]
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(_places(document)))
        part = document
        for step in way:
            part = part[step]
        part[last] = copy.deepcopy(data.draw(ODD))
        if not _places(document):
            break
    body = write(document)
    cut = data.draw(st.integers(0, len(body)))
    _sound(events_of(make(), pieces(body, [cut])))


@pytest.mark.parametrize("wire", WIRES)
@given(value=ODD)
def test_a_body_that_is_no_answer_ends_in_a_failure(wire: str, value: Any) -> None:
    make, _, write = WIRES[wire]
    events = events_of(make(), [write([value] if write is _frames else value)])
    _sound(events)
    ended = events[-1]
    assert isinstance(ended, End) and ended.failure is not None


@pytest.mark.parametrize("wire", [name for name in WIRES if "raw" not in name])
def test_text_that_is_no_unicode_is_mended(wire: str) -> None:
    make, document, write = WIRES[wire]
    body = write(document).replace(b'"Hi"', b'"Hi\\ud800"')
    if write is _frames:
        body = _frames([["contentBlockDelta", {"delta": {"text": "Hi\ud800"}}], *BEDROCK_EVENTS[1:]])
    events = events_of(make(), [body])
    texts = [event.text for event in events if isinstance(event, Delta) and event.kind == "text"]
    assert texts[0] == "Hi\N{REPLACEMENT CHARACTER}"
