"""Gemini's answers passed on as they are: golden and recorded ones, cut at every point, and odd ones, end the same."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Decoder, End, Raw, Usage
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_own import MADE_BYTES_MOST
from oneflow_ai.providers.gemini_stream import StreamDecoder, count_decoder, text_decoder
from oneflow_ai.providers.sse import EVENT_BYTES_MOST
from tests.needs import require
from tests.providers.test_own_wire_streams import GEMINI_FIELDS, anything, ended
from tests.wire.decoding import events_of, gathered, pieces, single_bytes
from tests.wire.generations import generation_call
from tests.wire.golden import body_of, golden
from tests.wire.middle import decoded
from tests.wire.requests import target_of

CALL_ID = "req_00c0ffee"
SAID = {"candidates": [{"content": {"parts": [{"text": "Hel"}], "role": "model"}, "index": 0}]}
ENDS = {"candidates": [{"content": {"parts": [{"text": "lo"}]}, "finishReason": "STOP", "avgLogprobs": -0.5}]}
USED = {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}}


def decoder(kind: str, *, raw: bool = True) -> Decoder:
    if kind == "count":
        return count_decoder(raw=raw)
    answer = Answer(CALL_ID, raw=raw)
    return StreamDecoder(answer) if kind == "stream" else text_decoder(answer)


def found(kind: str, chunks: list[bytes]) -> dict[str, Any]:
    return gathered(decoder(kind), chunks, "chunk", "answer_id")


def documents(stream: bytes) -> list[Any]:
    """What the events of a stream hold, those that are whole."""
    events = stream.replace(b"\r\n", b"\n").split(b"\n\n")
    found = [b" ".join(line[5:] for line in event.split(b"\n") if line.startswith(b"data:")) for event in events]
    return [json.loads(data) for data in found if data.strip() and is_json(data)]


def is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("file", golden("gemini", "stream", "whole", "count"))
def test_every_cut_gives_the_same(file: dict[str, Any]) -> None:
    kind, body = file["kind"], body_of(file)
    expected = found(kind, [body])
    assert found(kind, single_bytes(body)) == expected
    for cut in range(1, len(body)):
        assert found(kind, pieces(body, [cut])) == expected, f"cut at {cut}"


@pytest.mark.parametrize("file", golden("gemini", "stream", "whole", "count"))
def test_it_is_what_the_provider_sent_and_counts_and_fails_as_in_the_middle_form(file: dict[str, Any]) -> None:
    kind, body = file["kind"], body_of(file)
    raw, middle = found(kind, [body]), decoded(decoder(kind, raw=False), [body])
    assert raw["usage"] == middle["usage"]
    for name in ("failure", "model", "answer_id"):
        assert raw["end"][name] == middle["end"][name]
    if kind != "stream":
        assert raw["raw"] == (b"" if raw["end"]["failure"] else body)
    elif raw["end"]["failure"] is None:
        assert [*documents(raw["raw"]), raw["end"]["chunk"]] == documents(body)
    else:
        sent = documents(raw["raw"])
        assert sent == documents(body)[: len(sent)]


@pytest.mark.parametrize("name", ["generate", "generate-cached", "generate-tools", "generate-vision", "count-tokens"])
def test_a_recorded_answer_passes_as_it_is(name: str) -> None:
    text = (require("shared") / "recordings" / "gemini" / f"{name}.json").read_text("utf-8")
    body = json.loads(text)["response"]["body"].encode()
    kind = "count" if name == "count-tokens" else "whole"
    raw = found(kind, single_bytes(body))
    assert (raw["raw"], raw["end"]["failure"]) == (body, None)
    assert raw["usage"] == decoded(decoder(kind, raw=False), [body])["usage"]


def test_a_recorded_stream_is_cut_anywhere() -> None:
    text = (require("shared") / "recordings" / "gemini" / "generate-stream.json").read_text("utf-8")
    body = json.loads(text)["response"]["body"].encode()
    whole = found("stream", [body])
    assert [*documents(whole["raw"]), whole["end"]["chunk"]] == documents(body)
    assert whole["end"]["reason"] == "STOP"
    for length in range(len(body)):
        cut = found("stream", [body[:length]])
        # Only the blank line behind the last event may be missing.
        assert cut["end"]["failure"] is not None or cut["end"] == whole["end"], length


def events(*found: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(each) + b"\r\n\r\n" for each in found)


def test_what_may_be_the_last_event_waits_for_the_next() -> None:
    stream = decoder("stream")
    (first,) = stream.feed(events(SAID))
    assert first == Raw(events(SAID), 1)
    assert stream.feed(events(ENDS)) == []
    (second,) = stream.feed(events(USED))
    assert second == Raw(events(ENDS), 1)
    usage, end = stream.close()
    assert usage == Usage(3, 2)
    assert isinstance(end, End) and (end.reason, end.chunk) == ("STOP", USED)


def test_of_several_candidates_each_must_have_its_end() -> None:
    other = {"candidates": [{"content": {"parts": [{"text": "b"}]}, "index": 1}]}
    cut = found("stream", [events(SAID, other, ENDS)])
    assert cut["end"]["failure"]["code"] == "upstream_stream_interrupted"
    ended = {"candidates": [{"finishReason": "MAX_TOKENS", "index": 1}]}
    assert found("stream", [events(SAID, other, ENDS, ended)])["end"]["reason"] == "STOP", "the first one's"


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ({"text": ""}, 0),
        ({"text": "", "thought": True}, 0),
        ({"text": "a", "thought": True}, 1),
        ({"functionCall": {"name": "f"}}, 1),
        ({"executableCode": {"code": "1"}}, 1),
        ({"inlineData": {"mimeType": "image/png", "data": "AA=="}}, 1),
        ({"text": "", "thoughtSignature": "EqQB"}, 1),
    ],
    ids=str,
)
def test_what_is_content(part: dict[str, Any], content: int) -> None:
    (first, *_) = events_of(decoder("stream"), [events({"candidates": [{"content": {"parts": [part]}}]})])
    assert isinstance(first, Raw) and first.content_events == content


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"error": {"code": 503, "message": "busy"}}, "upstream_overloaded"),
        ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, "upstream_bad_response"),
    ],
    ids=["error", "broken call"],
)
def test_what_fails_is_not_passed_on(said: dict[str, Any], code: str) -> None:
    failed = found("stream", [events(SAID, ENDS, said)])
    assert failed["end"]["failure"]["code"] == code
    assert b"error" not in failed["raw"] and b"MALFORMED" not in failed["raw"]
    assert found("whole", [orjson.dumps(said)])["raw"] == b""


def test_a_prompt_that_was_blocked_has_its_own_word() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **USED}
    for kind, body in (("stream", events(blocked)), ("whole", orjson.dumps(blocked))):
        end = found(kind, [body])["end"]
        assert (end["reason"], end["failure"]) == ("PROHIBITED_CONTENT", None)


def test_data_in_several_lines_and_half_a_character_are_mended() -> None:
    lines = b'data: {"candidates":\ndata: [{"content":{"parts":[{"text":"\\ud800"}]}}]}\n\n'
    (first, *_) = events_of(decoder("stream"), [lines])
    assert isinstance(first, Raw) and first.content.count(b"data: ") == 1
    assert documents(first.content)[0]["candidates"][0]["content"]["parts"] == [{"text": "\N{REPLACEMENT CHARACTER}"}]


@given(st.lists(anything(GEMINI_FIELDS), max_size=4))
def test_any_stream_ends(said: list[Any]) -> None:
    end = ended(decoder("stream"), *(b"data: " + orjson.dumps(each) + b"\n\n" for each in said))
    assert (end.chunk is not None) or end.failure is not None


@given(st.dictionaries(st.sampled_from(GEMINI_FIELDS), anything(GEMINI_FIELDS), max_size=4))
def test_any_whole_answer_ends(said: dict[str, Any]) -> None:
    for kind in ("whole", "count"):
        ended(decoder(kind), orjson.dumps(said))


def test_a_last_event_that_cannot_be_written_again_is_a_failure() -> None:
    deep = b'{"candidates":[{"finishReason":"STOP","x":' + b"[" * 300 + b"]" * 300 + b"}]}"
    assert found("stream", [b"data: " + deep + b"\n\n"])["end"]["failure"]["code"] == "upstream_bad_response"


@pytest.mark.parametrize(
    ("model", "fields", "more"),
    [
        ("gemini-3.8-flash", {}, 0),
        ("gemini-3.8-flash", {"tools": [{"codeExecution": {}}]}, MADE_BYTES_MOST),
        ("gemini-3.8-flash", {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, MADE_BYTES_MOST),
    ],
)
def test_an_event_is_no_larger_than_what_was_asked_for(model: str, fields: dict[str, Any], more: int) -> None:
    target = target_of("gemini", model=model)
    for over in (0, 2):
        made = target.adapter.decoder(generation_call("streamGenerateContent", **fields), target)
        said = b"data: " + b"x" * (EVENT_BYTES_MOST + more - 6 + over)
        failed = [event for event in made.feed(said) if isinstance(event, End) and event.failure]
        assert [end.failure.code for end in failed if end.failure] == ["upstream_too_large"] * (over > 0)
