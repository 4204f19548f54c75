"""A field that a provider names as it refuses a request is told to the client by the name that the client gave it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Prompt
from tests.flow.test_own_wires import attempted
from tests.wire.generations import generation_call
from tests.wire.messages import foreign, message_call
from tests.wire.prompts import ASKED
from tests.wire.replies import response_call
from tests.wire.requests import call_of, target_of

CHAT, RESPONSES, KIN = (
    target_of("openai", model="gpt-4o"),
    target_of("openai", model="o3-pro"),
    target_of("groq", model="any"),
)
TOOL = {"name": "f", "input_schema": {"type": "object"}}
FORM = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}


def said(**fields: Any) -> Call:
    return call_of({"model": "text", "messages": [{"role": "user", "content": "Hi"}], **fields})


def generated(**config: Any) -> Call:
    return generation_call(generationConfig=config)


def refused(call: Call, target: Any, param: Any, *, words: str = "No.") -> Failure:
    """The failure of a call that a provider refuses for this field."""
    error = {"message": words, "type": "invalid_request_error", "param": param, "code": "invalid_value"}
    with pytest.raises(Failure) as caught:
        attempted(call, target, orjson.dumps({"error": error}), status=400)
    return caught.value


@pytest.mark.parametrize(
    ("call", "target", "param", "told"),
    [
        (generated(), CHAT, "messages", "contents"),
        (generated(), CHAT, "messages[0].content[1].image_url", "contents"),
        (generated(stopSequences=["a"]), CHAT, "stop", "generationConfig.stopSequences"),
        (generated(maxOutputTokens=9), CHAT, "max_completion_tokens", "generationConfig.maxOutputTokens"),
        (generated(maxOutputTokens=9), RESPONSES, "max_output_tokens", "generationConfig.maxOutputTokens"),
        (generated(maxOutputTokens=9), KIN, "max_tokens", "generationConfig.maxOutputTokens"),
        (generated(temperature=0), CHAT, "temperature", "generationConfig.temperature"),
        (
            generated(thinkingConfig={"thinkingBudget": 0}), CHAT, "reasoning_effort",
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (generated(), CHAT, "model", "model"),
        (message_call(), RESPONSES, "input[0].content[0]", "messages"),
        (message_call(stop_sequences=["a"]), CHAT, "stop[0]", "stop_sequences"),
        (message_call(tools=[TOOL]), CHAT, "tools[0].function.parameters", "tools"),
        (message_call(output_config={"effort": "low"}), RESPONSES, "reasoning.effort", "output_config.effort"),
        (message_call(output_config=FORM), RESPONSES, "text.format.schema", "output_config.format"),
        (message_call(output_config=FORM), CHAT, "response_format", "output_config.format"),
        (message_call(metadata={"user_id": "u"}), CHAT, "user", "metadata.user_id"),
        (response_call(), KIN, "messages.[0].content", "input"),
        (response_call(max_output_tokens=20), KIN, "max_completion_tokens", "max_output_tokens"),
        (said(max_completion_tokens=20), RESPONSES, "max_output_tokens", "max_completion_tokens"),
        (said(max_tokens=20), RESPONSES, "input", "messages"),
        # What the client did not write has no name of its.
        (message_call(), CHAT, "reasoning_effort", None),
        (message_call(), CHAT, "stop", None),
        (message_call(), CHAT, "stream_options", None),
        (message_call(), CHAT, "a_field_of_tomorrow", None),
        (message_call(), CHAT, None, None),
        # A body that passes as it is keeps its names.
        (said(), CHAT, "messages[0].content", "messages[0].content"),
        (said(), CHAT, "a_field_of_tomorrow", "a_field_of_tomorrow"),
        (response_call(), RESPONSES, "input[0]", "input[0]"),
    ],
)  # fmt: skip
def test_a_refused_field_has_the_clients_name(call: Call, target: Any, param: str | None, told: str | None) -> None:
    failure = refused(call, target, param, words=f"Invalid '{param}'.")
    assert (failure.param, failure.message, failure.code) == (told, f"Invalid '{param}'.", "invalid_value")


@pytest.mark.parametrize(
    ("target", "event"),
    [
        (CHAT, {"error": {"message": "No.", "code": "invalid_value", "param": "messages"}}),
        (RESPONSES, {"type": "error", "message": "No.", "code": "invalid_value", "param": "input"}),
    ],
)
def test_so_has_one_that_is_refused_inside_a_stream(target: Any, event: dict[str, Any]) -> None:
    call = foreign(Prompt((ASKED,), params={"messages": "contents"}), stream=True, dialect="gemini")
    with pytest.raises(Failure) as caught:
        attempted(call, target, b"data: " + orjson.dumps(event) + b"\n\n")
    assert (caught.value.param, caught.value.message) == ("contents", "No.")
