"""Golden exchanges of Converse: whole, byte by byte and cut at every point, they give the same events."""

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from oneflow_ai.core.events import Decoder, Delta, Usage
from oneflow_ai.providers.bedrock_failure import failure_of
from oneflow_ai.providers.bedrock_stream import StreamDecoder, count_decoder, text_decoder
from tests.wire.frames import event, exception, frame, framed, header
from tests.wire.golden import assert_failure, files, golden
from tests.wire.middle import every_cut

WIRE = "bedrock"
MODEL = "global.anthropic.claude-sonnet-5-5"
DECODERS: dict[str, Callable[[dict[str, Any]], Decoder]] = {
    "stream": lambda file: StreamDecoder(file.get("model", MODEL)),
    "whole": lambda file: text_decoder(),
    "count": lambda file: count_decoder(),
}
# One header of each kind but text: true, false, the integers, bytes, a moment, a UUID.
KINDS = (
    b"\x00", b"\x01", b"\x02\x05", b"\x03\x00\x05", b"\x04" + bytes(4), b"\x05" + bytes(8), b"\x06\x00\x02ab",
    b"\x08" + bytes(8), b"\x09" + bytes(16),
)  # fmt: skip


def body_of(file: dict[str, Any]) -> bytes:
    """The answer's bytes: messages in Amazon's framing, or a text."""
    answer = file["response"]
    return b"".join(map(written, answer["messages"])) if "messages" in answer else "".join(answer["body"]).encode()


def written(message: list[Any]) -> bytes:
    """The bytes of one message of a golden file."""
    match message:
        case ["event", kind, payload]:
            return event(kind, payload)
        case ["event-raw", kind, text]:
            return event(kind, text.encode())
        case ["exception", kind, words]:
            return exception(kind, words)
        case ["frame", headers, text]:
            return frame(headers, text.encode())
        case ["every kind of header", kind, payload]:
            others = b"".join(header(f"h{number}", value) for number, value in enumerate(KINDS))
            texts = b"".join(
                header(name, b"\x07" + struct.pack(">H", len(value)) + value.encode())
                for name, value in {":message-type": "event", ":event-type": kind}.items()
            )
            return framed(others + texts, json.dumps(payload).encode())
        case ["cut", inner, length]:
            return written(inner)[:length]
        case ["flip", inner, place]:
            whole = written(inner)
            return whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        case ["bytes", text]:
            found: str = text
            return found.encode()
    raise AssertionError(message)


def wanted(file: dict[str, Any]) -> dict[str, Any]:
    """The events that the file expects."""
    expected = file["expected"]
    return {
        "raw": b"",
        "content_events": 0,
        "deltas": [Delta(*delta) for delta in expected["deltas"]],
        "vectors": [],
        "usage": None if expected["usage"] is None else Usage(**expected["usage"]),
        "end": expected["end"],
    }


@pytest.mark.parametrize("file", golden(WIRE, *DECODERS))
def test_every_cut_gives_the_same_events(file: dict[str, Any]) -> None:
    expected = wanted(file)
    for how, found in every_cut(lambda: DECODERS[file["kind"]](file), body_of(file)):
        assert found == expected, how


@pytest.mark.parametrize("file", golden(WIRE, "failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    assert_failure(file, failure_of, body_of(file))


def test_every_file_is_run() -> None:
    assert len(golden(WIRE, *DECODERS, "failure")) == len(files(WIRE)) > 75
