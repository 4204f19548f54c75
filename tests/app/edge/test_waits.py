"""The waits that a failure's answer tells: never shorter than what was found, on either plane."""

from __future__ import annotations

import pytest

from oneflow_ai.control.errors import failure_answer
from oneflow_ai.core.failure import RATE_LIMIT_EXCEEDED, Failure
from oneflow_ai.dialects import openai
from oneflow_ai.edge.answer import failure_reply


@pytest.mark.parametrize(
    ("seconds", "told", "told_milliseconds"),
    [(0.0, "0", "0"), (0.25, "1", "250"), (1.0, "1", "1000"), (1.2342, "2", "1235"), (-3.0, "0", "0")],
)
def test_a_wait_is_told_rounded_up(seconds: float, told: str, told_milliseconds: str) -> None:
    failure = Failure(RATE_LIMIT_EXCEEDED, "wait", retry_after_seconds=seconds)
    _, headers, _ = failure_reply(failure, [], openai, "req_1")
    data_plane = {name.decode(): value.decode() for name, value in headers}
    control_plane = failure_answer(failure).headers
    for found in (data_plane, control_plane):
        assert (found["retry-after"], found["retry-after-ms"]) == (told, told_milliseconds)
