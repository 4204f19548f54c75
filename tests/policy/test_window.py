"""A prompt goes to no model that it is certainly too long for, unless there is no other."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import anthropic, openai
from oneflow_ai.policy.window import CHARACTERS_PER_TOKEN_MOST, roomy
from tests.policy.places import target
from tests.wire.requests import envelope

WINDOW = 10_000
FULL = CHARACTERS_PER_TOKEN_MOST * WINDOW
LONG = "a" * (FULL + CHARACTERS_PER_TOKEN_MOST)


def chain(*sizes: int | None) -> list[Target]:
    """Providers `a`, `b`, `c` whose models take so many tokens."""
    return [replace(target(name), context_window_tokens=size) for name, size in zip("abc", sizes, strict=False)]


def chat(*messages: dict[str, Any]) -> Call:
    return openai.parse(orjson.dumps({"model": "m", "messages": list(messages)}), envelope())


def said(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def left(call: Call, *sizes: int | None) -> str:
    return "".join(each.way for each in roomy(chain(*sizes), call))


@pytest.mark.parametrize(
    ("text", "sizes", "names"),
    [
        (LONG, (WINDOW, 2 * WINDOW), "b"),
        (LONG, (WINDOW, None), "b"),
        (LONG, (2 * WINDOW, WINDOW, WINDOW), "a"),
        (LONG, (WINDOW, WINDOW), "ab"),  # the provider says so
        (LONG, (WINDOW,), "a"),
        (LONG[:FULL], (WINDOW, 2 * WINDOW), "ab"),  # it may just fit
        ("short", (5, 2 * WINDOW), "ab"),
    ],
)
def test_what_a_prompt_is_too_long_for_is_left_out(text: str, sizes: tuple[int | None, ...], names: str) -> None:
    assert left(chat(said(text)), *sizes) == names


def test_every_text_of_a_conversation_counts_and_no_file() -> None:
    half = LONG[: len(LONG) // 2]
    call = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": orjson.dumps([half]).decode()}}
    turns = [said("?"), {"role": "assistant", "tool_calls": [call]}]
    assert left(chat(*turns, {"role": "tool", "tool_call_id": "call_a", "content": half}), WINDOW, 2 * WINDOW) == "b"
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{LONG}"}}
    assert left(chat(said([file])), WINDOW, 2 * WINDOW) == "ab"


def test_it_counts_in_any_dialect() -> None:
    body = {"model": "m", "max_tokens": 5, "system": LONG, "messages": [said("?")]}
    assert left(anthropic.parse(orjson.dumps(body), envelope()), WINDOW, 2 * WINDOW) == "b"


def test_what_cannot_be_read_is_left_to_those_who_are_asked() -> None:
    call = replace(chat(said(LONG)), body={"messages": [said(LONG)], "temperature": "warm"})
    assert left(call, WINDOW, 2 * WINDOW) == "ab"
