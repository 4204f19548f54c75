"""What is sent to a provider: valid by OpenAI's own specification, the client's fields kept, nothing of ours in it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.core.call import Account, Operation
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.plain import text_call
from oneflow_ai.providers.openai import OpenAIAdapter
from oneflow_ai.providers.table import TABLE
from tests.specifications import openai_specification
from tests.wire.requests import KEY, MODEL, call_of, envelope, request_of, sent, target_of

KINDS = [kind for kind, row in TABLE.items() if isinstance(row.adapter, OpenAIAdapter)]
USER = {"role": "user", "content": "Hello"}
DEVELOPER = {"role": "developer", "content": "Be kind"}
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALLED = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": {"type": "object"}}}
CHATS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [USER]},
    "conversation": {"messages": [DEVELOPER, USER, {"role": "assistant", "content": "Hi"}, USER]},
    "options": {
        "messages": [USER],
        "temperature": 0.2,
        "top_p": 1,
        "max_completion_tokens": 64,
        "n": 2,
        "seed": 7,
        "stop": ["."],
    },
    "limits": {
        "messages": [USER],
        "max_tokens": 64,
        "presence_penalty": -1,
        "frequency_penalty": 1.5,
        "logit_bias": {"50256": -100},
    },
    "tools": {
        "messages": [USER],
        "tools": [TOOL],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning_effort": "none",
    },
    "tool loop": {
        "messages": [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALLED]},
            {"role": "tool", "tool_call_id": "call_a", "content": "12 °C"},
        ],
        "tools": [TOOL],
        "reasoning_effort": "none",
    },
    "vision": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                ],
            }
        ]
    },
    "structured": {"messages": [USER], "response_format": SCHEMA},
    "reasoning": {"messages": [USER], "reasoning_effort": "low", "service_tier": "flex", "verbosity": "low"},
    "logprobs": {"messages": [USER], "logprobs": True, "top_logprobs": 3},
    "labels": {"messages": [USER], "user": "u-1", "metadata": {"team": "blue"}, "store": False},
    "stream": {"messages": [USER], "stream": True},
    "stream with options": {"messages": [USER], "stream": True, "stream_options": {"include_obfuscation": False}},
}
COMPLETIONS: dict[str, dict[str, Any]] = {
    "plain": {"prompt": "Once"},
    "options": {"prompt": ["Once", "Twice"], "max_tokens": 5, "best_of": 2, "echo": True, "logprobs": 5, "suffix": "."},
    "tokens": {"prompt": [1, 2, 3], "n": 1},
    "stream": {"prompt": "Once", "stream": True},
}


EMBEDDINGS: dict[str, dict[str, Any]] = {
    "plain": {"input": "a"},
    "options": {"input": ["a", "b"], "dimensions": 256, "encoding_format": "base64", "user": "u-1"},
    "tokens": {"input": [[1, 2], [3]]},
}
MODERATIONS: dict[str, dict[str, Any]] = {
    "text": {"input": "a"},
    "texts": {"input": ["a", "b"], "model": "moderation"},
    "picture": {"input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PNG}}]},
}


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> dict[str, Any]:
    """OpenAI's own specification, read once: it is large."""
    return openai_specification(shared_folder)


