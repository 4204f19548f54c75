"""What is sent to ElevenLabs: by its own specification, for its own clients and for OpenAI's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.elevenlabs_speech import FLOWING_FORMATS, WHOLE_FORMATS
from oneflow_ai.providers.elevenlabs_voices import BY_ID, OWN, VOICES
from oneflow_ai.providers.form import FormBody
from tests.wire.requests import KEY, call_of, target_of
from tests.wire.spoken import AUDIO, GEORGE, openai_spoken, openai_written, parts_of, spoken, written

SPEAKS = target_of("elevenlabs", model="eleven_v3", voice="default-voice")
WRITES = target_of("elevenlabs", model="scribe_v2")
OTHERS = target_of("openai", model="tts-1", voice="alloy")
ENDINGS = ("", "/stream", "/with-timestamps", "/stream/with-timestamps")
ALL: dict[str, Any] = {
    "voice_settings": {"stability": 0.3, "similarity_boost": None, "style": 0, "use_speaker_boost": True, "speed": 0.9},
    "language_code": "de", "seed": 7, "previous_text": "a", "next_text": "b", "previous_request_ids": ["r1"],
    "apply_text_normalization": "off", "use_pvc_as_ivc": False,
    "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "d", "version_id": "v"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> Any:
    text = (shared_folder / "specs" / "elevenlabs-openapi.gateway-subset.json").read_text("utf-8")
    return json.loads(text)


def sent(call: Call, target: Target = SPEAKS) -> HttpRequest:
    return target.adapter.request(call, target)


def body_of(call: Call, target: Target = SPEAKS) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(sent(call, target).body)
    return found


def mistakes(specification: Any, request: HttpRequest) -> list[str]:
    """What the specification has against a request."""
    parts = urlsplit(request.url)
    path = "/v1/text-to-speech/{voice_id}" if "text-to-speech" in parts.path else parts.path
    path += "".join(f"/{each}" for each in parts.path.split("/")[4:])
    asked = specification["paths"][path][request.method.lower()]
    found = []
    known = {each["name"]: each["schema"] for each in asked.get("parameters", ()) if each["in"] == "query"}
    for name, value in parse_qsl(parts.query):
        allowed = known.get(name, {"enum": []}).get("enum")
        if name not in known or (allowed is not None and value not in allowed):
            found.append(f"query {name}={value}")
    [(media_type, content)] = asked.get("requestBody", {"content": {"none": {}}})["content"].items()
    if media_type == "none":
        return found
    schema = {**content["schema"], "components": specification["components"]}
    assert dict(request.headers)["content-type"].partition(";")[0] == media_type
    if media_type == "application/json":
        body = orjson.loads(request.body)
    else:
        assert isinstance(request.large, FormBody)
        body = read_as(specification, parts_of(request.large))
    names = specification["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]["properties"]
    found += [f"field {name}" for name in body if name not in names]
    return found + [error.message for error in Draft202012Validator(schema).iter_errors(body)]


def read_as(specification: Any, parts: tuple[Any, dict[str, bytes]]) -> dict[str, Any]:
    """A form's fields as JSON would have them."""
    fields, files = parts
    values = {"true": True, "false": False}
    found: dict[str, Any] = {name: values.get(value, value) for name, value in fields}
    if "temperature" in found:
        found["temperature"] = float(found["temperature"])
    return {**found, **dict.fromkeys(files, "binary")}


# ---- its own clients


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_request_of_its_own_client_goes_as_it_came(specification: Any, ending: str) -> None:
    query = "output_format=pcm_16000&enable_logging=true&optimize_streaming_latency=2"
    request = sent(spoken(ending, query=query, model_id="anything", **ALL))
    assert request.url == f"https://api.elevenlabs.io/v1/text-to-speech/{GEORGE}{ending}?{query}"
    assert orjson.loads(request.body) == {"text": "six words", **ALL, "model_id": "eleven_v3"}
    assert mistakes(specification, request) == []
    assert dict(request.headers)["xi-api-key"] == KEY


@pytest.mark.parametrize("output", WHOLE_FORMATS)
def test_every_format_of_the_specification_is_taken(specification: Any, output: str) -> None:
    for ending in ENDINGS:
        if output in FLOWING_FORMATS or "stream" not in ending:
            assert mistakes(specification, sent(spoken(ending, query=f"output_format={output}"))) == []


