"""What is sent to Anthropic: valid by its own specification, from its own clients untouched."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.core.call import Operation
from oneflow_ai.dialects.anthropic import parse
from oneflow_ai.providers.anthropic import CURRENT_VERSION, OLDER_VERSION, version_of
from oneflow_ai.providers.claude import traits_of
from tests.wire.messages import KIND, MODEL, USER, foreign, message_call, requested, sent
from tests.wire.prompts import PROMPTS
from tests.wire.requests import KEY, envelope, target_of

OLD = "claude-haiku-4-5"
MODELS = (
    MODEL,
    OLD,
    "claude-opus-4-6",
    "claude-opus-4-8",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-opus-4-5",
    "kimi-k2",
)
FORCED = ("any tool", "this tool")


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> dict[str, Any]:
    """Anthropic's specification; it describes version 2023-06-01."""
    loaded: dict[str, Any] = json.loads((shared_folder / "specs" / "anthropic-openapi.json").read_text("utf-8"))
    return loaded


def mistakes(specification: dict[str, Any], body: dict[str, Any], schema: str = "CreateMessageParams") -> Iterator[str]:
    """What the specification has against a body."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": specification["components"]}
    return (error.message for error in Draft202012Validator(root).iter_errors(body))


@pytest.mark.parametrize("model", MODELS)
def test_every_request_is_valid(specification: dict[str, Any], model: str) -> None:
    for name, prompt in PROMPTS.items():
        if name in FORCED and not traits_of(model).forced_tools:
            continue
        body = sent(foreign(prompt, stream=True), model)
        # Newer than the specification: the lowest setting of thoughts on Sonnet 5.5.
        body = {field: value for field, value in body.items() if value != {"type": "between_tools"}}
        assert list(mistakes(specification, body)) == [], name
        assert body["model"] == model


def test_every_count_is_valid(specification: dict[str, Any]) -> None:
    for name, prompt in PROMPTS.items():
        body = sent(foreign(prompt, Operation.COUNT_TOKENS))
        assert list(mistakes(specification, body, "CountMessageTokensParams")) == [], name


def test_the_specification_finds_mistakes(specification: dict[str, Any]) -> None:
    for wrong in (
        {"model": MODEL, "messages": [USER]},
        {"model": MODEL, "max_tokens": 5},
        {"max_tokens": 5, "messages": [USER]},
    ):
        assert list(mistakes(specification, wrong)), wrong


# ---- of its own clients


def test_its_own_clients_body_is_kept_in_its_order() -> None:
    body = {"zeta": {"b": 1, "a": [None, 1.5]}, "model": "text", "messages": [USER], "max_tokens": 5, "alpha": "ß😀"}
    request = requested(parse(orjson.dumps(body), envelope()))
    assert request.body == orjson.dumps(body | {"model": MODEL})
    assert (request.method, request.url, request.dropped) == ("POST", "https://api.anthropic.com/v1/messages", ())


def test_the_clients_own_chain_stays_here() -> None:
    assert sent(message_call(models=["a"], fallbacks=["b"])) == {"model": MODEL, "messages": [USER], "max_tokens": 64}


def test_a_count_has_its_own_address() -> None:
    request = requested(message_call(Operation.COUNT_TOKENS))
    assert request.url == "https://api.anthropic.com/v1/messages/count_tokens"
    assert orjson.loads(request.body) == {"model": MODEL, "messages": [USER]}


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1/messages"),
    ],
)
def test_the_version_may_stand_in_the_address(base_url: str, url: str) -> None:
    target = target_of(KIND, model=MODEL, base_url=base_url)
    assert target.adapter.request(message_call(), target).url == url


def test_the_key_is_in_its_header_alone() -> None:
    request = requested(message_call())
    assert [pair for pair in request.headers if KEY in pair[1]] == [("x-api-key", KEY)]
    assert KEY.encode() not in request.body


def headers_of(asked: tuple[tuple[str, str], ...] = (), **fields: Any) -> dict[str, str]:
    return dict(requested(replace(message_call(**fields), headers=asked)).headers)


def test_the_client_names_version_and_beta_features() -> None:
    asked = (("anthropic-version", OLDER_VERSION), ("anthropic-beta", "a-1,b-2"))
    found = headers_of(asked)
    assert (found["anthropic-version"], found["anthropic-beta"]) == (OLDER_VERSION, "a-1,b-2")
    assert "anthropic-beta" not in headers_of()


CITED = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ({}, CURRENT_VERSION),
        ({"temperature": None}, CURRENT_VERSION),
        ({"temperature": 0}, OLDER_VERSION),
        ({"top_p": 1}, OLDER_VERSION),
        ({"top_k": 1}, OLDER_VERSION),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, CURRENT_VERSION),
        ({"messages": [{"role": "assistant", "content": [{"type": "document"}]}]}, OLDER_VERSION),
        ({"messages": [{"role": "user", "content": [CITED]}]}, OLDER_VERSION),
        ({"messages": [{"role": "assistant", "content": [CITED]}]}, CURRENT_VERSION),
        ({"messages": [{"role": "user", "content": [{**CITED, "citations": []}]}]}, CURRENT_VERSION),
        ({"messages": [{"role": "user", "content": [{"type": "search_result", "content": [CITED]}]}]}, OLDER_VERSION),
        ({"messages": [{"role": "user", "content": [{"type": "search_result", "content": "x"}]}]}, CURRENT_VERSION),
        ({"messages": ["x", {"role": "user", "content": "x"}, {"content": ["x"]}]}, CURRENT_VERSION),
    ],
)
def test_the_version_is_the_newest_that_takes_the_body(body: dict[str, Any], version: str) -> None:
    assert version_of(body) == version
    assert version_of(body, "2030-01-01") == "2030-01-01"
    assert version_of(body, current=False) == OLDER_VERSION


def test_the_list_of_models_has_its_own_address() -> None:
    for base_url in (None, "https://api.anthropic.com/v1"):
        target = target_of(KIND, model=MODEL, base_url=base_url)
        request = target.adapter.models_request(target)
        assert (request.method, request.url) == ("GET", "https://api.anthropic.com/v1/models?limit=1000")
        assert dict(request.headers)["anthropic-version"] == CURRENT_VERSION
        assert request.body == b""
