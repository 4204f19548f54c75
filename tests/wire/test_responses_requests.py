"""What is sent to OpenAI's Responses: valid by its own specification, from its own clients untouched."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.core.abilities import FEATURES
from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import UNSUPPORTED_OPERATION, Failure
from oneflow_ai.core.prompt import Audio, Image, Message, Prompt, Reasoning, Text, Tool, ToolCall, ToolResult
from oneflow_ai.dialects.responses import parse
from oneflow_ai.providers.openai_responses_prompt import ABILITIES
from tests.specifications import openai_specification
from tests.wire.messages import foreign, message_call
from tests.wire.prompts import ASKED, PROMPTS, WEATHER
from tests.wire.replies import USER, requested, response_body, response_call, sent
from tests.wire.requests import KEY, call_of, envelope, target_of

# A model that the chat wire does not have.
ONLY = "gpt-5.5-pro"
NEWEST = "gpt-6-cyber"
# What this wire has no place for, of the prompts that are tried on all.
REFUSED = {"documents": "citations", "options": "stop"}


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> dict[str, Any]:
    """OpenAI's own specification, read once: it is large."""
    loaded = openai_specification(shared_folder)
    for name in ("InputItem", "Item"):
        # A message fits two of these at once, which only its discriminator tells apart.
        schema = loaded["components"]["schemas"][name]
        schema["anyOf"] = schema.pop("oneOf")
    return loaded


