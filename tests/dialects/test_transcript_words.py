"""Words with their times, laid out as OpenAI's transcripts are: segments, speakers, subtitles."""

import json
from typing import Any

import orjson
import pytest
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose

from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.dialects.openai import encoder
from oneflow_ai.dialects.transcript_words import segments_of, subtitles, timed_words
from tests.wire.requests import target_of
from tests.wire.spoken import openai_written

TARGET = target_of("openai")


def words(*said: tuple[str, float, float], speaker: str = "") -> list[dict[str, Any]]:
    """These words, with a space between each two."""
    found: list[dict[str, Any]] = []
    for text, start, end in said:
        found += [{"text": " ", "kind": "space"}] if found else []
        found.append({"text": text, "kind": "word", "start": start, "end": end})
        if speaker:
            found[-1]["speaker"] = speaker
    return found


TALK = [
    *words(("Bees", 0.0, 0.4), ("dance.", 0.5, 1.0), ("They", 1.1, 1.3), ("sing", 1.4, 1.75), speaker="speaker_0"),
    {"text": " ", "kind": "space"},
    *words(("No.", 3_661.5, 3_661.9), speaker="speaker_1"),
]
TEXT = "Bees dance. They sing No."
SEGMENTS = [
    {"start": 0.0, "end": 1.0, "text": "Bees dance.", "speaker": "speaker_0"},
    {"start": 1.1, "end": 1.75, "text": "They sing", "speaker": "speaker_0"},
    {"start": 3_661.5, "end": 3_661.9, "text": "No.", "speaker": "speaker_1"},
]


def written(form: str, *further: tuple[str, str]) -> bytes:
    """The answer to an OpenAI client in a format."""
    writer = encoder(openai_written(("response_format", form), *further), TARGET)
    for delta in (Delta("language", "en"), Delta("text", TEXT), Delta("words", json.dumps(TALK))):
        writer.feed(delta)
    return writer.end(End(), Usage(audio_milliseconds=3_662_000), 0)


def test_a_segment_ends_with_a_sentence_and_where_another_speaks() -> None:
    assert segments_of(TALK, TEXT, 0.0) == SEGMENTS


def test_a_segment_ends_at_a_silence_and_before_it_is_too_long() -> None:
    paused = segments_of(words(("a", 0.0, 0.1), ("b", 1.0, 1.1)), "a b", 0.0)
    assert [each["text"] for each in paused] == ["a", "b"]
    long = segments_of(words(*((f"word{n:04}", n / 10, n / 10 + 0.1) for n in range(40))), "", 0.0)
    assert all(len(each["text"]) <= 84 for each in long)
    assert " ".join(each["text"] for each in long) == " ".join(f"word{n:04}" for n in range(40))


def test_without_times_all_of_it_is_one_segment() -> None:
    assert segments_of([{"text": "a", "kind": "word"}], "a", 2.5) == [{"start": 0.0, "end": 2.5, "text": "a"}]
    assert segments_of([], "", 2.5) == []
    assert timed_words([{"text": "a", "kind": "word"}, {"text": " ", "kind": "space", "start": 0, "end": 1}]) == []


def test_subtitles() -> None:
    assert subtitles(SEGMENTS[1:], "srt").decode() == (
        "1\n00:00:01,100 --> 00:00:01,750\nThey sing\n\n2\n01:01:01,500 --> 01:01:01,900\nNo.\n"
    )
    assert subtitles(SEGMENTS[:1], "vtt").decode() == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nBees dance.\n"
    assert (subtitles([], "srt"), subtitles([], "vtt")) == (b"", b"WEBVTT\n\n")


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_are_given_to_openais_clients(form: str) -> None:
    assert written(form) == subtitles(SEGMENTS, form)


def test_a_verbose_transcript_is_what_the_official_client_expects() -> None:
    found = TranscriptionVerbose.model_validate(orjson.loads(written("verbose_json")))
    assert (found.text, found.language, found.duration, found.words) == (TEXT, "en", 3_662.0, None)
    assert [each.text for each in found.segments or []] == [each["text"] for each in SEGMENTS]
    timed = TranscriptionVerbose.model_validate(
        orjson.loads(written("verbose_json", ("timestamp_granularities[]", "word")))
    )
    assert timed.segments is None
    assert [each.word for each in timed.words or []] == TEXT.split()


def test_a_transcript_of_several_speakers_is_what_the_official_client_expects() -> None:
    found = TranscriptionDiarized.model_validate(orjson.loads(written("diarized_json")))
    assert [(each.speaker, each.text) for each in found.segments] == [
        (each["speaker"], each["text"]) for each in SEGMENTS
    ]


@pytest.mark.parametrize(("form", "expected"), [("text", f"{TEXT}\n".encode()), ("json", None)])
def test_words_do_not_get_into_the_text(form: str, expected: bytes | None) -> None:
    found = written(form)
    assert found == expected or orjson.loads(found)["text"] == TEXT
