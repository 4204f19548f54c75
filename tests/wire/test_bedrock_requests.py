"""What is sent to Bedrock: in Converse's documented shape, with everything that the prompt says in it, and signed."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.price import UNITS, flat_price, price_of
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Image,
    Message,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.core.target import Target
from tests.wire.own_prompts import (
    PDF,
    PNG,
    SCHEMA,
    TIME,
    USER,
    WEATHER,
    body_of,
    call_with,
    conversations,
    prompt,
    request,
)
from tests.wire.requests import target_of
from tests.wire.shapes import CONVERSE, CONVERSE_COUNT


def model(name: str, **options: str) -> Target:
    """A target of Bedrock's."""
    return target_of("bedrock", model=name, **options)


CLAUDE = model("global.anthropic.claude-haiku-5-5")
SONNET = model("global.anthropic.claude-sonnet-5-5")
BUDGETED = model("us.anthropic.claude-haiku-4-5-20251001-v1:0")
NOVA, GPT, LLAMA = (
    model("amazon.nova-lite-v1:0"),
    model("openai.gpt-oss-120b-1:0"),
    model("meta.llama3-8b-instruct-v1:0"),
)
CALLED = ToolCall("call_1", "weather", '{"city":"Ulm"}')
LOOP = (
    USER,
    Message("assistant", (Reasoning("Hm", "EqR", wire="bedrock"), CALLED, ToolCall("call_2", "time", ""))),
    Message("user", (ToolResult("call_1", (Text("12 °C"), Image(data=PNG, media_type="image/png"))),)),
    Message("user", (ToolResult("call_2", (), failed=True),)),
)
PROMPTS: dict[str, Prompt] = {
    "plain": prompt(),
    "conversation": prompt(
        Message("system", (Text("Be kind"),)), USER, Message("assistant", (Text("Hi"), Refusal("No."))), USER
    ),
    "system alone": prompt(Message("system", (Text("Be kind"),))),
    "tools": prompt(tools=(replace(WEATHER, strict=True), TIME), tool_choice="auto"),
    "tools forbidden": prompt(tools=(WEATHER,), tool_choice="none"),
    "a tool required": prompt(tools=(WEATHER,), tool_choice="required"),
    "a tool by name": prompt(tools=(WEATHER, TIME), tool_choice="tool", tool_name="time"),
    "tool loop": prompt(*LOOP, tools=(WEATHER, TIME)),
    "tool loop without tools": prompt(*LOOP),
    "files": prompt(
        Message(
            "user",
            (
                Text("What is this?"),
                Image(data=PNG, media_type="image/png"),
                Document(data=PDF, media_type="application/pdf", name="a.b_c  d/é.pdf"),
                Document(data=PDF, media_type="application/pdf", name="a.b_c  d/é.pdf"),
                Document(text="words", citations=True),
                Audio(PDF, "wav"),
            ),
        )
    ),
    "marks": prompt(
        Message("system", (Text("Be kind", cache="5m"),)),
        Message("user", (Text("Hello", cache="1h"),)),
        tools=(replace(WEATHER, cache="5m"),),
    ),
    "options": prompt(max_tokens=4_000, temperature=0.5, top_p=0.9, top_k=40, stop=(".", "!"), seed=7, user="u"),
    "JSON by schema": prompt(format=Format(SCHEMA, "city", "A city", strict=True)),
    "thinking": prompt(effort="high", show_reasoning=True),
    "a budget": prompt(thinking_tokens=4_000, max_tokens=8_000),
    "no thinking": prompt(effort="none"),
    "sealed thoughts": prompt(
        USER, Message("assistant", (Reasoning(sealed="c2VhbA==", wire="bedrock"), Text("4"))), USER
    ),
}


def mistakes(schema: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """What the documented shape has against a body."""
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)]


@pytest.mark.parametrize("target", [CLAUDE, BUDGETED, NOVA, GPT, LLAMA], ids=lambda target: target.model)
@pytest.mark.parametrize("name", PROMPTS)
def test_requests_are_of_the_documented_shape(name: str, target: Target) -> None:
    assert mistakes(CONVERSE, body_of(PROMPTS[name], target)) == []
    assert mistakes(CONVERSE_COUNT, body_of(PROMPTS[name], target, operation=Operation.COUNT_TOKENS)) == []


def test_the_shape_finds_mistakes() -> None:
    wrong: dict[str, Any]
    for wrong in (
        {},
        {"messages": []},
        {"messages": [{"role": "user", "content": [{"text": " "}]}]},
        {"messages": [{"role": "user", "content": [{"text": "x", "image": {}}]}]},
        {"messages": [{"role": "user", "content": [{"text": "x"}]}], "max_tokens": 5},
    ):
        assert mistakes(CONVERSE, wrong), wrong


