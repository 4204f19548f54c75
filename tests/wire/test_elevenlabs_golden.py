"""Golden exchanges of ElevenLabs' wire: whole, byte by byte and cut at every point, they give the same events."""

import json
from base64 import b64decode
from typing import Any

import pytest

from oneflow_ai.core.events import Blob, Delta, End, Usage
from oneflow_ai.core.order import Content, SpeechOrder, TranscriptOrder
from oneflow_ai.providers.elevenlabs_failure import failure_of
from oneflow_ai.providers.elevenlabs_speech import speech_decoder
from oneflow_ai.providers.elevenlabs_transcripts import transcript_decoder
from tests.needs import require
from tests.wire.decoding import events_of, pieces, single_bytes
from tests.wire.golden import assert_failure, body_of, files, golden
from tests.wire.middle import decoded, every_cut

WIRE = "elevenlabs"
# A second of sound, as far as its size tells.
ORDER = TranscriptOrder(Content(bytes(16_000), "bees.mp3", "audio/mpeg"))
CUTS_MOST = 1_500
SPOKEN = ("tts-mp3-basic", "tts-mp3-longer", "tts-mp3-speed")


def wanted(file: dict[str, Any]) -> dict[str, Any]:
    """The events that the file expects."""
    expected = file["expected"]
    return {
        "raw": b"",
        "content_events": 0,
        "deltas": [Delta(*delta) for delta in expected["deltas"]],
        "vectors": [],
        "usage": None if expected["usage"] is None else Usage(**expected["usage"]),
        "end": expected["end"],
    }


@pytest.mark.parametrize("file", golden(WIRE, "transcript"))
def test_every_cut_gives_the_same_events(file: dict[str, Any]) -> None:
    expected = wanted(file)
    for how, found in every_cut(lambda: transcript_decoder(ORDER, raw=False), body_of(file)):
        assert found == expected, how


@pytest.mark.parametrize("file", golden(WIRE, "transcript"))
def test_a_client_of_this_wire_gets_the_bytes_as_they_came(file: dict[str, Any]) -> None:
    found = decoded(transcript_decoder(ORDER, raw=True), single_bytes(body_of(file)))
    failed = file["expected"]["end"]["failure"] is not None
    assert found["raw"] == (b"" if failed else body_of(file))
    assert (found["deltas"], found["usage"]) == ([], wanted(file)["usage"])


@pytest.mark.parametrize("file", golden(WIRE, "failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    assert_failure(file, failure_of)


def test_every_file_is_run() -> None:
    assert len(golden(WIRE, "transcript", "failure")) == len(files(WIRE)) > 30


# ---- recordings


def recorded(name: str) -> dict[str, Any]:
    """A recorded exchange."""
    path = require("shared") / "recordings" / name
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return found


def test_every_recording_is_known() -> None:
    folder = require("shared") / "recordings"
    assert {path.stem for path in (folder / WIRE).glob("*.json")} == {*SPOKEN, "stt-diarization"}


@pytest.mark.parametrize("name", SPOKEN)
def test_recorded_speech_is_the_same_sound_however_it_is_cut(name: str) -> None:
    exchange = recorded(f"{WIRE}/{name}")
    order = SpeechOrder(json.loads(exchange["request"]["body"])["text"])
    answer, usage = exchange["response"], Usage(characters=len(order.text), source="estimated")
    body = b64decode(answer["body_base64"])
    ways = [[body], single_bytes(body), *(pieces(body, [cut]) for cut in range(1, len(body), len(body) // CUTS_MOST))]
    for chunks in ways:
        *sound, told, end = events_of(speech_decoder(order, answer["headers"], usage), chunks)
        assert b"".join(event.content for event in sound if isinstance(event, Blob)) == body
        assert {event.media_type for event in sound if isinstance(event, Blob)} == {"audio/mpeg"}
        assert (told, end) == (usage, End())


def test_a_recorded_transcript_is_the_same_however_it_is_cut() -> None:
    body = recorded(f"{WIRE}/stt-diarization")["response"]["body"].encode()
    whole = decoded(transcript_decoder(ORDER, raw=False), [body])
    language, text, words = whole["deltas"]
    told = json.loads(body)
    assert (language.text, text.text) == ("eng", told["text"])
    assert {each["speaker"] for each in json.loads(words.text)} == {"speaker_0", "speaker_1"}
    assert whole["usage"] == Usage(audio_milliseconds=316_519, source="estimated")
    assert decoded(transcript_decoder(ORDER, raw=False), single_bytes(body)) == whole
    for cut in range(1, len(body), len(body) // 200):
        assert decoded(transcript_decoder(ORDER, raw=False), pieces(body, [cut])) == whole, cut


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tts-400-too-long", "context_length_exceeded"),
        ("tts-401-invalid-key", "provider_auth_failed"),
        ("tts-401-quota-exceeded", "provider_quota_exhausted"),
        ("tts-422-validation", "upstream_rejected"),
        ("tts-429-concurrency", "upstream_rate_limited"),
        ("tts-429-system-busy", "upstream_overloaded"),
    ],
)
def test_a_quoted_refusal_has_its_kind(name: str, code: str) -> None:
    answer = recorded(f"_quoted/{WIRE}/{name}")["response"]
    assert failure_of(answer["status"], answer["headers"], answer["body"].encode()).kind.code == code
