"""What a wire can be asked for: sent, left out and told, or refused with the client's own name of it."""

import pytest

from oneflow_ai.core.abilities import DROPPED, FEATURES, REFUSED, SENT, fit
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import Audio, Document, Format, Image, Message, Prompt, Reasoning, Text, Tool, ToolResult

EVERYTHING = dict.fromkeys(FEATURES, SENT)
PLAIN = Prompt((Message("user", (Text("hi"),)),))


def said(*parts: Text | Image | Document | Audio | ToolResult | Reasoning) -> tuple[Message, ...]:
    return (Message("user", parts),)


# One prompt that uses each feature, and the field that a client is told of.
USES = {
    "system prompt": (Prompt((Message("system", (Text("be kind"),)),)), "messages"),
    "image by address": (Prompt(said(Image(url="https://example.com/a.png"))), "messages"),
    "image as base64": (Prompt(said(Image(data="aGk=", media_type="image/png"))), "messages"),
    "document": (Prompt(said(Document(data="eA==", media_type="application/pdf"))), "messages"),
    "document by address": (Prompt(said(Document(url="https://example.com/a.pdf"))), "messages"),
    "audio": (Prompt(said(Audio("aGk=", "wav"))), "messages"),
    "image in a tool's result": (Prompt(said(ToolResult("1", (Image(data="aGk="),)))), "messages"),
    "failed tool result": (Prompt(said(ToolResult("1", (Text("no"),), failed=True))), "is_error"),
    "speaker's name": (Prompt((Message("user", (Text("hi"),), name="ann"),)), "messages.name"),
    "reasoning given back": (Prompt(said(Reasoning("hm"))), "messages"),
    "answer begun": (Prompt((Message("assistant", (Text("The"),)),), begun=True), "messages"),
    "prompt cache marks": (Prompt(said(Text("hi", cache="5m"))), "cache_control"),
    "prompt cache key": (Prompt((), cache_key="k"), "cache_key"),
    "citations": (Prompt(said(Document(text="hi", citations=True))), "citations"),
    "tools": (Prompt((), tools=(Tool("f"),)), "tools"),
    "strict tools": (Prompt((), tools=(Tool("f", strict=True),)), "tools"),
    "tool choice none": (Prompt((), tool_choice="none"), "tool_choice"),
    "tool choice required": (Prompt((), tool_choice="required"), "tool_choice"),
    "tool choice by name": (Prompt((), tool_choice="tool", tool_name="f"), "tool_choice"),
    "parallel tools off": (Prompt((), parallel_tool_calls=False), "parallel_tool_calls"),
    "JSON object": (Prompt((), format=Format()), "format"),
    "JSON by schema": (Prompt((), format=Format({"type": "object"})), "format"),
    "reasoning effort": (Prompt((), effort="low"), "effort"),
    "reasoning budget": (Prompt((), thinking_tokens=0), "thinking_tokens"),
    "reasoning shown": (Prompt((), show_reasoning=True), "show_reasoning"),
    "max_tokens": (Prompt((), max_tokens=5), "max_tokens"),
    "temperature": (Prompt((), temperature=0.0), "temperature"),
    "top_p": (Prompt((), top_p=0.0), "top_p"),
    "top_k": (Prompt((), top_k=1), "top_k"),
    "stop": (Prompt((), stop=("x",)), "stop"),
    "seed": (Prompt((), seed=0), "seed"),
    "n": (Prompt((), n=2), "n"),
    "presence_penalty": (Prompt((), presence_penalty=0.5), "presence_penalty"),
    "frequency_penalty": (Prompt((), frequency_penalty=0.5), "frequency_penalty"),
    "logit_bias": (Prompt((), logit_bias={"5": 1.0}), "logit_bias"),
    "logprobs": (Prompt((), logprobs=True), "logprobs"),
    "verbosity": (Prompt((), verbosity="low"), "verbosity"),
    "service_tier": (Prompt((), service_tier="flex"), "service_tier"),
    "user": (Prompt((), user="u"), "user"),
    "metadata": (Prompt((), metadata={"a": "b"}), "metadata"),
    "truncation": (Prompt((), truncation=True), "truncation"),
}


def test_each_feature_is_tried() -> None:
    assert USES.keys() == FEATURES.keys()


@pytest.mark.parametrize("feature", FEATURES)
def test_what_a_wire_cannot_do_is_refused_dropped_or_sent(feature: str) -> None:
    prompt, field = USES[feature]
    assert fit(prompt, EVERYTHING, "a wire") == ()
    assert fit(prompt, {**EVERYTHING, feature: DROPPED}, "a wire") == (field,)
    with pytest.raises(Failure) as caught:
        fit(prompt, {**EVERYTHING, feature: REFUSED}, "a wire")
    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_PARAMETER, field)
    assert fit(PLAIN, {feature: REFUSED}, "a wire") == ()


def test_a_feature_that_a_wire_says_nothing_of_is_refused() -> None:
    with pytest.raises(Failure):
        fit(Prompt((), seed=1), {}, "a wire")


def test_the_client_is_told_its_own_name_of_a_field_once() -> None:
    prompt = Prompt((), max_tokens=5, tools=(Tool("f", strict=True),), params={"max_tokens": "max_output_tokens"})
    dropping = dict.fromkeys(FEATURES, DROPPED)
    assert fit(prompt, dropping, "a wire") == ("tools", "max_output_tokens")


def test_what_is_minor_is_dropped_and_told_first() -> None:
    prompt = Prompt((), seed=1, minor=("store", "prediction"))
    assert fit(prompt, {**EVERYTHING, "seed": DROPPED}, "a wire") == ("store", "prediction", "seed")


def test_a_field_that_no_other_wire_has_is_refused() -> None:
    with pytest.raises(Failure) as caught:
        fit(Prompt((), further=("prediction",)), EVERYTHING, "a wire")
    assert caught.value.param == "prediction"
