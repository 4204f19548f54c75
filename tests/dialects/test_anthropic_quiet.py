"""An Anthropic client that asked for no thoughts is told seals without a word with the calls that need them alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.dialects.anthropic import encoder
from tests.wire.messages import message_call
from tests.wire.requests import target_of

SEALS = (Delta("reasoning", ""), Delta("signature", "s", wire="responses"), Delta("sealed", "t", wire="responses"))
CALL = (Delta("tool_call", "f", 0, 0, "call_1"), Delta("tool_arguments", "{}"))


def blocks(*deltas: Delta, stream: bool, **asked: Any) -> list[str]:
    """The kinds of the blocks that a client is told."""
    writer = encoder(message_call(stream=stream, **asked), target_of("openai"))
    body = b"".join(map(writer.feed, deltas)) + writer.end(End("stop"), Usage(), 0)
    if not stream:
        return [block["type"] for block in json.loads(body)["content"]]
    told = [json.loads(each.partition("data: ")[2]) for each in body.decode().split("\n\n") if each]
    return [event["content_block"]["type"] for event in told if event["type"] == "content_block_start"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asked", [{}, {"thinking": {"type": "disabled"}}])
def test_a_text_comes_first_for_who_asked_for_no_thoughts(stream: bool, asked: Any) -> None:
    assert blocks(*SEALS, Delta("text", "Hi"), stream=stream, **asked) == ["text"]
    told = ["thinking", "redacted_thinking", "tool_use"]
    assert blocks(*SEALS, *CALL, stream=stream, **asked) == told
    assert blocks(*SEALS, Delta("text", "Hi"), *CALL, stream=stream, **asked) == ["text", *told]


@pytest.mark.parametrize("stream", [False, True])
def test_beside_a_thought_that_is_shown_all_keep_their_places(stream: bool) -> None:
    shown = (Delta("reasoning", "Hm"), Delta("signature", "s", wire="bedrock"))
    sealed = Delta("sealed", "t", wire="bedrock")
    said = (Delta("text", "Hi"), *CALL)
    assert blocks(sealed, *shown, *said, stream=stream) == ["redacted_thinking", "thinking", "text", "tool_use"]
    assert blocks(*shown, sealed, *said, stream=stream) == ["thinking", "redacted_thinking", "text", "tool_use"]


@pytest.mark.parametrize("stream", [False, True])
def test_who_asked_for_thoughts_is_told_all(stream: bool) -> None:
    thinking = {"type": "adaptive"}
    told = ["thinking", "redacted_thinking", "text"]
    assert blocks(*SEALS, Delta("text", "Hi"), stream=stream, thinking=thinking) == told
