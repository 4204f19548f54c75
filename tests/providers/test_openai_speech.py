"""Speech of OpenAI's wire: sound passed on as it comes, events counted, and what is no sound."""

import base64
import json
from typing import Any

import pytest

from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, UPSTREAM_BAD_RESPONSE, Failure
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.providers.openai_speech import SpeechStreamDecoder, body_of, sound_decoder
from tests.needs import require

ORDER = SpeechOrder("six words", voice="alloy")
SPOKEN = Usage(characters=9)
MPEG = {"content-type": "audio/mpeg"}


def decode(body: bytes, headers: dict[str, str], size: int = 3) -> list[Event]:
    decoder = sound_decoder(ORDER, headers)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


def test_sound_is_given_as_it_comes() -> None:
    decoder = sound_decoder(ORDER, MPEG)
    assert decoder.feed(b"abc") == [Blob(b"abc", "audio/mpeg")]
    assert decoder.feed(b"d") == [Blob(b"d", "audio/mpeg")]
    assert decoder.close() == [SPOKEN, End()]


@pytest.mark.parametrize(
    ("told", "media_type"),
    [
        ({"content-type": "audio/pcm; rate=24000"}, "audio/pcm"),
        ({"content-type": "application/octet-stream"}, "audio/mpeg"),
        ({}, "audio/mpeg"),
    ],
)
def test_what_the_sound_is(told: dict[str, str], media_type: str) -> None:
    assert decode(b"abc", told)[0] == Blob(b"abc", media_type)


@pytest.mark.parametrize("told", ["application/json", "text/html; charset=utf-8", "application/problem+json"])
def test_what_is_no_sound_is_never_given(told: str) -> None:
    (end,) = decode(b'{"error":"no"}', {"content-type": told})
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


def test_silence_is_a_failure() -> None:
    (end,) = decode(b"", MPEG)
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)


SOUND = {"type": "speech.audio.delta", "audio": base64.b64encode(b"abc").decode()}
DONE = {"type": "speech.audio.done", "usage": {"input_tokens": 2, "output_tokens": 5, "total_tokens": 7}}
# The last event waits for the end, when what it cost is known.
ENDED = End(chunk={"event": DONE, "name": None, "done": False})


def test_events_pass_as_they_are_and_are_counted_however_they_are_cut() -> None:
    body = stream(SOUND, SOUND, DONE)
    for cut in range(len(body)):
        decoder = SpeechStreamDecoder(ORDER)
        events = [*decoder.feed(body[:cut]), *decoder.feed(body[cut:]), *decoder.close()]
        assert b"".join(event.content for event in events if isinstance(event, Raw)) == stream(SOUND, SOUND)
        assert sum(event.content_events for event in events if isinstance(event, Raw)) == 2
        assert events[-2:] == [Usage(2, 5, output_audio_tokens=5, characters=9), ENDED]


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ((SOUND,), "upstream_stream_interrupted"),
        ((SOUND, {"type": "error", "error": {"message": "no more"}}), "upstream_error"),
    ],
)
def test_speech_that_breaks_is_never_whole(events: tuple[dict[str, Any], ...], code: str) -> None:
    decoder = SpeechStreamDecoder(ORDER)
    *_, usage, end = [*decoder.feed(stream(*events)), *decoder.close()]
    assert usage == SPOKEN
    assert isinstance(end, End) and end.failure is not None and end.failure.code == code


def test_an_order_of_another_wire() -> None:
    order = SpeechOrder("a", "unused", "wav", speed=1.5, language="de", seed=1)
    assert body_of(order, "echo") == (
        {"input": "a", "voice": "echo", "response_format": "wav", "speed": 1.5},
        ("seed", "language_code"),
    )
    with pytest.raises(Failure) as refused:
        body_of(SpeechOrder("a", format="ulaw"), "echo")
    assert refused.value.kind is UNSUPPORTED_PARAMETER


@pytest.mark.parametrize(
    "name", ["audio-speech-mp3-tts-1", "audio-speech-mp3-gpt-4o-mini-tts", "audio-speech-pcm-gpt-4o-mini-tts"]
)
def test_recorded_speech(name: str) -> None:
    recorded = json.loads((require("shared") / "recordings" / "openai" / f"{name}.json").read_text("utf-8"))
    answer = recorded["response"]
    body = base64.b64decode(answer["body_base64"])
    *sound, usage, end = decode(body, answer["headers"], 4_096)
    assert b"".join(event.content for event in sound if isinstance(event, Blob)) == body
    assert {event.media_type for event in sound if isinstance(event, Blob)} == {answer["headers"]["content-type"]}
    assert (usage, end) == (SPOKEN, End())
