"""One call of a tool at a time on Bedrock: Claude is told so in its own fields, others cannot be."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Prompt
from tests.wire.own_prompts import TIME, WEATHER, body_of, prompt, request
from tests.wire.requests import target_of

CLAUDE = target_of("bedrock", model="global.anthropic.claude-haiku-5-5")
TOOLS = (WEATHER, TIME)


def asked(**fields: Any) -> Prompt:
    """A prompt that wants one call at a time."""
    return prompt(parallel_tool_calls=False, **fields)


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, {"type": "auto"}),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "tool", "tool_name": "time"}, {"type": "tool", "name": "time"}),
    ],
)
def test_claude_is_told_in_its_own_fields_and_nowhere_else(fields: dict[str, Any], choice: dict[str, Any]) -> None:
    made = request(asked(tools=TOOLS, **fields), CLAUDE)
    body = orjson.loads(made.body)
    assert body["additionalModelRequestFields"] == {"tool_choice": {**choice, "disable_parallel_tool_use": True}}
    assert "toolChoice" not in body["toolConfig"]
    assert made.dropped == ()


@pytest.mark.parametrize("fields", [{}, {"tools": TOOLS, "tool_choice": "none"}])
def test_without_tools_nothing_is_told(fields: dict[str, Any]) -> None:
    assert "additionalModelRequestFields" not in body_of(asked(**fields), CLAUDE)


def test_other_choices_stay_converses() -> None:
    body = body_of(prompt(tools=TOOLS, tool_choice="required", parallel_tool_calls=True), CLAUDE)
    assert body["toolConfig"]["toolChoice"] == {"any": {}}


def test_it_goes_beside_thoughts() -> None:
    fields = body_of(asked(tools=TOOLS, effort="low"), CLAUDE)["additionalModelRequestFields"]
    assert set(fields) == {"thinking", "output_config", "tool_choice"}


@pytest.mark.parametrize("name", ["amazon.nova-lite-v1:0", "openai.gpt-oss-120b-1:0"])
def test_models_of_other_makers_cannot_be_told(name: str) -> None:
    with pytest.raises(Failure) as caught:
        request(asked(tools=TOOLS), target_of("bedrock", model=name))
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "parallel_tool_calls")
