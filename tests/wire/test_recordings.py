"""Recorded exchanges of every provider on OpenAI's wire decode to what they hold, however they are cut."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.events import Delta, Usage
from oneflow_ai.providers.openai_delta import REASONS
from oneflow_ai.providers.openai_failure import failure_of
from tests.needs import require
from tests.wire.decoding import cuts_of, decoded

# What each recorded refusal is to us. `server-error-500` was recorded elsewhere, but every path answers so.
FAILURES = {
    "azure/chat-err-401": "provider_auth_failed",
    "azure/chat-err-404": "upstream_model_not_found",
    "deepseek/chat-err-400": "context_length_exceeded",
    "deepseek/chat-err-401": "provider_auth_failed",
    "groq/chat-err-404": "upstream_model_not_found",
    "mistral/chat-err-401": "provider_auth_failed",
    "ollama/chat-err-400": "context_length_exceeded",
    "ollama/chat-err-401": "provider_auth_failed",
    "ollama/chat-err-404": "upstream_model_not_found",
    "openai/chat-err-400-image-download": "upstream_rejected",
    "openai/chat-err-400-mocked-body": "upstream_rejected",
    "openai/chat-err-400-unsupported-role": "upstream_rejected",
    "openai/chat-err-401": "provider_auth_failed",
    "openai/chat-err-404-model-not-found-async": "upstream_model_not_found",
    "openai/embeddings-err-404": "upstream_model_not_found",
    "openai/server-error-500": "upstream_error",
    "openrouter/chat-err-429-upstream": "upstream_rate_limited",
    "xai/responses-err-400-bad-key": "provider_auth_failed",
    "_quoted/openai/chat-429-insufficient-quota": "provider_quota_exhausted",
    "_quoted/openai/chat-429-project-spend-limit": "provider_quota_exhausted",
    "_quoted/openai/chat-429-request-too-large": "upstream_request_too_large",
    "_quoted/openai/chat-429-slow-down": "upstream_rate_limited",
    "_quoted/openai/chat-429-tokens-per-min": "upstream_rate_limited",
    "_quoted/openai/chat-503-overloaded": "upstream_overloaded",
}
WAITS = {
    "_quoted/openai/chat-429-slow-down": 5.0,
    "_quoted/openai/chat-429-tokens-per-min": 0.976,
}
ANSWERS_LEAST = 35
STREAMS_LEAST = 11
USAGES_LEAST = 30
SPOKEN = ("text", "reasoning", "refusal", "tool_call", "tool_arguments")
# Grok on Azure reported more cached tokens than the prompt had: capped, and flagged.
ODD = {"azure/chat-tools": {"cached_tokens": 198}}
# Recorded with the caller's own provider key: OpenRouter's fee is 0, that provider's bill is what the answer cost.
BILLED_UPSTREAM = {"openrouter/chat-basic": {"cost_nanos": 4_170_000}}


def recordings() -> dict[str, dict[str, Any]]:
    """Every recorded exchange of text on the chat and completions wire, by `provider/name`."""
    folder = require("shared") / "recordings"
    found = {}
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        exchange = json.loads(path.read_text("utf-8"))
        if "/completions" in exchange["request"]["url"] + "/" or name in FAILURES:
            found[name] = exchange
    return found


def answers() -> dict[str, bytes]:
    """The successful answers' bytes, by name."""
    return {
        name: exchange["response"]["body"].encode()
        for name, exchange in recordings().items()
        if exchange["response"]["status"] == 200
    }


def is_stream(body: bytes) -> bool:
    return not body.lstrip().startswith(b"{")


def chunks_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a recorded stream, read as simply as can be; of a whole answer, the answer."""
    if not is_stream(body):
        return [json.loads(body)]
    lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def said(body: bytes) -> dict[tuple[str, int], str]:
    """The texts and tool calls that a recording holds, by kind and choice."""
    texts: dict[tuple[str, int], str] = defaultdict(str)
    for chunk in chunks_of(body):
        for choice in chunk["choices"]:
            piece = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            index = choice["index"]
            texts["text", index] += piece.get("content") or ""
            texts["reasoning", index] += piece.get("reasoning_content") or piece.get("reasoning") or ""
            texts["refusal", index] += piece.get("refusal") or ""
            for call in piece.get("tool_calls") or []:
                tool = call.get("function") or call["custom"]
                texts["tool_call", index] += tool.get("name") or ""
                texts["tool_arguments", index] += tool.get("arguments") or tool.get("input") or ""
    return {key: text for key, text in texts.items() if text}


def usage_of(body: bytes) -> dict[str, Any] | None:
    """The last usage that a recording holds, wherever it is."""
    found = None
    for chunk in chunks_of(body):
        found = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or found
    return found


def heard(deltas: list[Delta]) -> dict[tuple[str, int], str]:
    texts: dict[tuple[str, int], str] = defaultdict(str)
    for delta in deltas:
        texts[delta.kind, delta.index] += delta.text
    return dict(texts)


def without_hidden(body: bytes) -> bytes:
    """A stream's events but for comments, the usage chunk and the mark of its end."""
    kept = []
    for block in body.decode().split("\n\n"):
        chunk = json.loads(block[6:]) if block.startswith("data: {") else {"choices": [], "usage": {}}
        if chunk["choices"] or chunk.get("usage") is None:
            kept.append(block + "\n\n")
    return "".join(kept).encode()


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    return answers()


