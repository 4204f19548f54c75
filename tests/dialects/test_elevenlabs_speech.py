"""What ElevenLabs' clients ask for: what it comes to, what is refused at once, and how it is answered."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Blob, Delta, End, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_CLOSED, Failure
from oneflow_ai.core.order import Content, SpeechOrder, TranscriptOrder
from oneflow_ai.dialects import elevenlabs
from oneflow_ai.dialects.table import spoken_at
from tests.wire.requests import envelope, target_of
from tests.wire.spoken import AUDIO, GEORGE, spoken, written

TARGET = target_of("openai")
USED, ENDED = Usage(audio_milliseconds=2_500), End()
BROKEN = Failure(UPSTREAM_CLOSED, "it was cut")
WORDS = [
    {"text": "Bees", "kind": "word", "start": 0.1, "end": 0.5, "speaker": "speaker_0"},
    {"text": " ", "kind": "space"},
    {"text": "(hum)", "kind": "event", "start": 0.6, "end": 0.9},
]


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        (f"/v1/text-to-speech/{GEORGE}", Operation.SPEECH),
        ("/v1/text-to-speech/a%2Fb/stream", Operation.SPEECH),
        ("/v1/text-to-speech/x/stream/with-timestamps", Operation.SPEECH),
        ("/v1/text-to-speech/x/with-timestamps", Operation.TIMED_SPEECH),
        ("/v1/speech-to-text", Operation.TRANSCRIPTION),
        ("/v1/text-to-speech", None),
        ("/v1/text-to-speech/", None),
        ("/v1/text-to-speech/x/stream-input", None),
        ("/v1/text-to-speech/x/y/stream", None),
        ("/v1/text-to-speech//stream", None),
        ("/v1/speech-to-speech/x", None),
    ],
)
def test_where_calls_are_made(path: str, operation: Operation | None) -> None:
    found = spoken_at(path.encode())
    assert (None if found is None else found[1]) is operation
    assert found is None or found[0] is elevenlabs


def test_what_a_request_for_speech_comes_to() -> None:
    settings = {"speed": 0.9, "stability": 0.2, "style": None}
    call = spoken(
        "/stream/with-timestamps", query="output_format=pcm_16000&optimize_streaming_latency=3",
        model_id="eleven_v3", language_code="de", seed=0, voice_settings=settings, next_text="b", new_field=1,
        previous_text=None,
    )  # fmt: skip
    assert call.order == SpeechOrder(
        "six words", GEORGE, "pcm", 16_000, speed=0.9, language="de", seed=0, timed=True,
        minor=("next_text", "voice_settings.stability", "optimize_streaming_latency"), further=("new_field",),
    )  # fmt: skip
    assert (call.model, call.wire, call.dialect, call.stream) == ("eleven_v3", "elevenlabs", "elevenlabs", False)
    assert call.query == (("output_format", "pcm_16000"), ("optimize_streaming_latency", "3"))


def test_speech_needs_no_model_by_name() -> None:
    call = spoken(voice="my%20voice")
    assert call.model == "speech"
    assert call.order == SpeechOrder("six words", "my voice", "mp3", 44_100, 128_000, whole=True)


@pytest.mark.parametrize(
    ("fields", "query", "param"),
    [
        ({"text": None}, "", "text"), ({"text": ""}, "", "text"), ({"text": " \n"}, "", "text"),
        ({"text": 7}, "", "text"), ({"text": "a" * 40_001}, "", "text"), ({"model_id": ""}, "", "model_id"),
        ({"model_id": 7}, "", "model_id"), ({"language_code": ""}, "", "language_code"),
        ({"voice_settings": []}, "", "voice_settings"),
        ({"voice_settings": {"stability": 2}}, "", "voice_settings.stability"),
        ({"voice_settings": {"speed": "fast"}}, "", "voice_settings.speed"),
        ({"seed": -1}, "", "seed"), ({"seed": 1 << 32}, "", "seed"), ({"seed": 1.5}, "", "seed"),
        ({"previous_request_ids": ["a", "b", "c", "d"]}, "", "previous_request_ids"),
        ({"apply_text_normalization": "maybe"}, "", "apply_text_normalization"),
        ({"base_url": "http://evil.invalid"}, "", "base_url"),
        ({}, "output_format=mp3", "output_format"), ({}, "output_format=", "output_format"),
        ({}, "output_format=mp3_44100_128&output_format=pcm_8000", "output_format"),
        ({}, "optimize_streaming_latency=5", "optimize_streaming_latency"),
        ({}, "enable_logging=maybe", "enable_logging"),
    ],
)  # fmt: skip
def test_speech_that_is_refused_at_once(fields: dict[str, Any], query: str, param: str) -> None:
    with pytest.raises(Failure) as refused:
        spoken(query=query, **fields)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_a_stream_has_no_wav() -> None:
    assert spoken(query="output_format=wav_24000").order is not None
    with pytest.raises(Failure, match="output_format"):
        spoken("/stream", query="output_format=wav_24000")


@pytest.mark.parametrize("query", ["a=%FF", "&".join(f"a{n}=1" for n in range(200)), "a=" + "b" * 2_000, "a=%00"])
def test_a_query_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(Failure) as refused:
        spoken(query=query)
    assert refused.value.status == 400


@pytest.mark.parametrize("voice", ["%00", "a" * 257, "%0A"])
def test_a_voice_that_is_none_is_refused(voice: str) -> None:
    with pytest.raises(Failure) as refused:
        spoken(voice=voice)
    assert refused.value.param == "voice_id"


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(Failure) as refused:
        spoken(body=b"[]")
    assert refused.value.code == "invalid_type"


# ---- transcripts


def test_what_a_request_for_a_transcript_comes_to() -> None:
    call = written(
        ("language_code", "de"), ("temperature", "0.5"), ("seed", "3"), ("tag_audio_events", "True"),
        ("use_multi_channel", "true"), ("keyterms", "a"), ("keyterms", "b"), ("diarize", "false"),
    )  # fmt: skip
    assert call.order == TranscriptOrder(
        AUDIO, "de", temperature=0.5, channels=5, minor=("seed", "tag_audio_events", "keyterms"),
        further=("use_multi_channel",),
    )  # fmt: skip
    assert (call.model, call.wire, call.form is not None) == ("scribe_v2", "elevenlabs", True)


def test_a_null_of_json_asks_for_nothing() -> None:
    call = written(("webhook_metadata", "null"), ("entity_detection", "null"), ("entity_redaction", "null"))
    assert call.order == TranscriptOrder(AUDIO)
    assert call.form is not None and len(call.form.fields) == 4


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([("webhook", "true")], "webhook"), ([("source_url", "https://a.invalid")], "source_url"),
        ([("cloud_storage_url", "https://a.invalid")], "cloud_storage_url"), ([("diarize", "x")], "diarize"),
        ([("temperature", "3")], "temperature"), ([("num_speakers", "0")], "num_speakers"),
        ([("num_speakers", "two")], "num_speakers"), ([("timestamps_granularity", "line")], "timestamps_granularity"),
        ([("language_code", "")], "language_code"), ([("model_id", "other")], "model_id"),
        ([("api_key", "x")], "api_key"),
    ],
)  # fmt: skip
def test_a_transcript_that_is_refused_at_once(fields: list[tuple[str, str]], param: str) -> None:
    with pytest.raises(Failure) as refused:
        written(*fields)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize("files", [(), (("file", AUDIO), ("file", AUDIO)), (("file", Content(b"", "a", "b")),)])
def test_one_file_with_something_in_it_is_written_down(files: Any) -> None:
    with pytest.raises(Failure) as refused:
        written(files=files)
    assert (refused.value.status, refused.value.param) == (400, "file")


# ---- answers


@pytest.fixture(scope="module")
def schemas(shared_folder: Path) -> Any:
    text = (shared_folder / "specs" / "elevenlabs-openapi.gateway-subset.json").read_text("utf-8")
    return json.loads(text)["components"]


def mistakes(schemas: Any, name: str, found: Any) -> list[str]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": schemas}
    return [error.message for error in Draft202012Validator(schema).iter_errors(found)]


def lookup(path: bytes) -> Call:
    operation = elevenlabs.lookup_at(path)
    assert operation is not None
    return elevenlabs.parse_lookup(replace(envelope(operation), path=path, query=b"page_size=3"), "m")


def test_sound_is_passed_on_at_once_and_nothing_else_gets_into_it() -> None:
    writer = elevenlabs.encoder(spoken("/stream"), TARGET)
    assert writer.feed(Blob(b"sound", "audio/mpeg")) == b"sound"
    assert writer.end(ENDED, USED, 5) == writer.failure(BROKEN) == b""


def test_a_transcript_of_the_same_wire_is_passed_on() -> None:
    writer = elevenlabs.encoder(written(), TARGET)
    assert writer.feed(Raw(b"{}", 1)) == b"{}"
    assert writer.end(ENDED, USED, 0) == writer.failure(BROKEN) == b""


def test_a_transcript_of_another_wire_in_this_ones_shape(schemas: Any) -> None:
    writer = elevenlabs.encoder(written(), TARGET)
    for delta in (Delta("language", "en"), Delta("text", "Bees (hum)"), Delta("words", json.dumps(WORDS))):
        assert writer.feed(delta) == b""
    told = orjson.loads(writer.end(ENDED, USED, 0))
    assert mistakes(schemas, "SpeechToTextChunkResponseModel", told) == []
    assert (told["text"], told["language_code"], told["audio_duration_secs"]) == ("Bees (hum)", "en", 2.5)
    assert [(each["text"], each["type"], each["start"]) for each in told["words"]] == [
        ("Bees", "word", 0.1), (" ", "spacing", None), ("(hum)", "audio_event", 0.6),
    ]  # fmt: skip


def test_a_transcript_without_words_is_valid(schemas: Any) -> None:
    writer = elevenlabs.encoder(written(), TARGET)
    writer.feed(Delta("text", "Bees"))
    told = orjson.loads(writer.end(ENDED, Usage(source="estimated", audio_milliseconds=5), 0))
    assert mistakes(schemas, "SpeechToTextChunkResponseModel", told) == []
    assert "audio_duration_secs" not in told


# ---- what is looked up


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        (b"/v1/voices", Operation.VOICES),
        (b"/v2/voices", Operation.VOICES),
        (b"/v1/voices/" + GEORGE.encode(), Operation.VOICES),
        (b"/v1/user/subscription", Operation.SUBSCRIPTION),
        (b"/v1/voices/settings/default", None),
        (b"/v1/voices/accents", None),
        (b"/v1/voices/add", None),
        (b"/v1/voices/settings", None),
        (b"/v1/voices/pvc", None),
        (b"/v1/voices/zzz", Operation.VOICES),
        (b"/v1/voices/addled", Operation.VOICES),
        (b"/v1/voices/", None),
        (b"/v1/voices/..", None),
        (b"/v1/voices/" + b"a" * 65, None),
        (b"/v1/voices/..%2f..%2fuser", None),
        (b"/v1/user", None),
        (b"/v1/history", None),
    ],
)
def test_what_can_be_looked_up(path: bytes, operation: Operation | None) -> None:
    assert elevenlabs.lookup_at(path) is operation


def test_lists_are_passed_on_and_an_account_without_what_its_owner_owes() -> None:
    writer = elevenlabs.encoder(lookup(b"/v2/voices"), TARGET)
    assert writer.feed(Raw(b'{"voices":[]}', 1)) == b""
    assert writer.end(ENDED, USED, 0) == b'{"voices":[]}'
    account = {"character_count": 5, "open_invoices": [{"amount_due_cents": 990}], "has_open_invoices": True}
    writer = elevenlabs.encoder(lookup(b"/v1/user/subscription"), TARGET)
    writer.feed(Raw(json.dumps({**account, "next_invoice": {"amount_due_cents": 5}}).encode(), 1))
    assert orjson.loads(writer.end(ENDED, USED, 0)) == {
        "character_count": 5,
        "open_invoices": [],
        "has_open_invoices": False,
        "next_invoice": None,
    }


def test_voices_of_others_have_this_wires_shape(schemas: Any) -> None:
    names = {"alloy": "alloy", "onyx": "onyx"}
    everyone = orjson.loads(elevenlabs.voices_body(b"/v1/voices", b"", names))
    assert mistakes(schemas, "GetVoicesResponseModel", everyone) == []
    found = orjson.loads(elevenlabs.voices_body(b"/v2/voices", b"search=ONY&page_size=1", names))
    assert mistakes(schemas, "GetVoicesV2ResponseModel", found) == []
    assert [each["voice_id"] for each in found["voices"]] == ["onyx"]
    one = orjson.loads(elevenlabs.voices_body(b"/v1/voices/onyx", b"", names))
    assert mistakes(schemas, "VoiceResponseModel", one) == []


def test_a_voice_that_there_is_not_is_told_in_this_wires_words() -> None:
    with pytest.raises(Failure) as caught:
        elevenlabs.voices_body(b"/v1/voices/nothing", b"", {"onyx": "onyx"})
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "voice_not_found", "voice_id")


@pytest.mark.parametrize("size", [b"abc", b"", b"-1", b"0", b"101", b"1.5", b"1&page_size=2", b"%d9%a3"])
def test_a_page_of_voices_has_a_size_that_is_one(size: bytes) -> None:
    asked = replace(envelope(Operation.VOICES), path=b"/v2/voices", query=b"page_size=" + size)
    for look in (
        lambda: elevenlabs.parse_lookup(asked, "m"),
        lambda: elevenlabs.voices_body(asked.path, asked.query, {}),
    ):
        with pytest.raises(Failure) as caught:
            look()
        assert (caught.value.status, caught.value.param) == (400, "page_size")
    # Elsewhere it means nothing.
    assert elevenlabs.parse_lookup(replace(asked, path=b"/v1/voices"), "m").path == "/v1/voices"
