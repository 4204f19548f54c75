"""Recorded exchanges of Gemini's and Bedrock's wires decode to what they hold, however they are cut."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.events import Decoder, Delta, Usage, Vector
from oneflow_ai.providers import bedrock_failure, bedrock_stream, gemini_failure, gemini_stream
from oneflow_ai.providers.gemini_answer import Answer
from tests.needs import require
from tests.wire.decoding import events_of, pieces, single_bytes
from tests.wire.middle import decoded

# Every cut of the large ones would take long and show nothing more.
CUTS_MOST = 1_500
CALL_ID = "req_00c0ffee"
DECODERS: dict[str, Callable[[], Decoder]] = {
    "gemini/generate": lambda: gemini_stream.text_decoder(Answer(CALL_ID)),
    "gemini/generate-cached": lambda: gemini_stream.text_decoder(Answer(CALL_ID)),
    "gemini/generate-tools": lambda: gemini_stream.text_decoder(Answer(CALL_ID)),
    "gemini/generate-vision": lambda: gemini_stream.text_decoder(Answer(CALL_ID)),
    "gemini/generate-stream": lambda: gemini_stream.StreamDecoder(Answer(CALL_ID)),
    "gemini/embed": lambda: gemini_stream.vector_decoder(1),
    "gemini/count-tokens": gemini_stream.count_decoder,
    "bedrock/converse": bedrock_stream.text_decoder,
    "bedrock/converse-stream-eventstream": lambda: bedrock_stream.StreamDecoder("us.anthropic.claude-haiku-4-5"),
}
USAGES = {
    "gemini/generate": None,
    "gemini/generate-cached": Usage(9_622, 171, cached_tokens=9_609, reasoning_tokens=136, service_tier="standard"),
    "gemini/generate-tools": Usage(25, 7),
    "gemini/generate-vision": Usage(21, 15),
    "gemini/generate-stream": Usage(8, 27, reasoning_tokens=20, service_tier="standard"),
    "gemini/embed": None,
    "gemini/count-tokens": Usage(12),
    "bedrock/converse": Usage(13, 12),
    "bedrock/converse-stream-eventstream": Usage(670, 28),
}
FAILURES = {
    "gemini/generate-err-400-api-key": "provider_auth_failed",
    "bedrock/converse-err-400": "upstream_rejected",
    "bedrock/converse-err-403": "provider_auth_failed",
}


@pytest.fixture(scope="module")
def recordings() -> dict[str, dict[str, Any]]:
    """Every recording of the two wires, by its name."""
    folder: Path = require("shared") / "recordings"
    paths = [*folder.glob("gemini/*.json"), *folder.glob("bedrock/*.json")]
    return {f"{path.parent.name}/{path.stem}": json.loads(path.read_text("utf-8")) for path in paths}


def body_of(recording: dict[str, Any]) -> bytes:
    answer = recording["response"]
    return b64decode(answer["body_base64"]) if "body_base64" in answer else answer["body"].encode()


def test_every_recording_is_known(recordings: dict[str, dict[str, Any]]) -> None:
    assert set(recordings) == {*DECODERS, *FAILURES}


@pytest.mark.parametrize("name", DECODERS)
def test_every_cut_gives_the_same_events(recordings: dict[str, dict[str, Any]], name: str) -> None:
    body, make = body_of(recordings[name]), DECODERS[name]
    expected = decoded(make(), [body])
    assert expected["end"]["failure"] is None
    assert decoded(make(), single_bytes(body)) == expected
    for cut in range(1, len(body), max(1, len(body) // CUTS_MOST)):
        assert decoded(make(), pieces(body, [cut])) == expected, f"cut at {cut}"


@pytest.mark.parametrize("name", DECODERS)
def test_the_usage_is_what_was_told(recordings: dict[str, dict[str, Any]], name: str) -> None:
    usage = decoded(DECODERS[name](), [body_of(recordings[name])])["usage"]
    if name == "gemini/generate":
        told = json.loads(body_of(recordings[name]))["usageMetadata"]
        thoughts = told["thoughtsTokenCount"]
        expected = Usage(told["promptTokenCount"], told["candidatesTokenCount"] + thoughts, reasoning_tokens=thoughts)
        assert usage == expected
    else:
        assert usage == USAGES[name]


@pytest.mark.parametrize("name", [name for name in DECODERS if "stream" in name])
def test_a_stream_that_was_cut_is_a_failure(recordings: dict[str, dict[str, Any]], name: str) -> None:
    body = body_of(recordings[name])
    whole = decoded(DECODERS[name](), [body])
    for length in range(len(body) - 4):
        found = decoded(DECODERS[name](), [body[:length]])
        # Why the model stopped may have come, and the usage not.
        if found["end"]["failure"] is None:
            assert found["deltas"] == whole["deltas"] and found["end"] == whole["end"], length


def test_what_they_say(recordings: dict[str, dict[str, Any]]) -> None:
    def said(name: str) -> str:
        events = events_of(DECODERS[name](), [body_of(recordings[name])])
        return "".join(event.text for event in events if isinstance(event, Delta) and event.kind == "text")

    assert said("gemini/generate-stream") == "1, 2, 3"
    assert said("gemini/generate").startswith("AI stands for **Artificial Intelligence**.")
    assert said("bedrock/converse") == "Hello! How can I help you today?"
    assert said("bedrock/converse-stream-eventstream") == "Ruby was created by Yukihiro Matsumoto in 1993."
    tools = decoded(DECODERS["gemini/generate-tools"](), [body_of(recordings["gemini/generate-tools"])])
    assert tools["deltas"] == [
        Delta("tool_call", "get_current_weather", tool_id="call_00c0ffee_1"),
        Delta("tool_arguments", '{"location":"Boston"}'),
    ]
    assert tools["end"]["reason"] == "tool_calls"
    (vector,) = decoded(DECODERS["gemini/embed"](), [body_of(recordings["gemini/embed"])])["vectors"]
    assert isinstance(vector, Vector) and len(vector.values) == 768
    cited = decoded(DECODERS["bedrock/converse-stream-eventstream"](), [
        body_of(recordings["bedrock/converse-stream-eventstream"])
    ])["deltas"][0]  # fmt: skip
    assert cited.kind == "citation"
    assert json.loads(cited.text)["title"] == "facts"


def test_a_refusal_has_its_kind(recordings: dict[str, dict[str, Any]]) -> None:
    for name, code in FAILURES.items():
        answer = recordings[name]["response"]
        read = gemini_failure.failure_of if name.startswith("gemini") else bedrock_failure.failure_of
        headers = {field.lower(): value for field, value in answer["headers"].items()}
        failure = read(answer["status"], headers, answer["body"].encode())
        assert failure.kind.code == code, name
        if code == "upstream_rejected":
            assert failure.status == answer["status"]
