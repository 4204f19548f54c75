"""What comes back from a provider: a sequence of small values; a whole answer is such a sequence folded at its end."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.value import value


@value
class Delta:
    """A piece of an answer in the middle form, for a client that does not speak the provider's wire.

    `index` is the choice it belongs to. `kind` says what `text` is:

    - `text`, `reasoning`, `refusal`: a piece of it;
    - `tool_call`: the tool's name, with the call's id in `tool_id`; `tool_arguments`: a piece of JSON for the call at
      `tool_index`; `tool_signature`: the seal of that call, for the wire named in `wire`;
    - `signature`: the seal that ends the reasoning before it; `sealed`: reasoning that only its own wire can read,
      whole; both for the wire named in `wire`;
    - `citation`: an object in JSON: `url`, `title`, `text` (what is quoted), `start`, `end` (characters of the answer),
      those that are known;
    - `logprobs`: a list in JSON, as OpenAI's chat has it in `logprobs.content`;
    - `words`: a list in JSON of what a transcript's text is made of, in its order: `text`, `kind` (`word`, `space` or
      `event`), and where known `start` and `end` (seconds) and `speaker`; `language`: the code of its language;
    - `continued`: nothing of the answer, but that from here on another model writes it: the place named in `text`.
    """

    kind: str
    text: str
    index: int = 0
    tool_index: int = 0
    tool_id: str = ""
    wire: str = ""


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

    In the middle form `reason` is `stop`, `length`, `tool_calls`, `content_filter`, `refusal`, `pause` or
    `context_length`, and `stop_sequence` the one that ended it; `Raw` answers have their own wire's word. Of several
    choices these are the first one's, and `reasons` tells why each ended; it is None where there is one.
    `chunk` holds the fields that a closing event of the same wire repeats (id, model, created, raw usage), so that the
    client's encoder can write one. `answer_id` is the provider's id of the answer.
    """

    reason: str | None = None
    failure: Failure | None = None
    model: str | None = None
    chunk: dict[str, Any] | None = None
    stop_sequence: str = ""
    answer_id: str = ""
    reasons: dict[int, str | None] | None = None

    def reason_of(self, index: int) -> str | None:
        """Why a choice ended."""
        return self.reason if self.reasons is None else self.reasons.get(index)


Event: TypeAlias = Delta | Blob | Vector | Raw | Usage | End


class Encoder(Protocol):
    """Turns the events of one answer into the bytes of the client's wire, streamed or whole. Used for one answer."""

    def feed(self, event: Event) -> bytes:
        """Give the bytes that this event brings; empty where they must wait for more, or for the end."""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """Give the last bytes, with what the answer used and cost (nano-USD)."""

    def failure(self, failure: Failure) -> bytes:
        """Give the last bytes of a stream that broke: they say so, and nothing that follows a whole answer."""


class OrderEncoder(Encoder, Protocol):
    """Writes an answer of pictures, sound or a transcript. `media_type` is that of the whole one, known at its end."""

    @property
    def media_type(self) -> str:
        """The answer's media type."""


@runtime_checkable
class HeadedEncoder(OrderEncoder, Protocol):
    """Writes an answer whose wire tells something of it in headers, known at its end."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names, lower case, and values."""


class Decoder(Protocol):
    """Turns the bytes of one provider answer into events, however they are cut. Used for one answer."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events that are complete with this chunk; nothing after an `End`."""

    def close(self) -> list[Event]:
        """Give what is left when the provider's bytes end; the sequence then holds exactly one `End`."""


@runtime_checkable
class HeadedDecoder(Decoder, Protocol):
    """Decodes an answer whose head may tell what the whole of it takes."""

    @property
    def told(self) -> Usage | None:
        """What it takes, in the provider's own count; None where the head does not tell."""
