"""The most that an order of pictures, speech or a transcript can use, by what it asks for. Pure."""

from __future__ import annotations

from oneflow_ai.core.call import Call
from oneflow_ai.core.order import ImageOrder, Order, SpeechOrder, TranscriptOrder
from oneflow_ai.core.sound import known_milliseconds
from oneflow_ai.core.target import Target
from oneflow_ai.policy.price import (
    HEARD_TOKENS_PER_SECOND,
    IMAGE_OUTPUT_TOKENS,
    SPOKEN_TOKENS_PER_CHARACTER,
    WRITTEN_TOKENS_PER_SECOND,
    Bound,
    counts_tokens,
)
from oneflow_ai.policy.usage import IMAGE_INPUT_TOKENS_MOST

PARTIAL_TOKENS = 100
"""A picture that is half made is so much more (OpenAI's guide to image generation, partial images, 2026-11-23)."""
SOUND_BYTES_PER_SECOND_LEAST = 1_000
"""The least that sound takes which is still understood: Opus at 8 kbit/s."""
# Credits are counted whole, the last rounded up, and a character costs half a one at the least (ElevenLabs' models, its
# API reference, 2026-11-23): so much more may be billed than was said.
ROUNDED_CHARACTERS = 2


def picture_tokens(call: Call, target: Target) -> int:
    """The most output tokens that one of the pictures which a call orders is at a target; 0 where each has a price."""
    if target.price is not None and not counts_tokens(target.price):
        return 0
    return target.picture_tokens(call, target.model) or IMAGE_OUTPUT_TOKENS


def most_ordered(order: Order, input_tokens: int, image_tokens: int = IMAGE_OUTPUT_TOKENS) -> Bound:
    """The most that it uses: its text is `input_tokens` at the most, a picture `image_tokens`."""
    if isinstance(order, ImageOrder):
        sources = len(order.sources) + (order.mask is not None)
        return Bound(
            # Each picture is billed as if it had been asked for alone (https://community.openai.com/t/1381388, n = 6,
            # 2026-11-27).
            input_tokens=(input_tokens + sources * IMAGE_INPUT_TOKENS_MOST) * order.count,
            output_tokens=(image_tokens + PARTIAL_TOKENS * order.partial) * order.count,
            images=order.count,
            image_tokens=image_tokens,
        )
    if isinstance(order, SpeechOrder):
        characters = len(order.text) + ROUNDED_CHARACTERS
        return Bound(
            input_tokens=input_tokens,
            output_tokens=characters * SPOKEN_TOKENS_PER_CHARACTER,
            characters=characters,
        )
    seconds = _longest_seconds(order) * order.channels
    return Bound(
        input_tokens=input_tokens + seconds * HEARD_TOKENS_PER_SECOND,
        output_tokens=seconds * WRITTEN_TOKENS_PER_SECOND,
        audio_milliseconds=seconds * 1000,
    )


def _longest_seconds(order: TranscriptOrder) -> int:
    """How long a recording may sound, at least a second."""
    known = None if order.bytes_per_second else known_milliseconds(order.audio)
    if known is not None:
        return max(-(-known // 1000), 1)
    return -(-order.audio.size_bytes // (order.bytes_per_second or SOUND_BYTES_PER_SECOND_LEAST))
