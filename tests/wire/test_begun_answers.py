"""Answers that the request begins, to models on Bedrock: gone on with by those that do, refused for all others."""

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Message, Text
from tests.wire.own_prompts import USER, prompt, request
from tests.wire.requests import target_of

BEGUN = (USER, Message("assistant", (Text("The sea"),)))


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        "global.anthropic.claude-haiku-5-5",
        "anthropic.claude-opus-4-6-v1",
        "openai.gpt-oss-120b-1:0",
        "meta.llama3-8b-instruct-v1:0",
    ],
)
def test_it_is_refused_for_a_model_that_does_not_go_on(model: str, begun: bool) -> None:
    with pytest.raises(Failure) as caught:
        request(prompt(*BEGUN, begun=begun, params={"messages": "input"}), target_of("bedrock", model=model))
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "input")


@pytest.mark.parametrize("model", ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"])
def test_it_goes_to_a_model_that_goes_on(model: str) -> None:
    made = request(prompt(*BEGUN, begun=True), target_of("bedrock", model=model))
    assert orjson.loads(made.body)["messages"][-1] == {"role": "assistant", "content": [{"text": "The sea"}]}
    assert made.dropped == ()
