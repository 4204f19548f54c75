"""Transcripts of OpenAI's wire in every format: passed on, decoded, and counted by the best evidence there is."""

import json
import struct
from typing import Any

import pytest

from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE
from oneflow_ai.core.order import Content, TranscriptOrder
from oneflow_ai.core.sound import milliseconds_of
from oneflow_ai.providers.openai_transcripts import transcript_decoder
from tests.needs import require

WAV = (
    b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"
    + struct.pack("<HHIIHH", 1, 1, 8_000, 16_000, 2, 16)
    + b"data\0\0\0\0"
    + bytes(32_000)
)
AUDIO = Content(WAV, "talk.wav", "audio/wav")
TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 5,
    "total_tokens": 19,
}


def decode(body: bytes, format: str = "json", *, raw: bool = True, stream: bool = False, cut: int = 0) -> list[Event]:
    decoder = transcript_decoder(TranscriptOrder(AUDIO, format=format), {}, raw=raw, stream=stream)
    return [*decoder.feed(body[:cut]), *decoder.feed(body[cut:]), *decoder.close()]


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"usage": TOKENS}, Usage(14, 5, input_audio_tokens=10, audio_milliseconds=2_000)),
        ({"usage": {"type": "duration", "seconds": 2.5}}, Usage(audio_milliseconds=2_500)),
        ({"duration": 3.0001}, Usage(audio_milliseconds=3_001)),
        ({"duration": "4.5"}, Usage(audio_milliseconds=4_500)),
        ({}, Usage(audio_milliseconds=2_000, source="estimated")),
        ({"usage": {"seconds": -1}}, Usage(audio_milliseconds=2_000, source="estimated")),
        ({"usage": {"seconds": True}, "duration": "long"}, Usage(audio_milliseconds=2_000, source="estimated")),
        ({"usage": {"seconds": 1e300}}, Usage(audio_milliseconds=2_000, source="estimated")),
    ],
)
def test_an_object_is_passed_on_and_counted_by_the_best_that_it_tells(told: dict[str, Any], usage: Usage) -> None:
    body = json.dumps({"text": "Hello.", **told}).encode()
    for cut in range(0, len(body), 7):
        assert decode(body, cut=cut) == [Raw(body, 1), usage, End()]
    assert decode(body, raw=False) == [Delta("text", "Hello."), usage, End()]


@pytest.mark.parametrize(
    ("format", "body", "milliseconds"),
    [
        ("text", b"Hello.\n", 2_000),
        ("srt", b"1\n00:00:00,000 --> 00:00:03,500\nHello.\n\n2\n00:00:03,500 --> 01:00:04,250\nBye.\n", 3_604_250),
        ("vtt", b"WEBVTT\n\n00:00.000 --> 00:01.250\nHello.\n", 1_250),
        ("vtt", b"WEBVTT\n", 2_000),
    ],
)
def test_plain_text_is_passed_on_and_its_length_estimated(format: str, body: bytes, milliseconds: int) -> None:
    usage = Usage(audio_milliseconds=milliseconds, source="estimated")
    assert decode(body, format) == [Raw(body, 1), usage, End()]


def test_text_of_a_server_that_knows_one_format_only() -> None:
    assert decode(b'{"text":"Hello."}', "text", raw=False)[0] == Delta("text", "Hello.")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"text":7}', b'{"error":{"message":"no"}}', b"<html>"])
def test_what_is_no_transcript_is_a_failure(body: bytes) -> None:
    (end,) = decode(body)
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)


WORD, DONE = {"type": "transcript.text.delta", "delta": "Hello."}, {"type": "transcript.text.done", "usage": TOKENS}


@pytest.mark.parametrize("ending", [b"", b"data: [DONE]\n\n"])
def test_a_stream_passes_as_it_is_and_is_counted_however_it_is_cut(ending: bytes) -> None:
    body = stream(WORD, WORD, DONE) + ending
    for cut in range(len(body)):
        events = decode(body, stream=True, cut=cut)
        assert b"".join(event.content for event in events if isinstance(event, Raw)) == stream(WORD, WORD)
        end = End(chunk={"event": DONE, "name": None, "done": bool(ending)})
        assert events[-2:] == [Usage(14, 5, input_audio_tokens=10, audio_milliseconds=2_000), end]


def test_a_stream_that_breaks_is_never_whole() -> None:
    for body in (
        stream(WORD),
        stream(WORD) + b"data: [DONE]\n\n",
        stream(WORD, {"type": "error", "error": {"message": "no"}}),
    ):
        *_, usage, end = decode(body, stream=True)
        assert isinstance(usage, Usage) and usage.source == "estimated"
        assert isinstance(end, End) and end.failure is not None


@pytest.mark.parametrize(
    ("head", "bytes_per_second"),
    [
        (b"\xff\xfb\x90\x00", 16_000), (b"\xff\xfb\xe0\x00", 40_000), (b"\xff\xf3\x40\x00", 4_000),
        (b"OggS", 16_000), (b"", 16_000),
    ],
)  # fmt: skip
def test_how_long_a_recording_is(head: bytes, bytes_per_second: int) -> None:
    content = Content(head.ljust(80_000, b"\0"), "a", "audio/mpeg")
    assert milliseconds_of(content) == 80_000 * 1000 // bytes_per_second


def kept(end: Event) -> bytes:
    """What waits for the end, as it came: the last event, and the mark after it."""
    assert isinstance(end, End) and end.failure is None
    if end.chunk is None:
        return b""
    told = json.dumps(end.chunk["event"], separators=(",", ":"), ensure_ascii=False).encode()
    return b"data: " + told + b"\n\n" + (b"data: [DONE]\n\n" if end.chunk["done"] else b"")


@pytest.mark.parametrize(
    ("name", "format", "usage"),
    [
        (
            "audio-transcription-gpt-4o-transcribe-usage",
            "json",
            Usage(1, 5, input_audio_tokens=1, audio_milliseconds=2_000),
        ),
        ("audio-transcription-whisper-1-verbose", "verbose_json", Usage(audio_milliseconds=4_000)),
        ("audio-translation", "json", Usage(audio_milliseconds=2_000, source="estimated")),
        (
            "audio-transcription-stream-gpt-4o-transcribe",
            "json",
            Usage(37, 12, input_audio_tokens=37, audio_milliseconds=2_000),
        ),
    ],
)
def test_recorded_transcripts(name: str, format: str, usage: Usage) -> None:
    recorded = json.loads((require("shared") / "recordings" / "openai" / f"{name}.json").read_text("utf-8"))
    body = recorded["response"]["body"].encode()
    # Of a stream the line ends are ours.
    given = body.replace(b"\r\n", b"\n") if "stream" in name else body
    for cut in range(0, len(body), 97):
        *raw, found, end = decode(body, format, stream="stream" in name, cut=cut)
        assert b"".join(event.content for event in raw if isinstance(event, Raw)) + kept(end) == given
        assert found == usage
