"""What comes back from a provider: a sequence of small values; a whole answer is such a sequence folded at its end."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.value import value


@value
class Delta:
    """A piece of an answer in the middle form, for a client that does not speak the provider's wire.

    `kind` is `text`, `reasoning`, `refusal`, `tool_call` or `tool_arguments`; `index` is the choice it belongs to.
    For `tool_call`, `text` is the tool's name and `tool_id` its id; for `tool_arguments`, `text` is a piece of JSON and
    `tool_index` tells which call it continues.
    """

    kind: str
    text: str
    index: int = 0
    tool_index: int = 0
    tool_id: str = ""


@value
class Blob:
    """A piece of a binary answer (audio, image) with its media type."""

    content: bytes
    media_type: str


@value
class Vector:
    """One embedding, with its place in the request's inputs."""

    index: int
    values: tuple[float, ...]


@value
class Raw:
    """Bytes of the provider's answer, passed on as they are to a client that speaks the same wire.

    `content_events` counts the events in it that carry content, reasoning or tool calls: more than none commits the
    answer, and their sum is the estimate of output tokens for an answer cut before its usage arrived.
    """

    content: bytes
    content_events: int


@value
class Usage:
    """What an answer consumed, in the provider's own count.

    `input_tokens` includes tokens read from and written to the provider's cache; `output_tokens` includes reasoning.
    `cost_nanos` is the provider's own price in nano-USD, where it names one. `source` is `provider`,
    `provider_partial`, `estimated` or `capped`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    characters: int = 0
    images: int = 0
    audio_milliseconds: int = 0
    web_searches: int = 0
    cost_nanos: int | None = None
    source: str = "provider"
    service_tier: str | None = None
    odd: bool = False


@value
class End:
    """The end of an answer: its finish reason, or the failure that cut it.

    `chunk` holds the fields that a closing event of the same wire repeats (id, model, created, raw usage), so that the
    client's encoder can write one.
    """

    reason: str | None = None
    failure: Failure | None = None
    model: str | None = None
    chunk: dict[str, Any] | None = None


Event: TypeAlias = Delta | Blob | Vector | Raw | Usage | End


class Decoder(Protocol):
    """Turns the bytes of one provider answer into events, however they are cut. Used for one answer."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events that are complete with this chunk; nothing after an `End`."""

    def close(self) -> list[Event]:
        """Give what is left when the provider's bytes end; the sequence then holds exactly one `End`."""