def mistakes(specification: dict[str, Any], schema: str, body: dict[str, Any]) -> Iterator[str]:
    """What the specification has against a body."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": specification["components"]}
    return (error.message for error in Draft202012Validator(root).iter_errors(body))


def test_chats_are_valid(specification: dict[str, Any]) -> None:
    for name, body in CHATS.items():
        found = sent({"model": "text", **body})
        assert list(mistakes(specification, "CreateChatCompletionRequest", found)) == [], name


def test_completions_are_valid(specification: dict[str, Any]) -> None:
    for name, body in COMPLETIONS.items():
        found = sent({"model": "text", **body}, operation=Operation.COMPLETION)
        assert list(mistakes(specification, "CreateCompletionRequest", found)) == [], name


def test_embeddings_and_moderations_are_valid(specification: dict[str, Any]) -> None:
    for name, body in EMBEDDINGS.items():
        found = sent({"model": "embedding", **body}, operation=Operation.EMBEDDING)
        assert list(mistakes(specification, "CreateEmbeddingRequest", found)) == [], name
    for name, body in MODERATIONS.items():
        found = sent(body, operation=Operation.MODERATION)
        assert list(mistakes(specification, "CreateModerationRequest", found)) == [], name


def test_chats_that_were_written_anew_are_valid(specification: dict[str, Any]) -> None:
    """The same chats, as if a client of another wire had asked."""
    for name, body in CHATS.items():
        call = call_of({"model": "text", **body})
        # Newer ones are asked for calls of tools by Responses.
        target = target_of("openai", model="gpt-4.1")
        found = orjson.loads(target.adapter.request(replace(call, wire=""), target).body)
        assert list(mistakes(specification, "CreateChatCompletionRequest", found)) == [], name


def test_the_specification_finds_mistakes(specification: dict[str, Any]) -> None:
    for wrong in (
        {"messages": [USER]},
        {"model": MODEL},
        {"model": MODEL, "messages": []},
        {"model": MODEL, "messages": [USER], "n": 0},
    ):
        assert list(mistakes(specification, "CreateChatCompletionRequest", wrong)), wrong


@pytest.mark.parametrize("name", CHATS)
def test_every_field_is_kept_in_its_order(name: str) -> None:
    body = {"zeta": {"b": 1, "a": [None, 1.5]}, **CHATS[name], "model": "text", "alpha": "ß😀"}
    found = request_of(body).body
    expected = {**body, "model": MODEL}
    if body.get("stream"):
        expected["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    assert found == orjson.dumps(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_usage_is_asked_for_on_every_stream(kind: str) -> None:
    for asked in (None, {}, {"include_usage": False}, {"include_usage": True}, {"include_obfuscation": False}):
        found = sent({"model": "text", "messages": [USER], "stream": True, "stream_options": asked}, kind)
        if kind == "mistral":
            assert "stream_options" not in found
        else:
            assert found["stream_options"] == {**(asked or {}), "include_usage": True}
    assert "stream_options" not in sent({"model": "text", "messages": [USER]}, kind)


def test_mistral_gets_the_name_it_knows() -> None:
    body = {"model": "text", "max_completion_tokens": 5, "messages": [USER]}
    assert list(sent(body, "mistral").items()) == [("model", MODEL), ("max_tokens", 5), ("messages", [USER])]
    assert sent({**body, "max_tokens": None}, "mistral")["max_tokens"] == 5
    assert sent({**body, "max_completion_tokens": None, "max_tokens": 6}, "mistral")["max_tokens"] == 6
    assert sent(body, "groq") == {**body, "model": MODEL}


@pytest.mark.parametrize("kind", KINDS)
def test_the_clients_own_chain_stays_here(kind: str) -> None:
    body = {"model": "text", "messages": [USER], "models": ["a", "b"], "fallbacks": ["c"]}
    assert sent(body, kind) == {"model": MODEL, "messages": [USER]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_is_in_its_header_alone(kind: str) -> None:
    request = request_of({"model": "text", "messages": [USER], "user": "u-1"}, kind)
    header = ("api-key", KEY) if kind == "azure" else ("authorization", f"Bearer {KEY}")
    assert [(field, value) for field, value in request.headers if KEY in value] == [header]
    assert KEY.encode() not in request.body
    assert KEY not in request.url


@pytest.mark.parametrize("kind", KINDS)
def test_headers_are_the_targets_own(kind: str) -> None:
    request, target = request_of({"model": "text", "messages": [USER]}, kind), target_of(kind)
    assert request.headers == target.headers
    names = {field for field, _ in request.headers}
    assert names == {"content-type", "accept-encoding", "user-agent", "api-key" if kind == "azure" else "authorization"}
    assert (request.method, request.timeouts, request.way) == ("POST", target.timeouts, kind)


@pytest.mark.parametrize(
    ("kind", "base_url", "model", "operation", "url"),
    [
        ("openai", None, "m", "chat", "https://api.openai.com/v1/chat/completions"),
        ("openai", None, "m", "completion", "https://api.openai.com/v1/completions"),
        ("groq", None, "m", "chat", "https://api.groq.com/openai/v1/chat/completions"),
        ("deepseek", None, "m", "chat", "https://api.deepseek.com/chat/completions"),
        ("openrouter", None, "a/b:free", "chat", "https://openrouter.ai/api/v1/chat/completions"),
        ("vllm", "http://127.0.0.1:8000/v1", "m", "chat", "http://127.0.0.1:8000/v1/chat/completions"),
        (
            "azure", "https://r.openai.azure.com", "my gpt/4?x#y", "chat",
            "https://r.openai.azure.com/openai/deployments/my%20gpt%2F4%3Fx%23y/chat/completions?api-version=2024-10-21",
        ),
        (
            "azure", "https://r.openai.azure.com", "d", "completion",
            "https://r.openai.azure.com/openai/deployments/d/completions?api-version=2024-10-21",
        ),
        ("azure", "https://r.openai.azure.com/openai/v1", "d", "chat", "https://r.openai.azure.com/openai/v1/chat/completions"),
        ("openai", None, "m", "embedding", "https://api.openai.com/v1/embeddings"),
        ("openai", None, "m", "moderation", "https://api.openai.com/v1/moderations"),
        (
            "azure", "https://r.openai.azure.com", "d", "embedding",
            "https://r.openai.azure.com/openai/deployments/d/embeddings?api-version=2024-10-21",
        ),
    ],
)  # fmt: skip
def test_addresses(kind: str, base_url: str | None, model: str, operation: str, url: str) -> None:
    target = target_of(kind, model=model, base_url=base_url)
    body: dict[str, Any] = {"model": "text", "messages": [USER], "prompt": "x", "input": "x"}
    request = target.adapter.request(call_of(body, Operation(operation)), target)
    assert request.url == url
    assert orjson.loads(request.body)["model"] == model


def test_azures_version_is_the_operators_to_choose() -> None:
    target = target_of("azure", base_url="https://r.openai.azure.com", api_version="2025-01-01&x=1")
    request = target.adapter.request(call_of({"model": "text", "messages": [USER]}), target)
    assert request.url.endswith("/chat/completions?api-version=2025-01-01%26x%3D1")


def test_a_plain_call_asks_for_the_middle_form() -> None:
    target = target_of("openai")
    for stream in (False, True):
        call = text_call(
            "Hi", {"system": "Be kind", "max_tokens": 5, "seed": None}, envelope(), model="text", stream=stream
        )
        found = orjson.loads(target.adapter.request(call, target).body)
        expected = {
            "model": MODEL,
            "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hi"}],
            "max_tokens": 5,
        }
        if stream:
            expected |= {"stream": True, "stream_options": {"include_usage": True}}
        assert found == expected


def test_a_call_keeps_what_it_was_made_of() -> None:
    frame = Envelope("req_9", Account("key-2"), Operation.CHAT, datetime(2026, 1, 1, tzinfo=UTC), 1.0, 9.0, ("a", "b"))
    call = text_call("Hi", {"user": "u" * 300}, frame, model="text", stream=True)
    assert (call.id, call.account.key_id, call.received, call.tags) == ("req_9", "key-2", frame.received, ("a", "b"))
    assert (call.started_seconds, call.deadline_seconds, call.stream, call.include_usage) == (1.0, 9.0, True, False)
    assert (call.dialect, call.user) == ("plain", "u" * 256)
    assert call.prompt_bytes == len(orjson.dumps(call.body))
