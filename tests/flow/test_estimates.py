"""What an answer is taken to have used that nobody told of: by what was asked for, where tokens say nothing."""

from dataclasses import dataclass
from typing import cast

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Usage
from oneflow_ai.core.target import Target
from oneflow_ai.flow.attempt import Attempt
from oneflow_ai.flow.used import estimate
from tests.policy.compiled import compiled, row, the
from tests.wire.requests import call_of
from tests.wire.spoken import openai_written, spoken

NOTHING_CAME = cast(Attempt, None)


def test_speech_is_counted_by_its_text() -> None:
    assert estimate(spoken(), NOTHING_CAME) == Usage(characters=9, source="estimated")


def test_a_transcript_is_counted_by_its_sound() -> None:
    assert estimate(openai_written(), NOTHING_CAME) == Usage(audio_milliseconds=1_000, source="estimated")


@dataclass
class Tried:
    """What an estimate looks at of an attempt."""

    target: Target
    failed: bool = False
    content_events: int = 0


@pytest.mark.parametrize(
    ("model", "failed", "images", "output_tokens"),
    [
        ("openai/gpt-image-2", False, 2, 2 * (472 + 300)),
        # Of pictures that their provider broke off, those that came half made.
        ("openai/gpt-image-2", True, 0, 300),
        ("stability/stable-image-core", False, 2, 0),
        ("stability/stable-image-core", True, 0, 0),
    ],
)
def test_pictures_are_counted_by_what_was_asked_for(model: str, failed: bool, images: int, output_tokens: int) -> None:
    target = the(compiled(row("openai"), row("stability")), model)
    asked = {"prompt": "a", "size": "1024x1024", "quality": "low", "n": 2, "partial_images": 3}
    call = call_of({"model": "m", **asked}, Operation.IMAGE)
    input_tokens = 2 * -(-call.prompt_bytes // 4) if output_tokens else 0
    usage = Usage(input_tokens, output_tokens, output_image_tokens=output_tokens, images=images, source="estimated")
    assert estimate(call, cast(Attempt, Tried(target, failed, content_events=3))) == usage