def test_turns_of_one_role_are_one_message() -> None:
    found = body_of(PROMPTS["tool loop"], CLAUDE)["messages"]
    assert [message["role"] for message in found] == ["user", "assistant", "user"]
    assert found[1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "EqR"}}},
        {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Ulm"}}},
        {"toolUse": {"toolUseId": "call_2", "name": "time", "input": {}}},
    ]
    picture = {"image": {"format": "png", "source": {"bytes": PNG}}}
    assert found[2]["content"] == [
        {"toolResult": {"toolUseId": "call_1", "content": [{"text": "12 °C"}, picture]}},
        {"toolResult": {"toolUseId": "call_2", "content": [{"text": "(empty)"}], "status": "error"}},
    ]


def test_tools_that_were_called_are_named_where_the_client_names_none() -> None:
    tools = body_of(PROMPTS["tool loop without tools"], CLAUDE)["toolConfig"]["tools"]
    assert [tool["toolSpec"]["name"] for tool in tools] == ["weather", "time"]
    assert "toolConfig" not in body_of(PROMPTS["tools forbidden"], CLAUDE)


def test_an_id_that_the_wire_does_not_take_is_replaced_the_same_way_in_call_and_result() -> None:
    for given_id in ("call|1", "c" * 65, ""):
        asked = prompt(
            USER, Message("assistant", (ToolCall(given_id, "f", "{}"),)), Message("user", (ToolResult(given_id, ()),))
        )
        found = body_of(asked, CLAUDE)
        assert mistakes(CONVERSE, found) == []
        call, result = found["messages"][1]["content"][0]["toolUse"], found["messages"][2]["content"][0]["toolResult"]
        assert call["toolUseId"] == result["toolUseId"] != given_id


def test_only_thoughts_that_this_wire_sealed_go_back() -> None:
    thoughts = (
        Reasoning("a", "s", wire="anthropic"), Reasoning("b", "s"), Reasoning("c", wire="bedrock"),
        Reasoning(sealed="x", wire="openai"),
    )  # fmt: skip
    found = body_of(prompt(USER, Message("assistant", (*thoughts, Text("4"))), USER), CLAUDE)
    assert found["messages"][1]["content"] == [{"text": "4"}]


def test_documents_have_names_of_their_own() -> None:
    blocks = body_of(PROMPTS["files"], CLAUDE)["messages"][0]["content"]
    names = [block["document"]["name"] for block in blocks if "document" in block]
    assert names == ["a-b-c d-pdf", "a-b-c d-pdf 2", "document"]


def test_cache_marks_become_points_where_the_model_knows_them() -> None:
    found = body_of(PROMPTS["marks"], CLAUDE)
    point, hour = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert found["system"] == [{"text": "Be kind"}, point]
    assert found["messages"][0]["content"] == [{"text": "Hello"}, hour]
    assert found["toolConfig"]["tools"][1] == point
    assert request(PROMPTS["marks"], CLAUDE).dropped == ()
    assert request(PROMPTS["marks"], LLAMA).dropped == ("cache_control",)
    assert b"cachePoint" not in request(PROMPTS["marks"], LLAMA).body


