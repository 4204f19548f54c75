"""What a client of OpenAI's wire wrote, as it reaches servers of that wire that take less than others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.requests import request_of

ASKS = {"role": "user", "content": "Hi"}
CALL = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
LENIENT = ["openai", "azure", "xai", "groq"]


def sent(kind: str, *messages: Any, **fields: Any) -> dict[str, Any]:
    """The body that reaches a server of this kind."""
    body: dict[str, Any] = json.loads(request_of({"model": "text", "messages": list(messages), **fields}, kind).body)
    return body


@pytest.mark.parametrize("kind", ["mistral", "deepseek", "together", "ollama", "openrouter"])
def test_the_newer_name_of_the_bound_becomes_the_one_that_the_server_knows(kind: str) -> None:
    body = sent(kind, ASKS, max_completion_tokens=5)
    assert (body["max_tokens"], body.get("max_completion_tokens")) == (5, None)
    assert sent(kind, ASKS, max_tokens=5)["max_tokens"] == 5


@pytest.mark.parametrize("kind", [*LENIENT, "vllm"])
def test_who_knows_both_names_gets_what_the_client_wrote(kind: str) -> None:
    assert sent(kind, ASKS, max_completion_tokens=5)["max_completion_tokens"] == 5


@pytest.mark.parametrize("kind", ["mistral", "deepseek", "together", "ollama", "vllm"])
def test_a_developer_is_the_system_where_it_is_not_known(kind: str) -> None:
    assert sent(kind, {"role": "developer", "content": "d"}, ASKS)["messages"] == [
        {"role": "system", "content": "d"},
        ASKS,
    ]


@pytest.mark.parametrize("kind", [*LENIENT, "openrouter"])
def test_a_developer_stays_one_elsewhere(kind: str) -> None:
    said = {"role": "developer", "content": "d"}
    assert sent(kind, said, ASKS)["messages"] == [said, ASKS]


def test_ids_of_calls_are_as_mistral_takes_them_and_stay_pairs() -> None:
    calls = [{"id": "call_PTLP8xhu3uwZk4", **CALL}, {"id": "abcdefgh9", **CALL}]
    turns = [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_PTLP8xhu3uwZk4", "content": "1"},
        {"role": "tool", "tool_call_id": "abcdefgh9", "content": "2"},
    ]
    _, called, first, second = sent("mistral", ASKS, *turns)["messages"]
    changed, kept = (call["id"] for call in called["tool_calls"])
    assert (len(changed), changed.isalnum(), kept) == (9, True, "abcdefgh9")
    assert (first["tool_call_id"], second["tool_call_id"]) == (changed, kept)
    assert sent("openai", ASKS, *turns)["messages"][1:] == turns


def test_texts_in_parts_are_one_text_at_deepseek() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert sent("deepseek", {"role": "user", "content": parts})["messages"] == [{"role": "user", "content": "a\n\nb"}]
    said = {"role": "user", "content": [*parts, picture]}
    assert sent("deepseek", said)["messages"] == [said]
    assert sent("openai", {"role": "user", "content": parts})["messages"][0]["content"] == parts
