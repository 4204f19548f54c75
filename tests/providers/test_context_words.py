"""A prompt that is too long is known as such in the words of every provider, and nothing else is taken for it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Task
from oneflow_ai.core.failure import Failure
from oneflow_ai.providers import anthropic_failure, bedrock_failure, gemini_failure, openai_failure
from oneflow_ai.providers.context_words import tells_of_context
from oneflow_ai.providers.table import TABLE as PROVIDERS

# What providers say, with where and when that was read.
TABLE = json.loads(Path(__file__).with_name("context_words.json").read_text("utf-8"))
Reader = Callable[[int, Mapping[str, str], bytes], Failure]


def told(read: Reader, status: int, message: str) -> Failure:
    """The failure that an error in each wire's shape stands for."""
    if read is bedrock_failure.failure_of:
        return read(status, {"x-amzn-errortype": "ValidationException"}, json.dumps({"message": message}).encode())
    error = {"message": message, "type": "invalid_request_error", "code": status}
    return read(status, {}, json.dumps({"error": error}).encode())


# Every other provider of text speaks OpenAI's wire.
READERS: dict[str, Reader] = {
    "anthropic": anthropic_failure.failure_of,
    "bedrock": bedrock_failure.failure_of,
    "gemini": gemini_failure.failure_of,
}
OPENAI: Reader = openai_failure.failure_of


@pytest.mark.parametrize("row", TABLE["too_long"], ids=lambda row: row["provider"])
def test_a_prompt_that_is_too_long_is_known(row: dict[str, Any]) -> None:
    read = READERS.get(row["provider"], OPENAI)
    assert told(read, row["status"], row["words"]).kind is kinds.CONTEXT_LENGTH_EXCEEDED


@pytest.mark.parametrize("row", TABLE["other"], ids=lambda row: row["words"][:24])
def test_nothing_else_is_taken_for_it(row: dict[str, Any]) -> None:
    for read in (OPENAI, *READERS.values()):
        assert told(read, 400, row["words"]).kind is kinds.UPSTREAM_REJECTED


def test_the_table_has_every_provider_of_text() -> None:
    told_of = {row["provider"] for row in TABLE["too_long"]}
    assert told_of == {kind for kind, row in PROVIDERS.items() if Task.TEXT in row.tasks}


def test_it_is_known_in_the_shape_of_xais_errors_and_within_a_stream() -> None:
    words = next(row["words"] for row in TABLE["too_long"] if row["provider"] == "xai")
    body = json.dumps({"code": "Client specified an invalid argument", "error": words}).encode()
    assert OPENAI(400, {}, body).kind is kinds.CONTEXT_LENGTH_EXCEEDED
    for told_of in ({"type": "invalid_request_error"}, {"code": 400}, {"code": "400"}):
        failure = openai_failure.stream_failure({"message": words, **told_of})
        assert (failure.kind, failure.status) == (kinds.CONTEXT_LENGTH_EXCEEDED, 400)
    assert openai_failure.stream_failure({"message": words}).kind is kinds.UPSTREAM_ERROR


def test_a_rate_is_no_length_whatever_its_words() -> None:
    assert told(OPENAI, 429, "Please reduce the length of the messages").kind is not (kinds.CONTEXT_LENGTH_EXCEEDED)
    # Groq's tokens a minute, as in the golden file of its 413.
    words = "Request too large for model `x` on tokens per minute (TPM), please reduce the length of the messages"
    assert told(OPENAI, 413, words).kind is kinds.UPSTREAM_REQUEST_TOO_LARGE


def test_the_words_of_the_server_behind_openrouter_count() -> None:
    # cline/cline/issues/13194, 2026-11-27.
    inner = {"error": {"message": "This model's maximum context length is 262144 tokens.", "code": 400}}

    def failure(raw: Any) -> Failure:
        error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "Nvidia"}}
        return openai_failure.failure_of(400, {}, json.dumps({"error": error}).encode())

    assert failure(json.dumps(inner)).kind is kinds.CONTEXT_LENGTH_EXCEEDED
    assert failure(json.dumps(inner)).message == "Provider returned error"
    given: Any
    for given in ("no", None, 7, inner, []):
        assert failure(given).kind is kinds.UPSTREAM_REJECTED


def test_a_long_message_costs_no_more_than_its_length() -> None:
    for piece in ("prompt (", "input token count ", "exceeds the ", "(", "maximum "):
        assert not tells_of_context(piece * (100_000 // len(piece)))
