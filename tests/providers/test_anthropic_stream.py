"""The decoders' own rules, beyond what golden exchanges show: bounds, ends, and that nothing makes them fail."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_TOO_LARGE
from oneflow_ai.providers.anthropic_stream import StreamDecoder, decoder_of
from oneflow_ai.providers.sse import EVENT_BYTES_MOST
from tests.wire.decoding import pieces


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))


START = event("message_start", message={"id": "msg_1", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}})
TEXT = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
PIECE = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"})
CLOSE = event("content_block_stop", index=0)
PING = event("ping")
STOP = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7})
END = event("message_stop")
DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


def decode(*chunks: bytes, raw: bool = True) -> list[Event]:
    decoder = StreamDecoder(raw=raw)
    found = [one for chunk in chunks for one in decoder.feed(chunk)]
    return [*found, *decoder.close()]


def end_of(events: list[Event]) -> End:
    assert isinstance(events[-1], End)
    return events[-1]


def test_one_read_of_many_events_gives_one_raw() -> None:
    found = decode(START + TEXT + PIECE * 3 + CLOSE + STOP + END)
    assert found[:2] == [Raw(START + TEXT + PIECE * 3 + CLOSE, 3), Usage(3, 7)]
    assert (end_of(found).reason, end_of(found).model, end_of(found).answer_id) == ("end_turn", "m", "msg_1")


def test_nothing_comes_after_the_end() -> None:
    for last in (END, event("error", error={"type": "api_error", "message": "x"})):
        decoder = StreamDecoder(raw=True)
        assert isinstance(decoder.feed(START + PIECE + last)[-1], End)
        assert decoder.feed(PIECE) == decoder.close() == []


@pytest.mark.parametrize("raw", [True, False])
def test_an_event_too_large_ends_the_stream_after_what_came_before(raw: bool) -> None:
    huge = PIECE.partition(b'"a"')[0] + b'"' + b"y" * EVENT_BYTES_MOST
    events = decode(START + PIECE + huge, raw=raw)
    failure = end_of(events).failure
    assert failure is not None and failure.kind is UPSTREAM_TOO_LARGE
    assert events[0] == (Raw(START + PIECE, 1) if raw else Delta("text", "a"))


def test_what_is_no_content_does_not_commit_an_answer() -> None:
    for quiet in (START, TEXT, PING, CLOSE, event("new_event", a=1)):
        assert decode(quiet)[0] == Raw(quiet, 0)
        assert [one for one in decode(quiet, raw=False) if isinstance(one, Delta)] == []


@pytest.mark.parametrize(
    "kind", ["tool_use", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result"]
)
def test_a_block_that_begins_is_content_where_it_is_not_a_text(kind: str) -> None:
    begun = event("content_block_start", index=0, content_block={"type": kind})
    assert decode(begun)[0] == Raw(begun, 1)


def test_pings_are_progress_while_nothing_else_can_be_seen() -> None:
    thinks = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
    assert decode(START + thinks + PING * 2)[0] == Raw(START + thinks + PING * 2, 3)
    assert decode(START + thinks + PING, raw=False)[:2] == [Delta("reasoning", ""), Delta("reasoning", "")]
    assert decode(START + thinks + TEXT + PING)[0] == Raw(START + thinks + TEXT + PING, 1)


def test_the_last_two_events_are_held_back_with_all_they_say() -> None:
    first = event(
        "message_delta",
        delta={"stop_reason": None, "container": {"id": "c"}},
        usage={"input_tokens": 5, "output_tokens": 2},
    )
    found = decode(START + PIECE + first + STOP + END)
    assert found[0] == Raw(START + PIECE, 1)
    assert found[1] == Usage(5, 7)
    assert end_of(found).chunk == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "container": {"id": "c"}},
        "usage": {"input_tokens": 5, "output_tokens": 7},
    }


def test_a_stop_reason_is_an_end_even_without_the_mark_after_it() -> None:
    for rest in (b"", STOP[:-2].partition(b"\n")[0]):
        assert end_of(decode(START + PIECE + STOP + rest)).failure is None
    assert end_of(decode(START + PIECE + STOP[:-2])).failure is None
    cut = end_of(decode(START + PIECE + STOP[:-4])).failure
    assert cut is not None and cut.kind.code == "upstream_stream_interrupted"


REFUSED = {
    "stop_reason": "refusal",
    "stop_details": {"type": "refusal", "category": "cyber", "explanation": "Because policy"},
}


@pytest.mark.parametrize("details", [{}, {"stop_details": None}, {"stop_details": {"explanation": None}}])
def test_a_refusal_is_told_in_the_words_that_it_has(details: dict[str, Any]) -> None:
    stop = event("message_delta", delta=REFUSED, usage={"output_tokens": 7})
    found = decode(START + stop + END, raw=False)
    assert found[:2] == [Delta("refusal", "Because policy"), Usage(3, 7)]
    assert end_of(found).reason == "refusal"
    assert end_of(decode(START + stop + END)).chunk is not None
    silent = event("message_delta", delta={"stop_reason": "refusal", **details}, usage={"output_tokens": 7})
    assert [one for one in decode(START + silent + END, raw=False) if isinstance(one, Delta)] == []
    body = {"type": "message", "id": "m", "model": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 7}}
    for fields, said in ((REFUSED, ["Because policy"]), ({**REFUSED, "stop_details": None}, [])):
        decoder = decoder_of(Operation.CHAT, stream=False, raw=False)
        whole = [*decoder.feed(orjson.dumps({**body, **fields})), *decoder.close()]
        assert [one.text for one in whole if isinstance(one, Delta)] == said


def test_a_mark_without_an_answer_is_none() -> None:
    for body in (END, PING + END):
        failure = end_of(decode(body)).failure
        assert failure is not None and failure.kind is UPSTREAM_BAD_RESPONSE


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "upstream_bad_response"),
        (b"<html></html>", "upstream_bad_response"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', "upstream_overloaded"),
        (b'data: {"error":{"type":"rate_limit_error","message":"x"}}\n\n', "upstream_rate_limited"),
        (b"data: [1]\n\n", "upstream_bad_response"),
        (b"data: {\n\n", "upstream_bad_response"),
        (b": comment\n\n", "upstream_bad_response"),
        (b"data: [DONE]\n\n", "upstream_bad_response"),
        (b"data: " + DEEP * 5 + b"\n\n", "upstream_bad_response"),
        (b'event: message_delta\ndata: {"type":"message_delta","a":' + DEEP + b"}\n\n", "upstream_bad_response"),
        (event("error", error={"type": "overloaded_error", "message": "Overloaded"}), "upstream_overloaded"),
        (
            event("error", error={"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}),
            "context_length_exceeded",
        ),
        (
            event(
                "error", error={"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}
            ),
            "provider_quota_exhausted",
        ),
        (event("error", error="words"), "upstream_error"),
        (event("error"), "upstream_error"),
    ],
)
def test_what_is_no_answer_is_a_failure(body: bytes, code: str) -> None:
    for raw in (True, False):
        failure = end_of(decode(body, raw=raw)).failure
        assert failure is not None and failure.kind.code == code


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "index", "delta", "usage", "message", "content_block", "text", "id", "input", "error"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
        "x",
    ]
)
FIELDS = st.dictionaries(
    st.sampled_from(["index", "delta", "usage", "message", "content_block", "error"]), ODD, max_size=4
)


@given(st.lists(st.tuples(NAMES, FIELDS), max_size=6), st.booleans(), st.data())
def test_odd_shapes_never_make_a_decoder_fail(events: list[tuple[str, Any]], raw: bool, data: st.DataObject) -> None:
    body = b"".join(
        b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps({**fields, "type": name}).encode())
        for name, fields in events
    )
    cut = data.draw(st.integers(0, len(body)))
    found = decode(*pieces(body, [cut]), raw=raw)
    assert [isinstance(one, End) for one in found].count(True) == 1
    end = end_of(found)
    if end.failure is None and end.chunk is not None:
        orjson.dumps(end.chunk)


@pytest.mark.parametrize("odd", [[], {}, 7, None])
@pytest.mark.parametrize("raw", [False, True])
def test_a_type_that_is_no_name_is_one_that_nobody_knows(odd: Any, raw: bool) -> None:
    events = (
        {"type": odd},
        {"type": "content_block_start", "index": 0, "content_block": {"type": odd}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": odd}},
    )
    body = b"".join(b"event: x\ndata: %b\n\n" % json.dumps(event).encode() for event in events)
    assert end_of(decode(body, raw=raw)).failure is not None


@given(ODD, st.sampled_from(list(Operation)), st.booleans())
def test_odd_whole_answers_never_make_a_decoder_fail(found: Any, operation: Operation, raw: bool) -> None:
    decoder = decoder_of(operation, stream=False, raw=raw)
    assert decoder.feed(json.dumps(found).encode()) == []
    assert isinstance(decoder.close()[-1], End)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_at_all_end_once(body: bytes, raw: bool) -> None:
    assert isinstance(decode(body, raw=raw)[-1], End)


def test_a_citation_tells_what_of_the_answer_rests_on_it() -> None:
    cited = {
        "type": "web_search_result_location",
        "cited_text": "q",
        "url": "https://a",
        "title": "T",
        "encrypted_index": "x",
    }
    page = {
        "type": "page_location",
        "cited_text": "p",
        "document_title": "D",
        "document_index": 0,
        "start_page_number": 1,
    }
    body = START + TEXT + PIECE + CLOSE
    body += event("content_block_start", index=1, content_block={"type": "text", "text": "", "citations": []})
    body += event("content_block_delta", index=1, delta={"type": "citations_delta", "citation": cited})
    body += event("content_block_delta", index=1, delta={"type": "text_delta", "text": "bcd"})
    body += event("content_block_delta", index=1, delta={"type": "citations_delta", "citation": page})
    found = decode(body + event("content_block_stop", index=1) + STOP + END, raw=False)
    told = [json.loads(one.text) for one in found if isinstance(one, Delta) and one.kind == "citation"]
    assert told == [
        {"url": "https://a", "title": "T", "text": "q", "start": 1, "end": 4},
        {"title": "D", "text": "p", "start": 1, "end": 4},
    ]