def test_there_are_recordings(bodies: dict[str, bytes]) -> None:
    assert len(bodies) >= ANSWERS_LEAST
    assert sum(map(is_stream, bodies.values())) >= STREAMS_LEAST


def test_an_answer_gives_the_same_events_however_it_is_cut(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        for raw in (True, False):
            expected = decoded([body], stream=is_stream(body), raw=raw)
            for chunks in cuts_of(body, name):
                assert decoded(chunks, stream=is_stream(body), raw=raw) == expected, name


def test_an_answer_passes_unchanged(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        found = decoded([body], stream=is_stream(body), raw=True)
        assert found["raw"] == (without_hidden(body) if is_stream(body) else body), name
        assert found["content_events"] > 0, name
        assert found["end"]["failure"] is None, name


def test_the_middle_form_says_what_the_answer_said(bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        found = decoded([body], stream=is_stream(body), raw=False)
        heard_of = heard(found["deltas"])
        assert {key: text for key, text in heard_of.items() if key[0] in SPOKEN} == said(body), name
        reasons = [choice.get("finish_reason") for chunk in chunks_of(body) for choice in chunk["choices"]]
        word = "refusal" if ("refusal", 0) in heard_of else REASONS[[reason for reason in reasons if reason][-1]]
        assert found["end"]["reason"] == word, name
        assert found["end"]["model"] == chunks_of(body)[-1]["model"], name


def expected_usage(given: dict[str, Any]) -> dict[str, Any]:
    """The counts that a recorded usage names."""
    prompt, completion = given.get("prompt_tokens_details") or {}, given.get("completion_tokens_details") or {}
    cost = given.get("cost")
    return {
        "input_tokens": given["prompt_tokens"],
        "output_tokens": given["completion_tokens"],
        "cached_tokens": prompt.get("cached_tokens") or given.get("prompt_cache_hit_tokens") or 0,
        "cache_write_tokens": prompt.get("cache_write_tokens") or 0,
        "input_audio_tokens": prompt.get("audio_tokens") or 0,
        "output_audio_tokens": completion.get("audio_tokens") or 0,
        "reasoning_tokens": completion.get("reasoning_tokens") or 0,
        "cost_nanos": None if cost is None else round(cost * 1_000_000_000),
    }


def test_usage_is_the_recordings_own(bodies: dict[str, bytes]) -> None:
    told = 0
    for name, body in bodies.items():
        usage, given = decoded([body], stream=is_stream(body), raw=True)["usage"], usage_of(body)
        if given is None:
            assert usage is None, name
            continue
        told += 1
        assert isinstance(usage, Usage), name
        expected = expected_usage(given) | ODD.get(name, {}) | BILLED_UPSTREAM.get(name, {})
        assert {field: getattr(usage, field) for field in expected} == expected, name
        assert (usage.source, usage.odd) == ("provider", name in ODD), name
    assert told >= USAGES_LEAST


def test_a_refusal_has_its_kind() -> None:
    refused = {name: one["response"] for name, one in recordings().items() if one["response"]["status"] != 200}
    kinds, waits = {}, {}
    for name, answer in refused.items():
        headers = {field.lower(): value for field, value in answer["headers"].items()}
        failure = failure_of(answer["status"], headers, answer["body"].encode())
        kinds[name] = failure.kind.code
        if failure.retry_after_seconds is not None:
            waits[name] = failure.retry_after_seconds
        if failure.kind.code == "upstream_rejected":
            assert failure.status == answer["status"], name
    assert kinds == FAILURES
    assert waits == WAITS


def test_the_shared_folder_is_the_fixtures_own(shared_folder: Path) -> None:
    assert (shared_folder / "recordings").is_dir()
