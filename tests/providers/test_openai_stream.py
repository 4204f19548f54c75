"""The decoders' own rules, beyond what golden exchanges show: bounds, ends, and that nothing makes them fail."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_RATE_LIMITED, UPSTREAM_TOO_LARGE
from oneflow_ai.core.ports import RateHints
from oneflow_ai.dialects.openai import stream_end
from oneflow_ai.dialects.plain import text_call
from oneflow_ai.providers.openai_stream import StreamDecoder, text_decoder
from oneflow_ai.providers.sse import EVENT_BYTES_MOST
from tests.wire.requests import call_of, envelope, target_of

CONTENT = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
STOP = b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


def decode(*chunks: bytes, raw: bool = True, include_usage: bool = False) -> list[Event]:
    decoder = StreamDecoder(raw=raw, include_usage=include_usage)
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*found, *decoder.close()]


def end_of(events: list[Event]) -> End:
    assert isinstance(events[-1], End)
    return events[-1]


def test_one_read_of_many_events_gives_one_raw() -> None:
    first, last = decode(CONTENT * 3 + STOP, DONE)
    assert first == Raw(CONTENT * 3 + STOP, 3)
    assert end_of([last]).reason == "stop"


@pytest.mark.parametrize("ping", [b'event: ping\ndata: {"type":"ping"}\n\n', b"data: {}\n\n"])
def test_an_event_that_is_no_chunk_of_an_answer_is_not_passed_on(ping: bytes) -> None:
    """The official client makes a chunk of every event, and one without choices breaks whoever reads it."""
    events = decode(ping, CONTENT, ping, CONTENT + ping + STOP, ping + DONE)
    assert b"".join(event.content for event in events if isinstance(event, Raw)) == CONTENT * 2 + STOP
    assert end_of(events).failure is None
    (nothing,) = decode(ping, DONE)
    assert end_of([nothing]).failure is not None


def test_nothing_comes_after_the_end() -> None:
    decoder = StreamDecoder(raw=True, include_usage=False)
    decoder.feed(CONTENT + DONE)
    assert decoder.feed(CONTENT) == decoder.close() == decoder.close() == []
    failed = StreamDecoder(raw=True, include_usage=False)
    failed.feed(b'data: {"error":{"message":"x"}}\n\n')
    assert failed.feed(CONTENT) == failed.close() == []


@pytest.mark.parametrize("raw", [True, False])
def test_an_event_too_large_ends_the_stream_after_what_came_before(raw: bool) -> None:
    huge = b'data: {"id":"x","choices":[{"delta":{"content":"' + b"y" * EVENT_BYTES_MOST
    for chunks in (
        (CONTENT + huge,),
        (CONTENT, *(huge[start : start + 65_536] for start in range(0, len(huge), 65_536))),
    ):
        events = decode(*chunks, raw=raw)
        failure = end_of(events).failure
        assert failure is not None and failure.kind is UPSTREAM_TOO_LARGE
        assert events[:-1] == ([Raw(CONTENT, 1)] if raw else [Delta("text", "a")])


def test_a_large_event_within_the_bound_passes() -> None:
    large = CONTENT.replace(b'"a"', b'"' + b"a" * (EVENT_BYTES_MOST - 200) + b'"')
    assert decode(large, STOP)[0] == Raw(large, 1)


def test_many_tool_calls_are_passed_and_told_apart() -> None:
    calls = [{"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(100_000)]
    deltas = [{"tool_calls": calls[start : start + 10_000]} for start in range(0, len(calls), 10_000)]
    events = [b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n" for delta in deltas]
    assert sum(event.content_events for event in decode(*events, STOP) if isinstance(event, Raw)) == 10
    found = [event for event in decode(*events, STOP, raw=False) if isinstance(event, Delta)]
    assert len(found) == 200_000
    assert len({delta.tool_index for delta in found}) == 100_000


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a"}, {"reasoning": "a"}, {"reasoning_content": "a"}, {"refusal": "a"}, {"tool_calls": [{}]},
        {"function_call": {"name": "f"}}, {"audio": {"id": "a"}}, {"images": [{}]},
    ],
)  # fmt: skip
def test_content_commits_an_answer(delta: dict[str, Any]) -> None:
    event = b"data: " + orjson.dumps({"choices": [{"delta": delta}]}) + b"\n\n"
    assert decode(event)[0] == Raw(event, 1)


@pytest.mark.parametrize("delta", [{}, {"role": "assistant"}, {"role": "assistant", "content": ""}, {"content": None}])
def test_a_role_alone_does_not(delta: dict[str, Any]) -> None:
    event = b"data: " + orjson.dumps({"choices": [{"delta": delta}]}) + b"\n\n"
    assert decode(event)[0] == Raw(event, 0)


def test_the_last_usage_counts() -> None:
    def told(usage: Any) -> bytes:
        return b"data: " + orjson.dumps({"id": "x", "choices": [], "usage": usage}) + b"\n\n"

    first, second = {"prompt_tokens": 1, "completion_tokens": 2}, {"prompt_tokens": 3, "completion_tokens": 4}
    for frames, usage in (
        ([first, second], Usage(3, 4)),
        ([first, second, None], Usage(3, 4)),
        ([first, {}], Usage(1, 2)),
        ([first, {"prompt_tokens": "3"}], None),
        ([{}], None),
        ([[first]], None),
    ):
        events = decode(CONTENT, *map(told, frames), STOP)
        assert [event for event in events if isinstance(event, Usage)] == ([] if usage is None else [usage])


@pytest.mark.parametrize("own", [None, "x", [], {}, {"usage": None}, {"usage": "x"}, {"usage": {}}, {"error": None}])
def test_an_own_field_that_says_nothing_changes_nothing(own: Any) -> None:
    event = b"data: " + orjson.dumps({"id": "x", "choices": [], "x_groq": own}) + b"\n\n"
    first, end = decode(event, STOP)[0], end_of(decode(event, STOP))
    assert first == Raw(event, 0)
    assert (end.reason, end.failure, end.chunk) == ("stop", None, {"id": "x", "usage": None})


def test_usage_that_was_asked_for_counts_before_the_own_field() -> None:
    asked, own = {"prompt_tokens": 1, "completion_tokens": 2}, {"prompt_tokens": 8, "completion_tokens": 9}
    both = b"data: " + orjson.dumps({"id": "x", "choices": [], "usage": asked, "x_groq": {"usage": own}}) + b"\n\n"
    assert decode(both, STOP)[-2] == Usage(1, 2)


def test_a_usage_chunk_keeps_the_fields_that_only_it_has() -> None:
    last = {"id": "x", "choices": [], "citations": ["a"], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    end = end_of(decode(CONTENT, b"data: " + orjson.dumps(last) + b"\n\n", STOP))
    assert end.chunk == last


def test_what_a_closing_chunk_lacks_comes_from_the_first() -> None:
    first = {"id": "x", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": []}
    last: dict[str, Any] = {"id": None, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    end = end_of(decode(b"data: " + orjson.dumps(first) + b"\n\n", b"data: " + orjson.dumps(last) + b"\n\n", STOP))
    assert end.chunk == {**first, "usage": last["usage"]}
    assert end.model == "m"


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("raw", [True, False])
def test_what_is_nested_too_deep_to_encode_is_no_fault_of_ours(raw: bool, include_usage: bool) -> None:
    """The parser goes deeper than the encoder: a chunk that must be encoded again is refused, others pass as bytes."""
    passes = b'data: {"id":' + DEEP + b',"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    end = end_of(decode(passes, DONE, raw=raw, include_usage=include_usage))
    assert end.failure is None
    stream_end(end, Usage(), 0, include_usage)
    for name in (b"usage", b"x_groq"):
        refused = b'data: {"choices":[{"delta":{"content":"a"}}],"' + name + b'":' + DEEP + b"}\n\n"
        failure = end_of(decode(refused, DONE, raw=raw, include_usage=include_usage)).failure
        assert failure is not None and failure.kind is UPSTREAM_BAD_RESPONSE
    tool = b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":' + DEEP + b"}}]}}]}\n\n"
    assert end_of(decode(tool, STOP, raw=raw)).failure is None


def test_a_whole_answer_gives_nothing_before_its_end() -> None:
    decoder = text_decoder(stream=False, raw=True, include_usage=False)
    body = b'{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}'
    assert decoder.feed(body[:20]) == decoder.feed(body[20:]) == []
    assert decoder.close() == [Raw(body, 1), End("stop")]


def test_the_adapter_decodes_for_the_clients_dialect() -> None:
    target = target_of("openai")
    adapter = target.adapter
    body = {"model": "text", "messages": [{"role": "user", "content": "a"}], "stream": True}
    raw = adapter.decoder(call_of(body), target)
    assert raw.feed(CONTENT) == [Raw(CONTENT, 1)]
    plain = adapter.decoder(text_call("a", {}, envelope(), model="text", stream=True), target)
    assert plain.feed(CONTENT) == [Delta("text", "a")]
    whole = adapter.decoder(call_of({"model": "text", "prompt": "a"}, Operation.COMPLETION), target)
    assert whole.feed(b"{}") == []
    asked = adapter.decoder(call_of({**body, "stream_options": {"include_usage": True}}), target)
    on_content = b'data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}\n\n'
    assert asked.feed(on_content) == [Raw(on_content.replace(b'{"prompt_tokens":1}', b"null"), 1)]


def test_the_adapter_reads_failures_and_limits() -> None:
    adapter = target_of("openai").adapter
    assert adapter.failure(429, {"retry-after": "2"}, b"").kind is UPSTREAM_RATE_LIMITED
    assert adapter.hints({"x-ratelimit-remaining-requests": "5"}) == RateHints(remaining_requests=5)


_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4))
_NAMES = [
    *("id", "choices", "delta", "message", "content", "tool_calls", "function", "arguments", "name", "index", "usage"),
    *("error", "finish_reason", "x_groq", "model", "text", "thinking", "type", "object", "reasoning", "function_call"),
]
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)),
    max_leaves=20,
)
_CHUNKS = st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=5)


@given(st.lists(_CHUNKS, max_size=4), st.booleans(), st.booleans())
def test_any_json_ends_a_stream_once(chunks: list[Any], raw: bool, include_usage: bool) -> None:
    events = decode(
        *(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), raw=raw, include_usage=include_usage
    )
    assert [event for event in events if isinstance(event, End)] == events[-1:]
    for event in events:
        if isinstance(event, Raw):
            event.content.decode()
    stream_end(end_of(events), Usage(), 0, include_usage)


@given(st.lists(_CHUNKS, max_size=4), st.booleans(), st.booleans())
def test_events_one_by_one_are_the_same_as_together(chunks: list[Any], raw: bool, include_usage: bool) -> None:
    events = [CONTENT, *(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), STOP, DONE]
    alone, together = (
        decode(*each, raw=raw, include_usage=include_usage) for each in (events, [events[0], b"".join(events[1:])])
    )
    others = [[repr(event) for event in each if not isinstance(event, Raw)] for each in (alone, together)]
    assert others[0] == others[1]
    assert passed_on(alone) == passed_on(together)


def passed_on(events: list[Event]) -> tuple[bytes, int]:
    raws = [event for event in events if isinstance(event, Raw)]
    return b"".join(raw.content for raw in raws), sum(raw.content_events for raw in raws)


@given(_JSON, st.booleans())
def test_any_json_ends_a_whole_answer_once(found: Any, raw: bool) -> None:
    decoder = text_decoder(stream=False, raw=raw, include_usage=False)
    decoder.feed(json.dumps(found).encode())
    events = decoder.close()
    assert [event for event in events if isinstance(event, End)] == events[-1:]


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_any_bytes_end_once(body: bytes, raw: bool, stream: bool) -> None:
    decoder = text_decoder(stream=stream, raw=raw, include_usage=False)
    events = [*decoder.feed(b"data: " + body + b"\n\n" if stream else body), *decoder.close()]
    assert [event for event in events if isinstance(event, End)] == events[-1:]
    for event in events:
        if isinstance(event, Raw):
            event.content.decode()
