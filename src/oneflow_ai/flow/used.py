"""What an answer used: its provider's word, or an estimate where it gave none."""

from __future__ import annotations

from dataclasses import replace

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Usage
from oneflow_ai.core.order import ImageOrder, SpeechOrder, TranscriptOrder
from oneflow_ai.core.sound import milliseconds_of
from oneflow_ai.flow.admission import SOUND_BYTES_PER_TOKEN
from oneflow_ai.flow.attempt import Attempt
from oneflow_ai.policy.order import PARTIAL_TOKENS, most_ordered, picture_tokens
from oneflow_ai.policy.usage import believable

BYTES_PER_TOKEN = 4
# A picture of 1,024 pixels square is 765 to OpenAI's older models and 1,398 by Anthropic's rule (pixels / 750).
PICTURE_TOKENS = 1_000


def usage_of(call: Call, attempt: Attempt) -> Usage:
    """What an answer used: the provider's word, for one that was cut its last word, or an estimate without one."""
    usage = attempt.usage
    if usage is None:
        return estimate(call, attempt)
    if not believable(usage):
        return replace(estimate(call, attempt), odd=True)
    if usage.source == "provider_partial" and usage.output_tokens < attempt.content_events:
        # More came after it: at least a token with each event.
        return replace(usage, output_tokens=attempt.content_events)
    return usage


def estimate(call: Call, attempt: Attempt) -> Usage:
    """Usage of an answer whose provider did not tell: about four bytes a token, one token a content event.

    What is spoken is counted by its text, what is written down by its sound.
    """
    if isinstance(call.order, SpeechOrder):
        return Usage(characters=len(call.order.text), source="estimated")
    if isinstance(call.order, TranscriptOrder):
        return Usage(audio_milliseconds=milliseconds_of(call.order.audio), source="estimated")
    if isinstance(call.order, ImageOrder):
        return _pictures(call, call.order, attempt)
    output_tokens = attempt.content_events if call.stream else attempt.bytes_read // BYTES_PER_TOKEN
    if call.operation is Operation.EMBEDDING:
        # Its answer is numbers: nothing was written.
        output_tokens = 0
    media = call.media
    input_tokens = -(-call.prompt_bytes // BYTES_PER_TOKEN) + media.pictures * PICTURE_TOKENS
    input_tokens += media.sound_bytes // SOUND_BYTES_PER_TOKEN
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, source="estimated")


def _pictures(call: Call, order: ImageOrder, attempt: Attempt) -> Usage:
    """The same for pictures: all that they may take, and of those that their provider broke off, what came."""
    each = picture_tokens(call, attempt.target)
    images, output_tokens = order.count, most_ordered(order, 0, each).output_tokens
    if attempt.failed:
        images, output_tokens = 0, attempt.content_events * PARTIAL_TOKENS
    if not each:
        return Usage(images=images, source="estimated")
    shown_tokens = (len(order.sources) + (order.mask is not None)) * PICTURE_TOKENS
    return Usage(
        input_tokens=(-(-call.prompt_bytes // BYTES_PER_TOKEN) + shown_tokens) * order.count,
        output_tokens=output_tokens,
        input_image_tokens=shown_tokens * order.count,
        output_image_tokens=output_tokens,
        images=images,
        source="estimated",
    )
