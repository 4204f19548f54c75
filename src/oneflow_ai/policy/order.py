"""The most that an order of pictures, speech or a transcript can use, by what it asks for. Pure."""

from __future__ import annotations

from oneflow_ai.core.order import ImageOrder, Order, SpeechOrder
from oneflow_ai.policy.price import (
    HEARD_TOKENS_PER_SECOND,
    IMAGE_OUTPUT_TOKENS,
    SPOKEN_TOKENS_PER_CHARACTER,
    WRITTEN_TOKENS_PER_SECOND,
    Bound,
)
from oneflow_ai.policy.usage import IMAGE_INPUT_TOKENS_MOST

# A picture that is half made is 100 tokens more (OpenAI's guide to image generation, partial images, 2026-11-23).
PARTIAL_TOKENS = 100
SOUND_BYTES_PER_SECOND_LEAST = 1_000
"""The least that sound takes which is still understood: Opus at 8 kbit/s."""
# Credits are counted whole, the last rounded up, and a character costs half a one at the least (ElevenLabs' models, its
# API reference, 2026-11-23): so much more may be billed than was said.
ROUNDED_CHARACTERS = 2


def most_ordered(order: Order, input_tokens: int) -> Bound:
    """The most that it uses, its text being `input_tokens` at the most."""
    if isinstance(order, ImageOrder):
        sources = len(order.sources) + (order.mask is not None)
        return Bound(
            input_tokens=input_tokens + sources * IMAGE_INPUT_TOKENS_MOST,
            output_tokens=(IMAGE_OUTPUT_TOKENS + PARTIAL_TOKENS * order.partial) * order.count,
            images=order.count,
        )
    if isinstance(order, SpeechOrder):
        characters = len(order.text) + ROUNDED_CHARACTERS
        return Bound(
            input_tokens=input_tokens,
            output_tokens=characters * SPOKEN_TOKENS_PER_CHARACTER,
            characters=characters,
        )
    seconds = -(-order.audio.size_bytes // SOUND_BYTES_PER_SECOND_LEAST) * order.channels
    return Bound(
        input_tokens=input_tokens + seconds * HEARD_TOKENS_PER_SECOND,
        output_tokens=seconds * WRITTEN_TOKENS_PER_SECOND,
        audio_milliseconds=seconds * 1000,
    )
