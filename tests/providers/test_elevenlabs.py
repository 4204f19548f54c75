"""ElevenLabs' answers: sound as it comes, what it cost in credits, and how many calls its account may have at once."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.core.ports import RateHints, TellsAccount
from oneflow_ai.core.target import Target
from oneflow_ai.providers.elevenlabs_speech import speech_decoder, usage_of
from oneflow_ai.providers.listing import read_models
from tests.wire.decoding import events_of
from tests.wire.requests import target_of
from tests.wire.spoken import openai_spoken, openai_written, spoken, written

TARGET = target_of("elevenlabs", model="eleven_v3")
MPEG = {"content-type": "audio/mpeg", "character-cost": "9"}


def decode(call: Call, headers: Mapping[str, str], *chunks: bytes, target: Target = TARGET) -> list[Event]:
    return events_of(target.adapter.decoder(call, target, headers), chunks)


@pytest.mark.parametrize("call", [spoken(), spoken("/stream"), openai_spoken()])
def test_sound_is_given_as_it_comes_with_what_it_cost(call: Call) -> None:
    decoder = TARGET.adapter.decoder(call, TARGET, MPEG)
    assert decoder.feed(b"abc") == [Blob(b"abc", "audio/mpeg")]
    assert decoder.feed(b"d") == [Blob(b"d", "audio/mpeg")]
    # Nine credits at $80 a million.
    assert decoder.close() == [Usage(characters=9, cost_nanos=720_000), End()]


TIMED = b'{"audio_base64":"YWJj","alignment":null}\n{"audio_base64":"ZA=="}\n'


@pytest.mark.parametrize("ending", ["/with-timestamps", "/stream/with-timestamps"])
def test_sound_with_times_is_json_that_is_given_as_it_comes_however_it_is_cut(ending: str) -> None:
    headers = {"content-type": "application/json", "character-cost": "9"}
    for cut in range(len(TIMED)):
        *parts, usage, end = decode(spoken(ending), headers, TIMED[:cut], TIMED[cut:])
        assert b"".join(part.content for part in parts if isinstance(part, Blob)) == TIMED
        assert {part.media_type for part in parts if isinstance(part, Blob)} == {"application/json"}
        assert (usage, end) == (Usage(characters=9, cost_nanos=720_000), End())
    decoder = TARGET.adapter.decoder(spoken(ending), TARGET, headers)
    assert decoder.feed(TIMED[:20]) == [Blob(TIMED[:20], "application/json")]


def test_sound_with_times_that_is_cut_within_an_object_is_never_whole() -> None:
    for length in range(16, len(TIMED.rstrip())):
        if TIMED[:length].rstrip().endswith(b"}"):
            continue
        *_, usage, end = decode(spoken("/with-timestamps"), MPEG | {"content-type": ""}, TIMED[:length])
        assert usage == Usage(characters=9, cost_nanos=720_000)
        assert isinstance(end, End) and end.failure is not None
        assert end.failure.code == "upstream_stream_interrupted", length


@pytest.mark.parametrize(
    ("told", "body"),
    [
        ("application/json", b'{"detail": {"status": "odd", "message": "no"}}'),
        ("application/json", b' {\n "error": {"message": "no sound today"}}'),
        ("application/json", b"[1, 2, 3, 4, 5, 6, 7, 8]"),
        ("application/json", b"{}"),
        ("application/json", b""),
        ("audio/mpeg", TIMED),
        ("text/html", TIMED),
    ],
)
def test_what_is_no_sound_with_times_is_never_given(told: str, body: bytes) -> None:
    (end,) = decode(spoken("/with-timestamps"), {"content-type": told}, body[:3], body[3:])
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


@pytest.mark.parametrize(
    ("output", "told", "media_type"),
    [
        ("mp3_44100_128", "audio/mpeg", "audio/mpeg"),
        ("pcm_16000", "audio/mpeg", "audio/pcm"),
        ("pcm_16000", "audio/pcm", "audio/pcm"),
        ("ulaw_8000", "application/octet-stream", "audio/basic"),
        ("alaw_8000", "", "audio/x-alaw-basic"),
        ("opus_48000_32", "audio/opus", "audio/opus"),
        ("wav_8000", "audio/mpeg", "audio/wav"),
    ],
)
def test_what_the_sound_is(output: str, told: str, media_type: str) -> None:
    events = decode(spoken(query=f"output_format={output}"), {"content-type": told}, b"abc")
    assert events[0] == Blob(b"abc", media_type)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (spoken(), "application/json"), (spoken(), "text/html; charset=utf-8"),
    ],
)  # fmt: skip
def test_what_is_no_sound_is_never_given(call: Call, told: str) -> None:
    (end,) = decode(call, {"content-type": told}, b"no")
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


def test_silence_is_a_failure() -> None:
    (end,) = decode(spoken(), MPEG)
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


@pytest.mark.parametrize(
    ("told", "rate", "usage"),
    [
        ("9", "80", Usage(characters=9, cost_nanos=720_000)),
        ("0", "80", Usage(characters=9, cost_nanos=0)),
        ("4.5", "80", Usage(characters=9, cost_nanos=360_000)),
        ("9", "0.0", Usage(characters=9, cost_nanos=0)),
        ("1", "0.0000001", Usage(characters=9, cost_nanos=1)),
        ("9", None, Usage(characters=9)),
        (None, "80", Usage(characters=9, source="estimated")),
        ("", "80", Usage(characters=9, source="estimated")),
        ("many", "80", Usage(characters=9, source="estimated")),
        ("-1", "80", Usage(characters=9, source="estimated")),
        ("1e9", "80", Usage(characters=9, source="estimated")),
        ("9" * 30, "80", Usage(characters=9, source="estimated")),
    ],
)
def test_what_speech_cost(told: str | None, rate: str | None, usage: Usage) -> None:
    # Without the option, as one is whose characters the operator has priced.
    target = replace(TARGET, options={} if rate is None else {"usd_per_million_credits": rate})
    headers = {} if told is None else {"character-cost": told}
    assert usage_of(SpeechOrder("six words"), target, headers) == usage


def test_speech_that_breaks_has_cost_what_was_told() -> None:
    decoder = speech_decoder(SpeechOrder("six words"), MPEG, Usage(characters=9, cost_nanos=5))
    decoder.feed(b"abc")
    assert decoder.close()[0] == Usage(characters=9, cost_nanos=5)


def test_a_transcript_is_raw_to_its_own_clients_and_text_to_others() -> None:
    body = b'{"text":"Bees","words":[],"audio_duration_secs":1.5}'
    heard = Usage(audio_milliseconds=1_500)
    assert decode(written(), {}, body) == [Raw(body, 1), heard, End()]
    assert decode(openai_written(), {}, body)[-2:] == [heard, End()]


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        ({"current-concurrent-requests": "2", "maximum-concurrent-requests": "5"}, RateHints(limit_concurrency=5)),
        ({"maximum-concurrent-requests": "0"}, None),
        ({"maximum-concurrent-requests": "many"}, None),
        ({}, None),
    ],
)
def test_how_many_calls_may_be_under_way(headers: dict[str, str], hints: RateHints | None) -> None:
    assert TARGET.adapter.hints(headers) == hints


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"character_count":1234,"character_limit":10000,"next_character_count_reset_unix":1797724800}',
            "8,766 of 10,000 credits left until 2026-12-20",
        ),
        (b'{"character_count":12000,"character_limit":10000}', "0 of 10,000 credits left"),
        (b'{"character_count":0,"character_limit":5,"next_character_count_reset_unix":1e99}', "5 of 5 credits left"),
        (b'{"character_count":"0","character_limit":5}', ""),
        (b'{"character_count":true,"character_limit":5}', ""),
        (b'{"character_count":0,"character_limit":-1}', ""),
        (b"[]", ""),
        (b"no JSON", ""),
    ],
)
def test_what_is_left_of_an_account(body: bytes, words: str) -> None:
    adapter = TARGET.adapter
    assert isinstance(adapter, TellsAccount)
    assert adapter.account_request(TARGET).url == "https://api.elevenlabs.io/v1/user/subscription"
    assert adapter.account(body) == words


def test_its_list_of_models_is_of_those_that_speak() -> None:
    body = (
        b'[{"model_id":"eleven_v4","name":"Eleven v4","can_do_text_to_speech":true},'
        b'{"model_id":"eleven_english_sts_v2","name":"Changer","can_do_text_to_speech":false}]'
    )
    items, found = read_models(body)
    assert (len(items), list(found)) == (2, ["eleven_v4"])
