"""Texts of white space alone, as Anthropic's wire refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from oneflow_ai.simulator import Simulator
from tests.simulator.raw import once
from tests.simulator.spoken import VERSION

BLANK = {"type": "text", "text": "\n\n"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "fine"}
ASKED = {"role": "user", "content": "x"}
CALLED = [ASKED, {"role": "assistant", "content": [BLANK, CALL]}, {"role": "user", "content": [RESULT]}]


@pytest.mark.parametrize(("fields", "place"), [({"messages": CALLED}, "messages"), ({"system": " "}, "system")])
async def test_a_message_of_blank_texts_is_refused(simulator: Simulator, fields: Any, place: str) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [ASKED], **fields}
    seen = await once(simulator, body, path="/v1/messages", headers=dict(VERSION))
    told = f"{place}: text content blocks must contain non-whitespace text"
    assert (seen.status, seen.json["error"]["message"]) == (400, told)
