"""Golden exchanges of Gemini's wire: whole, byte by byte and cut at every point, they give the same events."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.events import Decoder, Delta, Usage, Vector
from oneflow_ai.providers.gemini_failure import failure_of
from oneflow_ai.providers.gemini_stream import StreamDecoder, count_decoder, text_decoder, vector_decoder
from tests.wire.middle import every_cut

FOLDER = Path(__file__).parent / "gemini"
CALL_ID = "req_00c0ffee"
DECODERS: dict[str, Callable[[dict[str, Any]], Decoder]] = {
    "stream": lambda file: StreamDecoder(CALL_ID),
    "whole": lambda file: text_decoder(CALL_ID),
    "embed": lambda file: vector_decoder(file["inputs"]),
    "count": lambda file: count_decoder(),
}


def golden(*kinds: str) -> list[Any]:
    """The golden files of these kinds, each under its own name."""
    found = [(path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.json"))]
    return [pytest.param(file, id=name) for name, file in found if file["kind"] in kinds]


def body_of(file: dict[str, Any]) -> bytes:
    """The answer's bytes."""
    return "".join(file["response"]["body"]).encode()


def wanted(file: dict[str, Any]) -> dict[str, Any]:
    """The events that the file expects."""
    expected = file["expected"]
    return {
        "deltas": [Delta(*delta) for delta in expected["deltas"]],
        "vectors": [Vector(place, tuple(values)) for place, values in expected.get("vectors", [])],
        "usage": None if expected["usage"] is None else Usage(**expected["usage"]),
        "end": expected["end"],
    }


@pytest.mark.parametrize("file", golden(*DECODERS))
def test_every_cut_gives_the_same_events(file: dict[str, Any]) -> None:
    expected = wanted(file)
    for how, found in every_cut(lambda: DECODERS[file["kind"]](file), body_of(file)):
        assert found == expected, how


@pytest.mark.parametrize("file", golden("failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    answer = file["response"]
    failure = failure_of(answer["status"], answer["headers"], body_of(file))
    shown = {name: getattr(failure, name) for name in file["expected"] if name != "kind"}
    assert {"kind": failure.kind.code, **shown} == file["expected"]


def test_every_file_is_run() -> None:
    assert len(golden(*DECODERS, "failure")) == len(list(FOLDER.glob("*.json"))) > 80
