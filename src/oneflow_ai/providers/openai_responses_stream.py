"""Decoders of OpenAI's Responses, streamed or whole: as raw bytes for the same wire, or as the middle form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.providers.base import WholeDecoder, bad, mapping, word
from oneflow_ai.providers.openai_failure import error_in, error_of, stream_failure
from oneflow_ai.providers.openai_responses_items import Items, has_content
from oneflow_ai.providers.openai_responses_usage import read_usage
from oneflow_ai.providers.openai_stream import whole_failure
from oneflow_ai.providers.openai_usage import COUNT_MOST
from oneflow_ai.providers.sse import EVENT_BYTES_MOST
from oneflow_ai.providers.sse_decoder import EventStreamDecoder, NamedBatch, named_event

# How a response ends well, in its stream and by its status.
_ENDED = {"response.completed": "completed", "response.incomplete": "incomplete"}
_BROKEN = frozenset({"response.failed", "response.cancelled"})
# Why a response is not complete, in the words of the middle form.
_INCOMPLETE: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}
# What a response fails by that is its request's fault (OpenAI's specification, ResponseErrorCode, 2026-11-23).
_REJECTED = frozenset(
    {
        "invalid_prompt", "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url",
        "image_too_large", "image_too_small", "image_parse_error", "image_content_policy_violation",
        "invalid_image_mode", "image_file_too_large", "unsupported_image_media_type", "empty_image_file",
        "failed_to_download_image", "image_file_not_found", "bio_policy", "cyber_policy",
    }
)  # fmt: skip


class StreamDecoder(EventStreamDecoder[NamedBatch]):
    """Decodes one stream of numbered events; unknown ones are passed on, and mean nothing in the middle form.

    With `raw` it gives the events' bytes (each as its name and its data, whatever the line ends were), but for the one
    that ends a response: the client's encoder writes it when the call is accounted for. An event has at most
    `event_bytes_most`, and as much more as came before it.
    """

    __slots__ = ("_ending_event", "_items", "_response")

    def __init__(self, *, raw: bool, event_bytes_most: int = EVENT_BYTES_MOST) -> None:
        # The events that end a part, an item and the response repeat what those before them brought.
        super().__init__(event_bytes_most, repeat=True)
        self._items = None if raw else Items()
        self._response: dict[str, Any] = {}
        self._ending_event: dict[str, Any] | None = None

    def _batch(self) -> NamedBatch:
        return NamedBatch()

    def _take(self, data: bytes, out: NamedBatch) -> Failure | bool | None:
        read = named_event(data)
        if read is None or isinstance(read, Failure):
            return read
        data, event = read
        kind = word(event.get("type"))
        known = kind.startswith("response.")
        if kind == "error" or (event.get("error") and not known):
            return failure_in(error_in(event) or {})
        self._seen |= known
        if type(event.get("response")) is dict:
            self._response = event["response"]
        if kind in _ENDED or kind in _BROKEN:
            return self._finish(kind, event)
        if self._items is None:
            out.add(kind, data, has_content(kind, event))
        else:
            out.found += self._items.event(kind, event)
        return None

    def _finish(self, kind: str, event: dict[str, Any]) -> Failure | bool:
        response = self._response
        if kind in _BROKEN:
            error = response.get("error")
            return failure_in(error) if isinstance(error, dict) else _cancelled(kind)
        if type(event.get("response")) is not dict:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider ended the stream without a response")
        try:
            # The client's encoder writes it: what cannot be encoded again must not get that far.
            orjson.dumps(event)
        except orjson.JSONEncodeError:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is nested too deep")
        self._ending_event = event
        return True

    def _cut(self) -> Failure | bool:
        if self._seen:
            return Failure(UPSTREAM_STREAM_INTERRUPTED, "the provider ended the stream before the answer was finished")
        error = error_of(bytes(self._preface))
        if error:
            return failure_in(error)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")

    def _end(self, failure: Failure | None) -> list[Event]:
        usage = read_usage(self._response)
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        end = replace(_end_of(self._response, self._items), failure=failure, chunk=self._chunk())
        if failure is not None:
            end = replace(end, reason=None)
        return [end] if usage is None else [usage, end]

    def _chunk(self) -> dict[str, Any] | None:
        return self._ending_event if self._items is None else None


def decoder_of(
    operation: Operation, *, stream: bool, raw: bool, event_bytes_most: int = EVENT_BYTES_MOST
) -> StreamDecoder | WholeDecoder:
    """The decoder for one answer: a response, streamed or whole, or a count of tokens."""
    if stream:
        return StreamDecoder(raw=raw, event_bytes_most=event_bytes_most)
    return WholeDecoder(partial(_counted if operation is Operation.COUNT_TOKENS else _whole, raw))


def failure_in(error: Mapping[str, Any]) -> Failure:
    """The failure that an error within a response, or within its stream, stands for."""
    if word(error.get("code")) in _REJECTED:
        return stream_failure({**error, "type": "invalid_request_error"})
    return stream_failure(error)


def _whole(raw: bool, body: bytes, found: Any) -> list[Event]:
    if type(found) is dict and found.get("status") in ("failed", "cancelled"):
        error = found.get("error")
        return [End(failure=failure_in(error) if isinstance(error, dict) else _cancelled(found["status"]))]
    failure = whole_failure(found, "output")
    if failure is not None:
        return [End(failure=failure)]
    items = None if raw else Items()
    events: list[Event] = [Raw(body, 1)] if items is None else [*items.whole(found["output"])]
    usage = read_usage(found)
    if usage is not None:
        events.append(usage)
    return [*events, _end_of(found, items)]


def _counted(raw: bool, body: bytes, found: Any) -> list[Event]:
    count = found.get("input_tokens") if type(found) is dict else None
    if type(count) is not int or not 0 <= count <= COUNT_MOST:
        error = error_in(found)
        words = f"sent an error as success: {failure_in(error).message}" if error else "told no count of tokens"
        return bad(f"the provider {words}")
    events: list[Event] = [Raw(body, 1)] if raw else []
    return [*events, Usage(input_tokens=count), End()]


def _end_of(response: Mapping[str, Any], items: Items | None) -> End:
    """The end that a response tells: its status for its own wire, the middle form's word for any other."""
    reason = word(response.get("status")) or None
    if items is not None:
        reason = _reason(response, items)
    return End(reason, model=word(response.get("model")) or None, answer_id=word(response.get("id")))


def _reason(response: Mapping[str, Any], items: Items) -> str:
    if response.get("status") == "incomplete":
        told = word(mapping(response.get("incomplete_details")).get("reason"))
        return _INCOMPLETE.get(told, "length")
    if items.called:
        return "tool_calls"
    return "refusal" if items.refused else "stop"


def _cancelled(status: str) -> Failure:
    words = f"the provider gave the answer up ({status.rpartition('.')[2]})"
    return Failure(UPSTREAM_STREAM_INTERRUPTED, words)