def test_the_formats_are_those_of_the_specification(specification: Any) -> None:
    for ending, formats in (("", WHOLE_FORMATS), ("/stream", FLOWING_FORMATS)):
        asked = specification["paths"][f"/v1/text-to-speech/{{voice_id}}{ending}"]["post"]["parameters"]
        [told] = [each["schema"]["enum"] for each in asked if each["name"] == "output_format"]
        assert sorted(told) == sorted(formats)


def test_what_it_does_not_know_yet_reaches_the_provider_but_what_is_ours_does_not() -> None:
    body = body_of(spoken(audio_effects={"a": 1}, models=["x/y"], fallbacks=["x/z"]))
    assert body == {"text": "six words", "audio_effects": {"a": 1}, "model_id": "eleven_v3"}


def test_no_other_credential_is_handed_on() -> None:
    url = sent(spoken(query="token=secret&xi-api-key=secret&a=b%26c")).url
    assert url.endswith("?a=b%26c")


def test_a_voice_is_named_or_has_its_id_and_nothing_of_it_leaves_its_place_in_the_address() -> None:
    def voice(asked: str, target: Target = SPEAKS) -> str:
        return urlsplit(sent(spoken(voice=asked), target).url).path.removeprefix("/v1/text-to-speech/")

    assert voice("George") == voice("george") == voice(GEORGE) == GEORGE
    assert voice("alloy") == OWN["river"]
    assert voice("a%2Fb%3Fc") == "a%2Fb%3Fc"
    assert voice("%2e%2e%2fvoices") == "..%2Fvoices"


@pytest.mark.parametrize("call", [spoken(voice=".."), openai_spoken(voice=".")])
def test_a_voice_that_would_lead_elsewhere_is_refused(call: Call) -> None:
    with pytest.raises(Failure) as refused:
        sent(call)
    assert (refused.value.status, refused.value.param) == (400, "voice")


def test_a_base_address_may_end_in_the_version() -> None:
    target = target_of("elevenlabs", base_url="https://eu.example/v1")
    assert sent(spoken(), target).url.startswith("https://eu.example/v1/text-to-speech/")
    assert target.adapter.models_request(target).url == "https://eu.example/v1/models"


def test_a_transcript_of_its_own_client_goes_as_it_came(specification: Any) -> None:
    fields = (
        ("diarize", "true"), ("keyterms", "bees"), ("keyterms", "honey"), ("additional_formats", '[{"format":"srt"}]'),
        ("timestamps_granularity", "character"), ("models", "x"), ("new_field", "kept"),
    )  # fmt: skip
    request = sent(written(*fields, query="enable_logging=false"), WRITES)
    assert request.url == "https://api.elevenlabs.io/v1/speech-to-text?enable_logging=false"
    assert isinstance(request.large, FormBody)
    kept, files = parts_of(request.large)
    assert kept == (("model_id", "scribe_v2"), *(each for each in fields if each[0] != "models"))
    assert files == {"file": b"".join(AUDIO.pieces())}
    plain = sent(written(("diarize", "true"), ("temperature", "0.5")), WRITES)
    assert mistakes(specification, plain) == []


# ---- OpenAI's clients


@pytest.mark.parametrize(
    ("form", "output", "ending"),
    [
        ("mp3", "mp3_44100_128", "/stream"), ("opus", "opus_48000_128", "/stream"), ("pcm", "pcm_24000", "/stream"),
        ("wav", "wav_24000", ""),
    ],
)  # fmt: skip
def test_speech_of_openais_clients_is_asked_for_in_this_wires_words(
    specification: Any, form: str, output: str, ending: str
) -> None:
    request = sent(openai_spoken(response_format=form, speed=1.2, instructions="softly"))
    assert (
        request.url == f"https://api.elevenlabs.io/v1/text-to-speech/{VOICES['alloy']}{ending}?output_format={output}"
    )
    assert orjson.loads(request.body) == {
        "text": "six words",
        "voice_settings": {"speed": 1.2},
        "model_id": "eleven_v3",
    }
    assert request.dropped == ("instructions",)
    assert mistakes(specification, request) == []


