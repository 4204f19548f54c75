"""Golden exchanges of Anthropic's wire: whole, byte by byte and cut at every point, they give the same events."""

from typing import Any

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.providers.anthropic_failure import failure_of
from tests.wire.decoding import pieces, single_bytes
from tests.wire.golden import assert_failure, body_of, files, golden, wanted
from tests.wire.messages import decoded

WIRE = "anthropic"
KINDS = ("stream", "whole", "count", "failure")


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "middle"])
@pytest.mark.parametrize("file", golden(WIRE, "stream", "whole", "count"))
def test_every_cut_gives_the_same_events(file: dict[str, Any], raw: bool) -> None:
    body, stream = body_of(file), file["kind"] == "stream"
    operation = Operation.COUNT_TOKENS if file["kind"] == "count" else Operation.CHAT
    expected = wanted(file, raw=raw)
    assert decoded([body], stream=stream, raw=raw, operation=operation) == expected
    assert decoded(single_bytes(body), stream=stream, raw=raw, operation=operation) == expected
    for cut in range(1, len(body)):
        assert decoded(pieces(body, [cut]), stream=stream, raw=raw, operation=operation) == expected, f"cut at {cut}"


@pytest.mark.parametrize("file", golden(WIRE, "failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    assert_failure(file, failure_of)


def test_every_file_is_run() -> None:
    assert len(golden(WIRE, *KINDS)) == len(files(WIRE)) > 50
