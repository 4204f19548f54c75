"""The plain form makes the same calls as a chat, and refuses the same, for prompts in Python."""

from datetime import UTC, datetime
from typing import Any

import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.plain import text_call
from tests.wire.requests import envelope

DEEP: list[Any] = []
for _ in range(100):
    DEEP = [DEEP]


def call_of(prompt: Any, **options: Any) -> Call:
    return text_call(prompt, options, envelope(), model="text", stream=False)


def test_a_text_is_one_message_of_the_user() -> None:
    assert call_of("Hi").body == {"model": "text", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_system_text_comes_first() -> None:
    assert call_of("Hi", system="Be kind").body["messages"][0] == {"role": "system", "content": "Be kind"}


@pytest.mark.parametrize("kind", [list, tuple])
def test_messages_are_those_of_a_chat(kind: type) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "user", "content": "?"},
    ]
    assert call_of(kind(messages), system="a").body["messages"] == [{"role": "system", "content": "a"}, *messages]


def test_options_are_a_chats_and_none_is_absent() -> None:
    call = call_of("Hi", temperature=0.5, seed=None, own={"a": (1, 2)})
    assert list(call.body) == ["model", "messages", "temperature", "own"]
    assert call.body["own"] == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("prompt", "options", "code", "param"),
    [
        ("", {}, "missing_required_parameter", "prompt"),
        (None, {}, "missing_required_parameter", "prompt"),
        ([], {}, "missing_required_parameter", "prompt"),
        (7, {}, "invalid_type", "prompt"),
        (b"Hi", {}, "invalid_type", "prompt"),
        ({"role": "user"}, {}, "invalid_type", "prompt"),
        (["Hi"], {}, "invalid_messages", "messages[0]"),
        ([{"role": "nobody", "content": "x"}], {}, "invalid_messages", "messages[0]"),
        ("Hi", {"system": 7}, "invalid_messages", "messages[0]"),
        ("Hi", {"temperature": 3}, "invalid_value", "temperature"),
        ("Hi", {"temperature": "hot"}, "invalid_type", "temperature"),
        ("Hi", {"max_tokens": 5, "max_completion_tokens": 5}, "invalid_value", "max_tokens"),
        ("Hi", {"api_base": "http://a"}, "forbidden_parameter", "api_base"),
        ("Hi", {"stream": True}, "unsupported_parameter", "stream"),
        ("Hi", {"stream_options": {}}, "unsupported_parameter", "stream_options"),
        ("Hi", {"model": "b"}, "unsupported_parameter", "model"),
        ("Hi", {"messages": []}, "unsupported_parameter", "messages"),
        ("Hi", {"own": object()}, "invalid_type", None),
        ("Hi", {"own": {1: 2}}, "invalid_type", None),
        ("Hi", {"own": datetime(2026, 1, 1, tzinfo=UTC)}, "invalid_type", None),
        ("Hi", {"own": 1 << 64}, "invalid_type", None),
        ("Hi", {"own": DEEP}, "too_deep", None),
        ("half \ud800", {}, "invalid_type", None),
        ("nul \0", {}, "invalid_unicode", None),
    ],
)
def test_bad_input_is_refused_as_over_http(prompt: Any, options: dict[str, Any], code: str, param: str | None) -> None:
    with pytest.raises(Failure) as caught:
        call_of(prompt, **options)
    assert (caught.value.code, caught.value.param, caught.value.status) == (code, param, 400)