def test_without_a_voice_the_default_one_speaks() -> None:
    assert "/default-voice/stream" in sent(openai_spoken(voice=None)).url


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "aac"}, "response_format"), ({"response_format": "flac"}, "response_format"),
        ({"speed": 1.3}, "speed"), ({"speed": 0.5}, "speed"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as refused:
        sent(openai_spoken(**fields))
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)


def test_a_transcript_of_openais_clients_is_asked_for_in_this_wires_words(specification: Any) -> None:
    request = sent(openai_written(("language", "de"), ("prompt", "names"), ("temperature", "0.2")), WRITES)
    assert isinstance(request.large, FormBody)
    fields, files = parts_of(request.large)
    assert dict(fields) == {
        "model_id": "scribe_v2",
        "tag_audio_events": "false",
        "timestamps_granularity": "word",
        "language_code": "de",
        "temperature": "0.2",
    }
    assert files == {"file": b"".join(AUDIO.pieces())}
    assert request.dropped == ("prompt",)
    assert mistakes(specification, request) == []
    diarized = sent(openai_written(("response_format", "diarized_json")), WRITES)
    assert isinstance(diarized.large, FormBody)
    assert ("diarize", "true") in parts_of(diarized.large)[0]
    assert mistakes(specification, diarized) == []


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: openai_written(operation=Operation.TRANSLATION), "unsupported_operation"),
        (lambda: openai_written(("include[]", "logprobs")), "unsupported_parameter"),
        (lambda: call_of({"model": "m", "messages": [{"role": "user", "content": "x"}]}), "unsupported_operation"),
    ],
)
def test_other_things_are_not_done(call: Callable[[], Call], code: str) -> None:
    with pytest.raises(Failure) as refused:
        sent(call(), WRITES)
    assert refused.value.code == code


# ---- its clients at other providers


def test_its_clients_reach_models_of_openais_wire() -> None:
    request = sent(spoken(voice=OWN["brian"], voice_settings={"speed": 1.1, "stability": 0.5}), OTHERS)
    assert orjson.loads(request.body) == {
        "model": "tts-1",
        "input": "six words",
        "voice": "onyx",
        "response_format": "mp3",
        "speed": 1.1,
    }
    assert request.dropped == ("voice_settings.stability",)
    assert body_of(spoken(voice="George"), OTHERS)["voice"] == "fable"
    assert body_of(spoken(voice="shimmer", query="output_format=pcm_24000"), OTHERS)["response_format"] == "pcm"
    others_rate = sent(spoken(query="output_format=mp3_22050_32", seed=1, previous_text="a"), OTHERS)
    assert others_rate.dropped == ("seed", "previous_text", "output_format")


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (lambda: spoken(query="output_format=ulaw_8000"), "output_format"),
        (lambda: spoken(query="output_format=pcm_16000"), "output_format"),
        (lambda: spoken(query="enable_logging=false"), "enable_logging"),
        (lambda: spoken(pronunciation_dictionary_locators=[]), "pronunciation_dictionary_locators"),
        (lambda: spoken("/stream/with-timestamps"), "model"),
        (lambda: spoken("/with-timestamps"), "model"),
        (lambda: written(("diarize", "true")), "diarize"),
        (lambda: written(("timestamps_granularity", "word")), "timestamps_granularity"),
        (lambda: written(query="enable_logging=false"), "enable_logging"),
    ],
)
def test_what_openais_wire_has_no_place_for_is_refused_by_name(call: Callable[[], Call], param: str | None) -> None:
    with pytest.raises(Failure) as refused:
        sent(call(), OTHERS)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_a_transcript_of_its_clients_reaches_models_of_openais_wire() -> None:
    request = sent(
        written(("language_code", "deu"), ("temperature", "1.5"), ("seed", "1"), ("diarize", "false")), OTHERS
    )
    assert request.url == "https://api.openai.com/v1/audio/transcriptions"
    assert isinstance(request.large, FormBody)
    fields, files = parts_of(request.large)
    assert dict(fields) == {"model": "tts-1", "response_format": "json", "language": "de", "temperature": "1"}
    assert list(files) == ["file"]
    assert request.dropped == ("temperature", "seed")
    assert sent(written(("temperature", "1")), OTHERS).dropped == ()


def test_the_table_of_voices_reads_both_ways() -> None:
    assert {VOICES[name]: name for name in BY_ID.values()} == BY_ID
