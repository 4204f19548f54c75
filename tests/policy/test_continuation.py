"""Which answers may be gone on with, and what is asked for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.prompt import Format, Message, Prompt, Reasoning, Text, Tool, ToolCall, ToolResult
from oneflow_ai.policy.continuation import continued, may_go_on, prompt_of
from tests.ports.calls import call

HELLO = Message("user", (Text("hello"),))
PLAIN = Prompt((HELLO,))


def asking(prompt: Prompt, **fields: Any) -> Call:
    """A stream that asks so."""
    return replace(call(), stream=True, read=lambda body: prompt, **fields)


def test_a_stream_of_one_text_may_be_gone_on_with() -> None:
    assert prompt_of(asking(PLAIN)) is PLAIN
    earlier = replace(PLAIN, messages=(HELLO, Message("assistant", (Reasoning("so"), Text("hi"))), HELLO))
    assert prompt_of(asking(earlier)) is earlier


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": False},
        {"operation": Operation.COMPLETION},
        {"read": None},
        {"answers": 2},
        {"wire": "responses"},
        {"wire": "responses", "body": {"store": True}},
    ],
    ids=str,
)
def test_other_calls_may_not(fields: Mapping[str, Any]) -> None:
    assert prompt_of(replace(asking(PLAIN), **fields)) is None


def test_what_its_provider_is_told_not_to_keep_may() -> None:
    assert prompt_of(asking(PLAIN, wire="responses", body={"store": False})) is PLAIN


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": (Tool("look"),)},
        {"n": 2},
        {"format": Format()},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"further": ("modalities",)},
        {"stop": tuple(map(str, range(17)))},
        {"stop": ("a" * 65,)},
        {"messages": ()},
        {"messages": (HELLO, Message("assistant", (Text("I"),)))},
        {"messages": (HELLO, Message("assistant", (ToolCall("1", "f", "{}"),)), HELLO)},
        {"messages": (Message("user", (ToolResult("1", (Text("4"),)),)),)},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_what_is_not_one_text_may_not(fields: Mapping[str, Any]) -> None:
    assert prompt_of(asking(replace(PLAIN, **fields))) is None


def test_a_request_that_cannot_be_read_may_not() -> None:
    def read(body: Mapping[str, Any]) -> Prompt:
        raise kinds.Failure(kinds.INVALID_VALUE, "nobody understands it")

    assert prompt_of(replace(asking(PLAIN), read=read)) is None


def test_the_answer_so_far_is_the_last_message_and_ends_in_no_white_space() -> None:
    found = continued(PLAIN, "The sea \n\n", 3)
    assert found is not None
    assert found.messages == (HELLO, Message("assistant", (Text("The sea"),)))


def test_the_rest_has_the_tokens_that_are_left_and_one_at_least() -> None:
    for spoken, left in ((3, 7), (9, 1), (10, 1), (99, 1)):
        found = continued(replace(PLAIN, max_tokens=10), "The", spoken)
        assert found is not None
        assert found.max_tokens == left
    found = continued(PLAIN, "The", 3)
    assert found is not None
    assert found.max_tokens is None


def test_nobody_thinks_about_the_rest() -> None:
    found = continued(replace(PLAIN, effort="high", thinking_tokens=2_000, show_reasoning=True), "The", 1)
    assert found is not None
    assert (found.effort, found.thinking_tokens, found.show_reasoning) == (None, None, False)


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_nothing_is_not_gone_on_with(text: str) -> None:
    assert continued(PLAIN, text, 1) is None


@pytest.mark.parametrize(("text", "may"), [("a <", False), ("a </end", False), ("a ST", False), ("a > b", True)])
def test_what_may_be_the_beginning_of_a_stop_sequence_is_not_gone_on_with(text: str, may: bool) -> None:
    assert (continued(replace(PLAIN, stop=("STOP", "</end>")), text, 1) is not None) is may


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        (kinds.UPSTREAM_STREAM_INTERRUPTED, True),
        (kinds.UPSTREAM_IDLE_TIMEOUT, True),
        (kinds.UPSTREAM_OVERLOADED, True),
        (kinds.UPSTREAM_TOO_LARGE, False),
        (kinds.UPSTREAM_CONTENT_ERROR, False),
        (kinds.UPSTREAM_REJECTED, False),
        (kinds.DEADLINE_EXCEEDED, False),
        (kinds.DRAINING, False),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_only_what_the_provider_or_the_way_broke_is_gone_on_with(kind: kinds.Kind, may: bool) -> None:
    assert may_go_on(kinds.Failure(kind, "it broke")) is may
