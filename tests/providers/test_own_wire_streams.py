"""No answer, however odd, makes a decoder of Gemini's or Bedrock's do anything but end, once."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Decoder, End, Event
from oneflow_ai.providers import bedrock_stream, gemini_stream
from oneflow_ai.providers.bedrock_frames import MESSAGE_BYTES_MOST
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.sse import EVENT_BYTES_MOST
from tests.wire.frames import event, frame

GEMINI_FIELDS = (
    "candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name", "args",
    "id", "index", "finishReason", "citationMetadata", "citationSources", "startIndex", "endIndex", "uri",
    "groundingMetadata", "groundingChunks", "groundingSupports", "groundingChunkIndices", "segment", "web",
    "logprobsResult", "chosenCandidates", "topCandidates", "token", "logProbability", "usageMetadata",
    "promptTokenCount", "totalTokenCount", "promptFeedback", "blockReason", "modelVersion", "responseId",
    "error", "code", "message", "details", "embeddings", "values", "totalTokens",
)  # fmt: skip
CONVERSE_FIELDS = (
    "contentBlockIndex", "start", "delta", "text", "toolUse", "toolUseId", "name", "input",
    "reasoningContent", "reasoningText", "signature", "redactedContent", "citation", "citationsContent",
    "content", "citations", "location", "web", "url", "title", "sourceContent", "source", "stopReason",
    "additionalModelResponseFields", "stop_sequence", "usage", "inputTokens", "outputTokens", "cacheDetails",
    "serviceTier", "output", "message", "type", "ttl", "Output", "__type",
)  # fmt: skip
EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x")


def anything(fields: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Any JSON whose objects have such fields."""
    leaves = (
        st.none() | st.booleans() | st.integers(-3, 1 << 60) | st.floats(allow_nan=False) | st.text(max_size=5)
        | st.sampled_from(("STOP", "end_turn", "tool_use", "SAFETY", "MALFORMED_FUNCTION_CALL"))
    )  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(fields), inner, max_size=4),
        max_leaves=25,
    )


def ended(decoder: Decoder, *chunks: bytes) -> End:
    """The end of what a decoder makes of these chunks; it asserts that there is one, the last event."""
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
    events += decoder.close()
    (end,) = (each for each in events if isinstance(each, End))
    assert events[-1] is end
    assert (end.failure is None) or end.failure.kind.cause == "upstream"
    return end


@given(st.lists(anything(GEMINI_FIELDS), max_size=4))
def test_any_stream_of_geminis_ends(found: list[Any]) -> None:
    ended(gemini_stream.StreamDecoder(Answer("req_1")), *(b"data: " + orjson.dumps(each) + b"\n\n" for each in found))


@given(st.dictionaries(st.sampled_from(GEMINI_FIELDS), anything(GEMINI_FIELDS), max_size=4))
def test_any_whole_answer_of_geminis_ends(found: dict[str, Any]) -> None:
    body = orjson.dumps(found)
    for decoder in (
        gemini_stream.text_decoder(Answer("r")),
        gemini_stream.vector_decoder(1),
        gemini_stream.count_decoder(),
    ):
        ended(decoder, body)


@given(st.lists(st.tuples(st.sampled_from(EVENTS), anything(CONVERSE_FIELDS)), max_size=5))
def test_any_stream_of_converse_ends(found: list[tuple[str, Any]]) -> None:
    ended(bedrock_stream.StreamDecoder("m"), *(event(kind, payload) for kind, payload in found))


@given(st.dictionaries(st.sampled_from(CONVERSE_FIELDS), anything(CONVERSE_FIELDS), max_size=4))
def test_any_whole_answer_of_converse_ends(found: dict[str, Any]) -> None:
    body = orjson.dumps(found)
    for decoder in (bedrock_stream.text_decoder(), bedrock_stream.count_decoder()):
        ended(decoder, body)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_end(body: bytes, cut: int) -> None:
    for decoder in (
        gemini_stream.StreamDecoder(Answer("r")),
        gemini_stream.text_decoder(Answer("r")),
        bedrock_stream.StreamDecoder("m"),
        bedrock_stream.text_decoder(),
    ):
        assert ended(decoder, body[:cut], body[cut:]).failure is not None


@given(
    st.binary(max_size=80), st.dictionaries(st.sampled_from((":message-type", ":event-type", "x")), st.text(max_size=9))
)
def test_any_payload_in_sound_framing_ends(payload: bytes, headers: dict[str, str]) -> None:
    ended(bedrock_stream.StreamDecoder("m"), frame(headers, payload))


DEEP = "[" * 500 + "]" * 500


@pytest.mark.parametrize(
    "body",
    [
        '{"candidates":' + DEEP + "}",
        '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":' + DEEP + "}}}]}}]}",
        '{"candidates":[{"index":' + "9" * 400 + "}]}",
        '{"candidates":[{"avgLogprobs":NaN}]}',
        '{"error":{"code":' + "9" * 400 + ',"message":"' + "x" * 100_000 + '"}}',
        '{"candidates":[{"content":{"parts":[{"text":"\\ud800"}]}}]}',
    ],
    ids=["deep", "deep arguments", "huge index", "NaN", "huge error", "half a character"],
)
def test_odd_json_of_geminis_ends(body: str) -> None:
    assert ended(gemini_stream.StreamDecoder(Answer("r")), f"data: {body}\n\n".encode()).failure is not None
    assert ended(gemini_stream.text_decoder(Answer("r")), body.encode()).failure is not None


@pytest.mark.parametrize(
    "body",
    [
        '{"delta":' + DEEP + "}",
        '{"contentBlockIndex":' + "9" * 400 + ',"delta":{"toolUse":{"input":"x"}}}',
        '{"delta":{"text":NaN}}',
        '{"delta":{"text":"\\ud800"}}',
    ],
    ids=["deep", "huge index", "NaN", "half a character"],
)
def test_odd_json_of_converse_ends(body: str) -> None:
    assert ended(bedrock_stream.StreamDecoder("m"), event("contentBlockDelta", body.encode())).failure is not None
    assert ended(bedrock_stream.text_decoder(), body.encode()).failure is not None


def test_a_giant_event_is_refused_before_it_is_whole() -> None:
    gemini = ended(gemini_stream.StreamDecoder(Answer("r")), b"data: " + b"x" * (EVENT_BYTES_MOST + 1))
    giant = event("contentBlockDelta", b"x" * MESSAGE_BYTES_MOST)
    bedrock = ended(bedrock_stream.StreamDecoder("m"), giant[:12])
    for end in (gemini, bedrock):
        assert end.failure is not None and end.failure.code == "upstream_too_large"


def test_nothing_comes_after_the_end() -> None:
    stream = gemini_stream.StreamDecoder(Answer("r"))
    stream.feed(b'data: {"error":{"code":500}}\n\n')
    assert stream.feed(b"data: {}\n\n") == stream.close() == []
    messages = bedrock_stream.StreamDecoder("m")
    messages.feed(event("messageStop", {"stopReason": "end_turn"}) + event("metadata", {}))
    assert messages.feed(event("contentBlockDelta", {"delta": {"text": "x"}})) == messages.close() == []
