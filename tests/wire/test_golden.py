"""Golden exchanges of OpenAI's wire: whole, byte by byte and cut at every point, they give the same events."""

from typing import Any

import pytest

from oneflow_ai.core.events import Delta, Usage
from oneflow_ai.providers.openai_failure import failure_of
from tests.wire.decoding import decoded, pieces, single_bytes
from tests.wire.golden import assert_failure, body_of, files, golden

WIRE = "openai"
KINDS = ("stream", "whole", "failure")


def wanted(file: dict[str, Any], *, raw: bool) -> dict[str, Any]:
    """The events that the file expects, of the raw or of the middle form."""
    expected = file["expected"]
    end = dict(expected["end"])
    if raw:
        end.pop("reasons", None)
    else:
        end["reason"] = expected.get("middle_reason", end["reason"])
    return {
        "raw": "".join(expected["raw"]).encode() if raw else b"",
        "content_events": expected["content_events"] if raw else 0,
        "deltas": [] if raw else [Delta(*delta) for delta in expected["deltas"]],
        "vectors": [],
        "usage": None if expected["usage"] is None else Usage(**expected["usage"]),
        # The closing chunk is for clients of this wire alone.
        "end": end | {"chunk": end.get("chunk") if raw else None},
    }


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "middle"])
@pytest.mark.parametrize("file", golden(WIRE, "stream", "whole"))
def test_every_cut_gives_the_same_events(file: dict[str, Any], raw: bool) -> None:
    body, stream, asked = body_of(file), file["kind"] == "stream", file.get("include_usage", False)
    expected = wanted(file, raw=raw)
    assert decoded([body], stream=stream, raw=raw, include_usage=asked) == expected
    assert decoded(single_bytes(body), stream=stream, raw=raw, include_usage=asked) == expected
    for cut in range(1, len(body)):
        assert decoded(pieces(body, [cut]), stream=stream, raw=raw, include_usage=asked) == expected, f"cut at {cut}"


@pytest.mark.parametrize("file", golden(WIRE, "failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    assert_failure(file, failure_of)


def test_every_file_is_run() -> None:
    assert len(golden(WIRE, *KINDS)) == len(files(WIRE)) > 80
