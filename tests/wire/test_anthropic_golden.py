"""Golden exchanges of Anthropic's wire: whole, byte by byte and cut at every point, they give the same events."""

import json
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, Usage
from oneflow_ai.providers.anthropic_failure import failure_of
from tests.wire.decoding import pieces, single_bytes
from tests.wire.messages import decoded

FOLDER = Path(__file__).parent / "anthropic"
KINDS = ("stream", "whole", "count", "failure")


def golden(*kinds: str) -> list[Any]:
    """The golden files of these kinds, each under its own name."""
    found = [(path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.json"))]
    return [pytest.param(file, id=name) for name, file in found if file["kind"] in kinds]


def body_of(file: dict[str, Any]) -> bytes:
    """The answer's bytes; `encoding` latin-1 is for those that are no UTF-8."""
    return "".join(file["response"]["body"]).encode(file.get("encoding", "utf-8"))


def wanted(file: dict[str, Any], *, raw: bool) -> dict[str, Any]:
    """The events that the file expects, of the raw or of the middle form."""
    expected = file["expected"]
    end = expected["end"]
    return {
        "raw": "".join(expected["raw"]).encode() if raw else b"",
        "content_events": expected["content_events"] if raw else 0,
        "deltas": [] if raw else [Delta(*delta) for delta in expected["deltas"]],
        "usage": None if expected["usage"] is None else Usage(**expected["usage"]),
        "end": {
            **end,
            "reason": end["reason"]["raw" if raw else "middle"],
            "closing": end["closing"] if raw else None,
        },
    }


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "middle"])
@pytest.mark.parametrize("file", golden("stream", "whole", "count"))
def test_every_cut_gives_the_same_events(file: dict[str, Any], raw: bool) -> None:
    body, stream = body_of(file), file["kind"] == "stream"
    operation = Operation.COUNT_TOKENS if file["kind"] == "count" else Operation.CHAT
    expected = wanted(file, raw=raw)
    assert decoded([body], stream=stream, raw=raw, operation=operation) == expected
    assert decoded(single_bytes(body), stream=stream, raw=raw, operation=operation) == expected
    for cut in range(1, len(body)):
        assert decoded(pieces(body, [cut]), stream=stream, raw=raw, operation=operation) == expected, f"cut at {cut}"


@pytest.mark.parametrize("file", golden("failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    answer = file["response"]
    failure = failure_of(answer["status"], answer["headers"], body_of(file))
    shown = {name: getattr(failure, name) for name in file["expected"] if name != "kind"}
    assert {"kind": failure.kind.code, **shown} == file["expected"]


def test_every_file_is_run() -> None:
    assert len(golden(*KINDS)) == len(list(FOLDER.glob("*.json"))) > 50
