"""What an order of speech or of a transcript may use at most: never less than a provider may bill for it."""

from datetime import UTC, datetime
from math import ceil

import pytest

from oneflow_ai.core.order import Content, SpeechOrder, TranscriptOrder
from oneflow_ai.policy.order import most_ordered
from oneflow_ai.policy.price import quote
from tests.policy.compiled import compiled, row, the

AT = datetime(2026, 11, 27, tzinfo=UTC)
NANOS_PER_USD = 1_000_000_000


@pytest.mark.parametrize(("model", "multiplier"), [("eleven_v3", 1.0), ("eleven_flash_v2_5", 0.5)])
@pytest.mark.parametrize("rate", ["80", "22.5"])
def test_what_is_held_for_speech_covers_credits_that_are_rounded_up(model: str, multiplier: float, rate: str) -> None:
    options = {"usd_per_million_credits": rate}
    price = the(compiled(row("elevenlabs", options=options)), f"elevenlabs/{model}").price
    assert price is not None
    for length in (1, 2, 3, 69, 70, 39_999):
        held_nanos = quote(price, most_ordered(SpeechOrder("a" * length), 0), AT)
        billed_nanos = ceil(length * multiplier) * float(rate) * NANOS_PER_USD / 1_000_000
        credit_nanos = float(rate) * NANOS_PER_USD / 1_000_000
        assert billed_nanos <= held_nanos <= billed_nanos + 2 * credit_nanos


def test_each_channel_of_a_transcript_may_be_billed() -> None:
    sound = Content(bytes(10_000), "a.wav", "audio/wav")
    assert most_ordered(TranscriptOrder(sound), 0).audio_milliseconds == 10_000
    assert most_ordered(TranscriptOrder(sound, channels=5), 0).audio_milliseconds == 50_000
