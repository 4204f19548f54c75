"""What an answer is taken to have used that nobody told of: by what was asked for, where tokens say nothing."""

from typing import cast

from oneflow_ai.core.events import Usage
from oneflow_ai.flow.attempt import Attempt
from oneflow_ai.flow.engine import _estimate
from tests.wire.spoken import openai_written, spoken

NOTHING_CAME = cast(Attempt, None)


def test_speech_is_counted_by_its_text() -> None:
    assert _estimate(spoken(), NOTHING_CAME) == Usage(characters=9, source="estimated")


def test_a_transcript_is_counted_by_its_sound() -> None:
    assert _estimate(openai_written(), NOTHING_CAME) == Usage(audio_milliseconds=1_000, source="estimated")
