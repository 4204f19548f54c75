"""Streams of OpenAI's Responses whose events are large: the last one repeats all that was said."""

import orjson
import pytest

from oneflow_ai.core.events import End, Raw
from oneflow_ai.providers.openai_responses_stream import RESPONSE_EVENT_BYTES_MOST, StreamDecoder
from oneflow_ai.providers.sse import EVENT_BYTES_MOST

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


@pytest.mark.parametrize("raw", [True, False])
def test_a_long_answer_ends_well(raw: bool) -> None:
    (end,) = fed(StreamDecoder(raw=raw), completed(EVENT_BYTES_MOST * 2))
    assert isinstance(end, End) and end.failure is None
    assert end.reason == ("completed" if raw else "stop")


def test_a_picture_that_was_drawn_passes() -> None:
    drawn = {"type": "response.image_generation_call.partial_image", "partial_image_b64": "A" * EVENT_BYTES_MOST * 2}
    body = b"data: " + orjson.dumps(drawn) + b"\n\n"
    (event, end) = fed(StreamDecoder(raw=True), body)
    assert isinstance(event, Raw) and event.content_events == 1
    assert event.content.endswith(body)
    assert isinstance(end, End) and end.failure is not None


def test_an_event_without_end_is_cut() -> None:
    (end,) = fed(StreamDecoder(raw=True), b"data: " + b"x" * (RESPONSE_EVENT_BYTES_MOST + 2))
    assert isinstance(end, End) and end.failure is not None
    assert end.failure.code == "upstream_too_large"
