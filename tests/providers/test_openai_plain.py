"""Events told by their shape: whatever is read is what would have been read one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oneflow_ai.core.events import Event, Raw
from oneflow_ai.providers.openai_plain import MISSES_MOST, PlainText
from oneflow_ai.providers.openai_stream import StreamDecoder

FIRST: dict[str, Any] = {"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
PIECE: dict[str, Any] = {
    "choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": None, "finish_reason": None}],
    "usage": None,
}
PLAIN = json.dumps(PIECE).encode()
TWO = [*PIECE["choices"], {"index": 1, "delta": {"content": "b"}}]
CALL: list[dict[str, Any]] = [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]

# What may stand beside a piece of text, or in its place: most leave it one, but for what it says.
_TEXTS = st.sampled_from(["a", "", None, "zwölf", "\x7f", '"', 7, ["a"]])
_IN_DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": _TEXTS,
        "reasoning_content": _TEXTS,
        "tool_calls": st.sampled_from([None, [], CALL]),
        "function_call": st.sampled_from([None, {"name": "f", "arguments": "{}"}]),
    },
)
_IN_CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, None, 0.0, "0"]),
        "delta": st.none(),
        "text": _TEXTS,
        "finish_reason": st.sampled_from(["", "stop", "tool_calls", 3]),
    },
)
_IN_CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.sampled_from([None, [], TWO]),
        "usage": st.sampled_from([{}, {"prompt_tokens": 3, "completion_tokens": 4}]),
        "error": st.sampled_from([{}, {"message": "broken"}]),
        "x_groq": st.sampled_from([None, {"usage": {"prompt_tokens": 3, "completion_tokens": 5}}, {"error": "broken"}]),
    },
)


def changed(delta: dict[str, Any], choice: dict[str, Any], chunk: dict[str, Any]) -> bytes:
    """The event of a piece of text, with this in it too, or in the place of what it says."""
    (piece,) = PIECE["choices"]
    return json.dumps(
        {**PIECE, "choices": [{**piece, "delta": {**piece["delta"], **delta}, **choice}], **chunk}
    ).encode()


_NOTHING: st.SearchStrategy[dict[str, Any]] = st.just({})
ODD = (
    b"", b"[DONE]", b"[]", b"{", b"7", b'{"choices":[]} {"choices":[]}', b'{"choices":[{"delta":{"content":"\xff"}}]}',
    b'{"a":"\xff","choices":[{"delta":{"content":"a"}}]}', b'{"choices":[{"delta":{"content":"\\ud800"}}]}',
    b'{"choices":[{"delta":{"content":"a"},"finish_reason":null,"finish_reason":"stop"}]}',
    b'{"choices":[{"delta":{"content":"a"}}],"n":NaN}', b"[" * 100_000,
    b'{"n":' + b"[" * 1_024 + b"]" * 1_024 + b',"choices":[{"delta":{"content":"a"}}]}',
    b'{"choices":\ndata: [{"delta":{"content":"a"}}]}', b'{"choices":[{"delta":{"content":"a"}}]}\nevent: x',
)  # fmt: skip
events = st.one_of(
    st.just(PLAIN),
    st.builds(changed, _IN_DELTA, _NOTHING, _NOTHING),
    st.builds(changed, _NOTHING, _IN_CHOICE, _NOTHING),
    st.builds(changed, _NOTHING, _NOTHING, _IN_CHUNK),
    st.builds(changed, _IN_DELTA, _IN_CHOICE, _IN_CHUNK),
    st.sampled_from(ODD),
)

FINISHED = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()
ENDINGS: tuple[list[bytes], ...] = ([], [FINISHED], [FINISHED, b"[DONE]"], [b"[DONE]"])


def read(reads: list[list[bytes]]) -> tuple[bytes, int, list[Event]]:
    """The bytes that are passed on, how many events of content they are, and all else, of a stream read so."""
    decoder = StreamDecoder(raw=True, include_usage=True)
    found = [event for read in reads for event in decoder.feed(b"".join(b"data: %b\n\n" % data for data in read))]
    found += decoder.close()
    raws: list[Raw] = [event for event in found if isinstance(event, Raw)]
    rest: list[Event] = [event for event in found if not isinstance(event, Raw)]
    return b"".join(raw.content for raw in raws), sum(raw.content_events for raw in raws), rest


@settings(max_examples=300)
@given(st.lists(events, min_size=3, max_size=12), st.sampled_from(ENDINGS))
@example([PLAIN] * 5, ENDINGS[0])
@example([changed({}, {"index": 1}, {}), *[PLAIN] * 5], [FINISHED])
@example([changed({}, {}, {"choices": TWO}), *[PLAIN] * 5], [FINISHED])
@example([changed({"tool_calls": CALL}, {}, {}), *[PLAIN] * 5], [b"[DONE]"])
@example([changed({"function_call": CALL[0]["function"]}, {}, {}), *[PLAIN] * 5], [b"[DONE]"])
def test_what_comes_at_once_is_read_as_what_comes_little_by_little(pieces: list[bytes], ending: list[bytes]) -> None:
    stream = [json.dumps(FIRST).encode(), *pieces, *ending]
    # Of two at a time each is read.
    pairs = [stream[place : place + 2] for place in range(0, len(stream), 2)]
    assert str(read([stream])) == str(read(pairs)) == str(read([[data] for data in stream]))


def test_events_that_bring_a_piece_of_text_are_told_by_their_shape() -> None:
    assert PlainText().count([PLAIN] * 3, 0) == 3
    assert PlainText().count([PLAIN, PLAIN, b"[DONE]"], 1) == 1
    # Nobody looks how large a number is that nobody reads.
    assert PlainText().is_one(b'{"n":1e999,"choices":[{"delta":{"content":"a"}}]}')
    assert PlainText().is_one("zwölf".join(('{"choices":[{"delta":{"content":"', '"}}]}')).encode())


@pytest.mark.parametrize("data", ODD)
def test_nothing_else_is_told_by_its_shape(data: bytes) -> None:
    # A line feed comes of several lines of data.
    assert PlainText().count([data.replace(b"\ndata: ", b"\n")], 0) == 0


def test_who_finds_none_looks_no_more() -> None:
    plain = PlainText()
    for _ in range(MISSES_MOST - 1):
        assert not plain.is_one(b"[DONE]")
    # One that is found begins the count anew.
    assert plain.is_one(PLAIN)
    for _ in range(MISSES_MOST):
        assert not plain.is_one(b"[DONE]")
    assert not plain.is_one(PLAIN)
