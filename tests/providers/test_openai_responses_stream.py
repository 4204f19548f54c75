"""Streams of OpenAI's Responses whose events are large: the last one repeats all that was said."""

import json

import orjson
import pytest

from oneflow_ai.core.events import End, Raw
from oneflow_ai.providers.openai_responses import FOUND_BYTES_MOST
from oneflow_ai.providers.openai_responses_stream import StreamDecoder
from oneflow_ai.providers.sse import EVENT_BYTES_MOST
from oneflow_ai.providers.table import TABLE
from tests.wire.replies import response_call
from tests.wire.requests import target_of

PIECE_BYTES = 1 << 16


def completed(size_bytes: int) -> bytes:
    """The event that ends a response of so long a text."""
    part = {"type": "output_text", "text": "x" * size_bytes, "annotations": []}
    item = {"type": "message", "role": "assistant", "content": [part]}
    response = {"id": "resp_1", "status": "completed", "model": "m", "output": [item], "usage": None}
    return b"data: " + orjson.dumps({"type": "response.completed", "response": response}) + b"\n\n"


def fed(decoder: StreamDecoder, body: bytes) -> list[object]:
    found: list[object] = []
    for place in range(0, len(body), PIECE_BYTES):
        found += decoder.feed(body[place : place + PIECE_BYTES])
    return [*found, *decoder.close()]


def said(size_bytes: int) -> bytes:
    """The events that bring so long a text."""
    event = b"data: " + orjson.dumps({"type": "response.output_text.delta", "delta": "x" * PIECE_BYTES}) + b"\n\n"
    return event * -(-size_bytes // PIECE_BYTES)


def decoder_for(**fields: object) -> StreamDecoder:
    decoder = TABLE["openai"].adapter.decoder(response_call(stream=True, **fields), target_of("openai"))
    assert isinstance(decoder, StreamDecoder)
    return decoder


@pytest.mark.parametrize("raw", [True, False])
def test_the_last_event_may_repeat_all_that_was_said(raw: bool) -> None:
    size = EVENT_BYTES_MOST * 3
    body = said(size) + completed(size)
    *_, end = fed(StreamDecoder(raw=raw), body)
    assert isinstance(end, End) and end.failure is None
    assert end.reason == ("completed" if raw else "stop")
    *_, at_once = StreamDecoder(raw=raw).feed(body)
    assert at_once == end


@pytest.mark.parametrize("said_bytes", [0, EVENT_BYTES_MOST])
def test_an_event_is_no_larger_than_what_it_can_repeat(said_bytes: int) -> None:
    for body in (completed(EVENT_BYTES_MOST * 3), b"data: " + b"x" * EVENT_BYTES_MOST * 3):
        *_, end = fed(decoder_for(), said(said_bytes) + body)
        assert isinstance(end, End) and end.failure is not None
        assert end.failure.code == "upstream_too_large"


def test_an_event_may_repeat_what_was_asked() -> None:
    instructions = "é" * EVENT_BYTES_MOST
    response = {"id": "resp_1", "status": "in_progress", "model": "m", "output": [], "instructions": instructions}
    told = json.dumps({"type": "response.created", "response": response}).encode()
    assert len(told) > 5 * EVENT_BYTES_MOST
    event, end = fed(decoder_for(instructions=instructions), b"data: " + told + b"\n\n")
    assert isinstance(event, Raw)
    assert isinstance(end, End) and end.failure is not None and end.failure.code == "upstream_stream_interrupted"


def test_a_picture_that_was_asked_for_passes() -> None:
    drawn = {"type": "response.image_generation_call.partial_image", "partial_image_b64": "A" * EVENT_BYTES_MOST * 2}
    body = b"data: " + orjson.dumps(drawn) + b"\n\n"
    event, end = fed(decoder_for(tools=[{"type": "image_generation"}]), body)
    assert isinstance(event, Raw) and event.content_events == 1
    assert event.content.endswith(body)
    assert isinstance(end, End) and end.failure is not None and end.failure.code == "upstream_stream_interrupted"
    (refused,) = fed(decoder_for(), body)
    assert isinstance(refused, End) and refused.failure is not None
    assert refused.failure.code == "upstream_too_large"
    (endless,) = fed(decoder_for(tools=[{"type": "image_generation"}]), b"data: " + b"x" * (FOUND_BYTES_MOST * 2))
    assert isinstance(endless, End) and endless.failure is not None
    assert endless.failure.code == "upstream_too_large"
