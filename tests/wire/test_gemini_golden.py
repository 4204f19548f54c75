"""Golden exchanges of Gemini's wire: whole, byte by byte and cut at every point, they give the same events."""

from collections.abc import Callable
from typing import Any

import pytest

from oneflow_ai.core.events import Decoder, Delta, Usage, Vector
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_failure import failure_of
from oneflow_ai.providers.gemini_stream import StreamDecoder, count_decoder, text_decoder, vector_decoder
from tests.wire.golden import assert_failure, body_of, files, golden
from tests.wire.middle import every_cut

WIRE = "gemini"
CALL_ID = "req_00c0ffee"
DECODERS: dict[str, Callable[[dict[str, Any]], Decoder]] = {
    "stream": lambda file: StreamDecoder(Answer(CALL_ID)),
    "whole": lambda file: text_decoder(Answer(CALL_ID)),
    "embed": lambda file: vector_decoder(file["inputs"]),
    "count": lambda file: count_decoder(),
}


def wanted(file: dict[str, Any]) -> dict[str, Any]:
    """The events that the file expects."""
    expected = file["expected"]
    return {
        "raw": b"",
        "content_events": 0,
        "deltas": [Delta(*delta) for delta in expected["deltas"]],
        "vectors": [Vector(place, tuple(values)) for place, values in expected.get("vectors", [])],
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
    assert_failure(file, failure_of)


def test_every_file_is_run() -> None:
    assert len(golden(WIRE, *DECODERS, "failure")) == len(files(WIRE)) > 80