@pytest.mark.parametrize(
    ("target", "asked", "fields", "dropped"),
    [
        (CLAUDE, prompt(), None, ()),
        (CLAUDE, prompt(effort="xhigh"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, ()),
        (
            CLAUDE, prompt(effort="minimal", show_reasoning=True),
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}}, (),
        ),
        (CLAUDE, prompt(thinking_tokens=2_000), {"thinking": {"type": "adaptive"}}, ("thinking_tokens",)),
        (CLAUDE, prompt(adaptive=True), {"thinking": {"type": "adaptive"}}, ()),
        (BUDGETED, prompt(adaptive=True), None, ("adaptive",)),
        (NOVA, prompt(adaptive=True), None, ("adaptive",)),
        (SONNET, prompt(effort="none"), {"thinking": {"type": "between_tools"}}, ()),
        (CLAUDE, prompt(effort="low", tools=(WEATHER,), tool_choice="required"), None, ("effort",)),
        (
            BUDGETED,
            prompt(
                USER, Message("assistant", (Reasoning("a", "s", wire="anthropic"), CALLED)),
                Message("user", (ToolResult("call_1", ()),)), thinking_tokens=2_000,
            ),
            None, ("thinking_tokens",),
        ),
        (
            BUDGETED,
            prompt(
                USER, Message("assistant", (Reasoning("a", "s", wire="bedrock"), CALLED)),
                Message("user", (ToolResult("call_1", ()),)), thinking_tokens=2_000,
            ),
            {"thinking": {"type": "enabled", "budget_tokens": 2_000}}, (),
        ),
        (model("anthropic.claude-sonnet-5"), prompt(thinking_tokens=0), {"thinking": {"type": "disabled"}}, ()),
        (
            model("us.anthropic.claude-opus-5-5"), prompt(effort="none"),
            {"output_config": {"effort": "low"}}, ("effort",),
        ),
        (
            model("us.anthropic.claude-opus-4-6-v1"), prompt(effort="xhigh"),
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, ("effort",),
        ),
        (model("us.anthropic.claude-opus-4-6-v1"), prompt(effort="none"), None, ()),
        (CLAUDE, prompt(temperature=1.0, top_k=5), None, ("temperature", "top_k")),
        (BUDGETED, prompt(top_k=5), {"top_k": 5}, ()),
        (
            BUDGETED, prompt(effort="medium", max_tokens=10_000, temperature=0.5),
            {"thinking": {"type": "enabled", "budget_tokens": 5_000}}, ("temperature",),
        ),
        (
            BUDGETED, prompt(thinking_tokens=50_000, max_tokens=10_000),
            {"thinking": {"type": "enabled", "budget_tokens": 9_999}}, ("thinking_tokens",),
        ),
        (BUDGETED, prompt(thinking_tokens=2_000, max_tokens=1_000), None, ("thinking_tokens",)),
        (BUDGETED, prompt(effort="low", tools=(WEATHER,), tool_choice="required"), None, ("effort",)),
        (BUDGETED, prompt(effort="none"), None, ()),
        (BUDGETED, prompt(show_reasoning=True), None, ()),
        (
            BUDGETED,
            prompt(USER, Message("assistant", (CALLED,)), Message("user", (ToolResult("call_1", ()),)), effort="low"),
            None, ("effort",),
        ),
        (NOVA, prompt(top_k=5), {"inferenceConfig": {"topK": 5}}, ()),
        (NOVA, prompt(effort="low"), None, ("effort",)),
        (
            model("global.amazon.nova-2-lite-v1:0"), prompt(effort="xhigh"),
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, ("effort",),
        ),
        (
            model("global.amazon.nova-2-lite-v1:0"), prompt(effort="none"),
            {"reasoningConfig": {"type": "disabled"}}, (),
        ),
        (GPT, prompt(effort="minimal"), {"reasoning_effort": "low"}, ()),
        (GPT, prompt(effort="high", thinking_tokens=9), {"reasoning_effort": "high"}, ("thinking_tokens",)),
        (GPT, prompt(effort="none"), {"reasoning_effort": "low"}, ("effort",)),
        (GPT, prompt(thinking_tokens=2_000, top_k=3), None, ("thinking_tokens", "top_k")),
        (LLAMA, prompt(effort="high", top_k=3, temperature=0.1), None, ("effort", "top_k")),
        (LLAMA, prompt(effort="high", params={"effort": "reasoning_effort"}), None, ("reasoning_effort",)),
    ],
)  # fmt: skip
def test_what_is_a_models_own_goes_into_its_fields(
    target: Target, asked: Prompt, fields: dict[str, Any] | None, dropped: tuple[str, ...]
) -> None:
    assert body_of(asked, target).get("additionalModelRequestFields") == fields
    assert request(asked, target).dropped == dropped