def mistakes(specification: dict[str, Any], schema: str, body: dict[str, Any]) -> Iterator[str]:
    """What the specification has against a body."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": specification["components"]}
    return (error.message for error in Draft202012Validator(root).iter_errors(body))


def written(prompt: Prompt, model: str = ONLY, **about: Any) -> dict[str, Any]:
    """The body that reaches OpenAI for a client of another wire."""
    return sent(foreign(prompt, dialect="anthropic", **about), model)


def test_every_request_is_valid(specification: dict[str, Any]) -> None:
    refused = {}
    for model in (ONLY, NEWEST):
        for name, prompt in PROMPTS.items():
            try:
                body = written(prompt, model, stream=True)
            except Failure as failure:
                refused[name] = failure.param
                continue
            assert list(mistakes(specification, "CreateResponse", body)) == [], name
            assert (body["model"], body["stream"], body["store"]) == (model, True, False)
    assert refused == REFUSED


def test_every_count_is_valid(specification: dict[str, Any]) -> None:
    for name, prompt in PROMPTS.items():
        if name not in REFUSED:
            request = requested(foreign(prompt, Operation.COUNT_TOKENS, dialect="anthropic"), "gpt-6-luna")
            assert request.url == "https://api.openai.com/v1/responses/input_tokens"
            assert list(mistakes(specification, "TokenCountsBody", orjson.loads(request.body))) == [], name


def test_the_specification_finds_mistakes(specification: dict[str, Any]) -> None:
    for wrong in ({"input": 5}, {"input": [{"type": "input_text"}]}, {"tools": [{"type": "function"}]}):
        assert list(mistakes(specification, "CreateResponse", {"model": ONLY, **wrong})), wrong


def test_every_feature_has_its_ability() -> None:
    assert ABILITIES.keys() == FEATURES.keys()


# ---- which wire a call is for


@pytest.mark.parametrize(
    ("kind", "base_url", "model", "url"),
    [
        ("openai", None, "gpt-6-luna", "https://api.openai.com/v1/responses"),
        ("openai", "http://127.0.0.1:9/openai/v1", "gpt-6-luna", "http://127.0.0.1:9/openai/v1/responses"),
        ("xai", None, "grok-4.3", "https://api.x.ai/v1/responses"),
        ("azure", "https://a.openai.azure.com/openai/v1", "mine", "https://a.openai.azure.com/openai/v1/responses"),
    ],
)
def test_its_own_clients_body_goes_to_the_same_wire(kind: str, base_url: str | None, model: str, url: str) -> None:
    body = {"zeta": {"b": 1, "a": [None, 1.5]}, "model": "text", "input": [USER], "tools": [], "alpha": "ß😀"}
    target = target_of(kind, model=model, base_url=base_url)
    request = target.adapter.request(parse(orjson.dumps(body), envelope()), target)
    assert request.body == orjson.dumps(body | {"model": model})
    assert (request.method, request.url, request.dropped) == ("POST", url, ())


@pytest.mark.parametrize(
    ("kind", "base_url"), [("groq", None), ("azure", "https://a.openai.azure.com"), ("vllm", "http://127.0.0.1:9/v1")]
)
def test_a_server_of_the_chat_wire_alone_gets_a_chat(kind: str, base_url: str | None) -> None:
    target = target_of(kind, base_url=base_url)
    request = target.adapter.request(response_call(stream=True, max_output_tokens=5), target)
    assert "/chat/completions" in request.url
    assert orjson.loads(request.body)["messages"] == [USER]


def test_only_a_model_that_the_chat_does_not_have_is_asked_here_by_others() -> None:
    for model, path in (("gpt-6-luna", "/chat/completions"), ("o3-pro", "/responses"), (ONLY, "/responses")):
        target = target_of("openai", model=model)
        for call in (message_call(), call_of({"model": "text", "messages": [USER]})):
            assert target.adapter.request(call, target).url.endswith(path), model


def test_a_server_that_counts_in_a_way_of_its_own_is_not_asked_to() -> None:
    target = target_of("xai")
    for call in (message_call(Operation.COUNT_TOKENS), response_call(Operation.COUNT_TOKENS)):
        with pytest.raises(Failure) as caught:
            target.adapter.request(call, target)
        assert (caught.value.kind, caught.value.kind.other) == (UNSUPPORTED_OPERATION, True)


def test_the_clients_own_chain_stays_here() -> None:
    assert sent(response_call(models=["a"], fallbacks=["b"])) == {"model": "gpt-6-luna", "input": [USER]}


def test_the_key_is_in_its_header_alone() -> None:
    request = requested(response_call())
    assert [pair for pair in request.headers if KEY in pair[1]] == [("authorization", f"Bearer {KEY}")]
    assert KEY.encode() not in request.body


def test_what_another_wire_sealed_never_reaches_its_providers_and_all_else_does() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "of:anthropic:EqQB"}
    own = {**thought, "encrypted_content": "gAAA"}
    said = {"role": "assistant", "content": "Hi", "phase": "commentary"}
    more = {"tools": [{"type": "web_search"}], "store": True, "unheard_of": 1}
    call = response_call(input=[USER, own, thought, said, USER], **more)
    assert sent(call) == {"model": "gpt-6-luna", "input": [USER, own, said, USER], **more}
    assert b"EqQB" not in requested(call).body
    # Its own wire's server of another kind is written to anew, and is not shown it either.
    assert "EqQB" not in str(sent(response_call(input=[USER, thought, said, USER]), kind="groq"))


# ---- what is written


SEAL = '{"id":"rs_1","encrypted_content":"gAAA"}'
ASKED_FOR = Prompt(
    (
        Message("system", (Text("Be kind"),)),
        ASKED,
        Message(
            "assistant",
            (
                Reasoning("hm", SEAL, wire="responses"),
                Text("I look."),
                ToolCall("call_a", "weather", ""),
                Reasoning("lost", "EqQB", wire="anthropic"),
            ),
        ),
        Message("user", (ToolResult("call_a", (Text("12"),)), Text("And?"))),
    ),
    tools=(WEATHER,),
    parallel_tool_calls=False,
    max_tokens=5,
    thinking_tokens=1_024,
    show_reasoning=True,
    truncation=True,
    user="u",
    cache_key="k",
)
WRITTEN: dict[str, Any] = {
    "model": ONLY,
    "input": [
        {"role": "system", "content": "Be kind"},
        {"role": "user", "content": "Hello"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA",
        },
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "call_a", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_a", "output": "12"},
        {"role": "user", "content": "And?"},
    ],
    "store": False,
    "tools": [
        {
            "type": "function",
            "name": "weather",
            "parameters": WEATHER.schema,
            "strict": False,
            "description": WEATHER.description,
        }
    ],
    "parallel_tool_calls": False,
    "user": "u",
    "prompt_cache_key": "k",
    "truncation": "auto",
    "max_output_tokens": 16,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
}


def test_what_is_written_of_a_conversation() -> None:
    request = requested(foreign(ASKED_FOR, dialect="anthropic"), ONLY)
    assert request.dropped == ("max_tokens",)
    assert orjson.loads(request.body) == WRITTEN


def test_a_thought_that_nothing_follows_is_left_out() -> None:
    seal = '{"id":"rs_1","encrypted_content":"gAAA"}'
    said = Message("assistant", (Text("Hi"), Reasoning("", seal, wire="responses")))
    assert written(Prompt((ASKED, said, ASKED)))["input"][1:] == [{"role": "assistant", "content": "Hi"}, USER]


@pytest.mark.parametrize("seal", ["x", "[1]", "{}", '{"id":1,"encrypted_content":2}'])
def test_a_forged_seal_is_none(seal: str) -> None:
    said = Message("assistant", (Reasoning("hm", seal, wire="responses"), Text("Hi")))
    assert written(Prompt((said, ASKED)))["input"] == [{"role": "assistant", "content": "Hi"}, USER]


def test_a_long_id_of_a_call_is_the_same_short_one_everywhere() -> None:
    call_id = "c" * 100
    turns = (Message("assistant", (ToolCall(call_id, "f", "{}"),)), Message("user", (ToolResult(call_id, ()),)))
    call, result = written(Prompt((ASKED, *turns)))["input"][1:]
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        (Prompt((Message("user", (Audio("aGk=", "wav"),)),)), "messages"),
        (Prompt((ASKED,), stop=("a",), params={"stop": "stop_sequences"}), "stop_sequences"),
        (Prompt((ASKED,), n=2), "n"),
        (Prompt((ASKED,), logit_bias={"1": 1}), "logit_bias"),
        (Prompt((ASKED,), further=("prediction",)), "prediction"),
    ],
)
def test_what_has_no_place_is_refused(prompt: Prompt, param: str) -> None:
    with pytest.raises(Failure) as caught:
        written(prompt)
    assert caught.value.param == param


def test_small_things_without_a_place_are_dropped_and_told() -> None:
    prompt = Prompt((ASKED,), top_k=4, seed=7, presence_penalty=1.0, frequency_penalty=1.0, service_tier="odd")
    dropped = requested(foreign(prompt, dialect="anthropic"), ONLY).dropped
    assert dropped == ("top_k", "seed", "presence_penalty", "frequency_penalty", "service_tier")


def test_cache_marks_go_to_models_that_take_them() -> None:
    prompt = Prompt((Message("user", (Text("long", cache="1h"), Image(url="https://a.example/b.png", cache="5m"))),))
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    found = written(prompt, "gpt-6-cyber")["input"][0]["content"]
    assert [part.get("prompt_cache_breakpoint") for part in found] == [mark["prompt_cache_breakpoint"]] * 2
    assert "prompt_cache_breakpoint" not in response_body(**written(prompt)).decode()


def test_who_does_not_reason_tells_how_probable_its_words_are() -> None:
    call = replace(foreign(Prompt((ASKED,), effort="none", logprobs=True, top_logprobs=3)), dialect="responses")
    body = sent(call, "gpt-6-luna")
    assert body["top_logprobs"] == 3
    assert body["include"] == ["message.output_text.logprobs", "reasoning.encrypted_content"]
    with pytest.raises(Failure) as caught:
        sent(call, ONLY)
    assert caught.value.param == "logprobs"


def test_a_call_is_streamed_as_its_client_asks() -> None:
    assert sent(replace(foreign(Prompt((ASKED,)), dialect="anthropic"), stream=True), ONLY)["stream"] is True
    assert "stream" not in written(Prompt((ASKED,)))


# ---- what this wire has no place for


@pytest.mark.parametrize(
    ("prompt", "dropped"),
    [
        (Prompt((Message("user", (Text("hi"),), name="ann"),)), ("messages.name",)),
        (
            Prompt(
                (
                    Message("user", (Text("hi"),)),
                    Message("assistant", (ToolCall("1", "f", "{}"),)),
                    Message("user", (ToolResult("1", (Text("no"),), failed=True),)),
                )
            ),
            ("is_error",),
        ),
        (
            Prompt((Message("user", (Text("hi"),)), Message("assistant", (Text("yes", cache="5m"),)))),
            ("cache_control",),
        ),
        (Prompt((Message("user", (Text("hi"),)),), tools=(Tool("f", cache="5m"),)), ("cache_control",)),
    ],
)
def test_what_is_lost_of_a_conversation_is_told(prompt: Prompt, dropped: tuple[str, ...]) -> None:
    assert requested(foreign(prompt, dialect="anthropic"), NEWEST).dropped == dropped
