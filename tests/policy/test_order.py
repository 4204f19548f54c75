"""What an order may use at most: never less than a provider may bill for it."""

from datetime import UTC, datetime
from math import ceil

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.order import Content, ImageOrder, SpeechOrder, TranscriptOrder
from oneflow_ai.core.price import flat_price
from oneflow_ai.policy.order import most_ordered, picture_tokens
from oneflow_ai.policy.price import IMAGE_OUTPUT_TOKENS, quote
from oneflow_ai.simulator.media.waves import wav_head
from tests.policy.compiled import compiled, row, the
from tests.wire.requests import call_of

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


@pytest.mark.parametrize(("rate", "seconds"), [(8_000, 60), (16_000, 30), (24_000, 20), (48_000, 10)])
def test_a_wav_is_held_by_its_length(rate: int, seconds: int) -> None:
    sound = Content(wav_head(rate, 960_000) + bytes(960_000), "a.wav", "audio/wav")
    assert most_ordered(TranscriptOrder(sound), 0).audio_milliseconds == seconds * 1000
    assert most_ordered(TranscriptOrder(sound, channels=5), 0).audio_milliseconds == 5 * seconds * 1000


def test_a_wav_is_held_by_no_less_than_what_it_may_be_read_as() -> None:
    head = wav_head(48_000, 960_000)
    sound = Content(head + bytes(960_000), "a.wav", "audio/wav")
    # As plain samples, 32,000 bytes a second, whatever they look like.
    asked = TranscriptOrder(sound, bytes_per_second=32_000)
    assert most_ordered(asked, 0).audio_milliseconds == 31_000
    lying = Content(
        head.replace((96_000).to_bytes(4, "little"), b"\xff\xff\xff\0") + bytes(960_000), "a.wav", "audio/wav"
    )
    assert most_ordered(TranscriptOrder(lying), 0).audio_milliseconds == 961_000
    # Nothing is shorter than a second: many are billed for some.
    assert most_ordered(TranscriptOrder(Content(head, "a.wav", "audio/wav")), 0).audio_milliseconds == 1_000


def test_a_picture_is_held_by_its_size_and_quality() -> None:
    snapshot = compiled(row("openai"), row("stability"))
    cheap = call_of({"model": "m", "prompt": "a", "size": "1024x1024", "quality": "low"}, Operation.IMAGE)
    any_kind = call_of({"model": "m", "prompt": "a"}, Operation.IMAGE)
    gpt = the(snapshot, "openai/gpt-image-2")
    assert gpt.price is not None and cheap.order is not None
    assert picture_tokens(cheap, gpt) == 472 < picture_tokens(any_kind, gpt)
    held_nanos = quote(gpt.price, most_ordered(cheap.order, 100, picture_tokens(cheap, gpt)), AT)
    assert held_nanos == (100 * 8 + 472 * 30) * NANOS_PER_USD // 1_000_000
    # Where a picture has a price, nobody counts tokens; where nothing is known, the dearest are held.
    assert picture_tokens(any_kind, the(snapshot, "stability/stable-image-core")) == 0
    assert picture_tokens(any_kind, the(snapshot, "openai/gpt-image-3")) == IMAGE_OUTPUT_TOKENS


def test_each_of_several_pictures_is_held_with_its_prompt() -> None:
    bound = most_ordered(ImageOrder("a", count=3, partial=2), 1_000, 500)
    assert (bound.input_tokens, bound.output_tokens, bound.images) == (3_000, 2_100, 3)


def test_what_nobody_counts_is_held_too() -> None:
    price = flat_price({"output_image": 30_000})
    assert quote(price, most_ordered(ImageOrder("a", count=2), 0, 500), AT) == 2 * 500 * 30_000 // 1_000_000