def test_what_stopped_the_answer_is_asked_for_where_it_can_be_told() -> None:
    assert body_of(prompt(stop=(".",)), CLAUDE)["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert "additionalModelResponseFieldPaths" not in body_of(prompt(stop=(".",)), LLAMA)


def test_a_schema_goes_as_the_text_that_the_wire_wants() -> None:
    wanted = body_of(PROMPTS["JSON by schema"], CLAUDE)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (orjson.loads(wanted["schema"]), wanted["name"], wanted["description"]) == (
        {**SCHEMA, "additionalProperties": False},
        "city",
        "A city",
    )


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (prompt(Message("user", (Image(url="https://a.b/c.png"),))), "messages"),
        (prompt(Message("user", (Document(url="https://a.b/c.pdf"),))), "messages"),
        (prompt(Message("user", (Image(data=PNG, media_type="image/tiff"),))), "messages"),
        (prompt(Message("user", (Document(data=PDF),))), "messages"),
        (prompt(*LOOP, tools=(WEATHER,), tool_choice="none"), "tool_choice"),
        (prompt(format=Format()), "format"),
        (prompt(n=2), "n"),
        (prompt(presence_penalty=0.5), "presence_penalty"),
        (prompt(frequency_penalty=0.5), "frequency_penalty"),
        (prompt(logit_bias={"5": 1.0}), "logit_bias"),
        (prompt(logprobs=True), "logprobs"),
        (prompt(service_tier="scale"), "service_tier"),
        (prompt(service_tier="flex"), "service_tier"),
        (prompt(further=("prediction",)), "prediction"),
        (prompt(stop=("END", " \n")), "stop"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_the_clients_name(asked: Prompt, param: str) -> None:
    with pytest.raises(Failure) as caught:
        request(asked, CLAUDE)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_model_that_thinks_before_it_calls_is_not_made_to_call() -> None:
    for asked in (PROMPTS["a tool required"], PROMPTS["a tool by name"]):
        with pytest.raises(Failure) as caught:
            request(asked, SONNET)
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "tool_choice")


def test_what_changes_little_is_left_out_and_told() -> None:
    asked = prompt(seed=5, user="u", metadata={"a": "b"}, verbosity="low", cache_key="k")
    assert request(asked, CLAUDE).dropped == ("cache_key", "seed", "verbosity", "user", "metadata")


def test_a_service_tier_is_asked_for_where_its_price_is_known() -> None:
    (period,) = flat_price(dict.fromkeys(UNITS, 1)).periods
    priced = replace(CLAUDE, price=price_of([period], {"flex": [period]}))
    assert body_of(prompt(service_tier="flex"), priced)["serviceTier"] == {"type": "flex"}
    assert body_of(prompt(service_tier="default"), CLAUDE)["serviceTier"] == {"type": "default"}
    assert "serviceTier" not in body_of(prompt(service_tier="auto"), CLAUDE)


def test_arguments_that_are_too_deep_are_the_clients_mistake() -> None:
    deep = '{"a":' * 300 + "1" + "}" * 300
    with pytest.raises(Failure, match="nested too deep"):
        request(prompt(USER, Message("assistant", (ToolCall("a", "f", deep),))), NOVA)


@pytest.mark.parametrize("operation", [Operation.COMPLETION, Operation.MODERATION, Operation.EMBEDDING])
def test_other_operations_are_not_there(operation: Operation) -> None:
    with pytest.raises(Failure) as caught:
        CLAUDE.adapter.request(call_with(prompt(), operation=operation, input="x"), CLAUDE)
    assert caught.value.code == "unsupported_operation"


# ---- nothing is lost


@given(conversations())
def test_each_text_tool_and_result_arrives_in_its_order(asked: Prompt) -> None:
    body = body_of(asked, BUDGETED)
    assert mistakes(CONVERSE, body) == []
    blocks = [block for message in body["messages"] for block in message["content"]]
    parts = [part for message in asked.messages if message.role != "system" for part in message.parts]
    written = [next(iter(block.items())) for block in blocks]
    assert [_shown(*each) for each in written] == [_wanted(part) for part in parts]
    system = [part.text for message in asked.messages if message.role == "system" for part in message.parts]  # type: ignore[union-attr] # a system says texts only here
    assert [block["text"] for block in body.get("system", [])] == system
    tools = body.get("toolConfig", {"tools": []})["tools"] if asked.tools else []
    found = [tool["toolSpec"] for tool in tools]
    assert [Tool(one["name"], one["description"], one["inputSchema"]["json"]) for one in found] == [*asked.tools]


def _shown(kind: str, block: Any) -> Any:
    match kind:
        case "toolUse":
            return ("call", block["toolUseId"], block["name"], block["input"])
        case "toolResult":
            texts = [inner["text"] for inner in block["content"]]
            return ("result", block["toolUseId"], texts, block.get("status") == "error")
        case "image" | "document":
            return (kind, *block["source"].values())
    return (kind, block)


def _wanted(part: Any) -> Any:
    match part:
        case ToolCall():
            return ("call", part.id, part.name, orjson.loads(part.arguments))
        case ToolResult():
            return ("result", part.id, [text.text for text in part.parts if isinstance(text, Text)], part.failed)
        case Image():
            return ("image", part.data)
        case Document():
            return ("document", part.text or part.data)
    return ("text", part.text)


@pytest.mark.parametrize(("asked", "sent", "dropped"), [(0.5, 0.5, ()), (1.0, 1.0, ()), (1.7, 1.0, ("temperature",))])
def test_a_temperature_is_one_at_most_and_the_client_is_told(
    asked: float, sent: float, dropped: tuple[str, ...]
) -> None:
    made = request(prompt(temperature=asked), LLAMA)
    assert orjson.loads(made.body)["inferenceConfig"] == {"temperature": sent}
    assert made.dropped == dropped
