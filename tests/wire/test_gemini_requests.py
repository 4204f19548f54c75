"""What is sent to Gemini: in its documented shape, with everything that the prompt says in it."""

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
    text_in,
)
from oneflow_ai.providers.gemini_seal import STAND_IN
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
from tests.wire.requests import KEY, target_of
from tests.wire.shapes import GEMINI_COUNT, GEMINI_EMBED, GEMINI_GENERATE

NEW, OLD = target_of("gemini", model="gemini-3.8-flash"), target_of("gemini", model="gemini-2.5-flash")
CALLED = ToolCall("call_1", "weather", '{"city":"Ulm"}', "c2VhbA==")
ANSWERED = ToolResult("call_1", (Text("12 °C"),))
LOOP = (
    USER,
    Message("assistant", (CALLED, ToolCall("call_2", "time", ""))),
    Message("user", (ANSWERED,)),
    Message("user", (ToolResult("call_2", (Text("no clock"),), failed=True),)),
)
PROMPTS: dict[str, Prompt] = {
    "plain": prompt(),
    "conversation": prompt(
        Message("system", (Text("Be kind"),)), USER, Message("assistant", (Text("Hi"), Refusal("No."))), USER
    ),
    "system alone": prompt(Message("system", (Text("Be kind"),))),
    "nothing said": prompt(Message("user", ())),
    "tools": prompt(tools=(WEATHER, TIME), tool_choice="auto"),
    "strict tools": prompt(tools=(replace(WEATHER, strict=True),)),
    "tools forbidden": prompt(tools=(WEATHER,), tool_choice="none"),
    "a tool required": prompt(tools=(WEATHER,), tool_choice="required"),
    "a tool by name": prompt(tools=(WEATHER, TIME), tool_choice="tool", tool_name="time"),
    "tool loop": prompt(*LOOP, tools=(WEATHER, TIME)),
    "files": prompt(
        Message(
            "user",
            (
                Text("What is this?"),
                Image(url="https://example.com/a.PNG?x=1"),
                Image(url="https://example.com/picture"),
                Image(data=PNG, media_type="image/png", detail="low"),
                Document(url="https://example.com/a.pdf"),
                Document(data=PDF, media_type="application/pdf", name="a"),
                Document(text="words", citations=True),
                Audio(PDF, "wav"),
            ),
        )
    ),
    "options": prompt(
        max_tokens=64, temperature=0.5, top_p=0.9, top_k=40, stop=(".", "!"), seed=-7, presence_penalty=0.5,
        frequency_penalty=-0.5, logprobs=True, top_logprobs=3, user="u", metadata={"a": "b"}, verbosity="low",
    ),
    "JSON": prompt(format=Format()),
    "JSON by schema": prompt(format=Format(SCHEMA, "city", strict=True)),
    "thinking": prompt(effort="high", show_reasoning=True),
    "a budget": prompt(thinking_tokens=4_000),
    "thoughts given back": prompt(
        USER, Message("assistant", (Reasoning("Hm", "c2VhbA==", wire="gemini"), Text("Four."))), USER
    ),
}  # fmt: skip


def mistakes(schema: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """What the documented shape has against a body."""
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)]


@pytest.mark.parametrize("target", [NEW, OLD], ids=lambda target: target.model)
@pytest.mark.parametrize("name", PROMPTS)
def test_requests_are_of_the_documented_shape(name: str, target: Any) -> None:
    assert mistakes(GEMINI_GENERATE, body_of(PROMPTS[name], target)) == []
    counted = body_of(PROMPTS[name], target, operation=Operation.COUNT_TOKENS)
    assert mistakes(GEMINI_COUNT, counted) == []
    said = ("contents", "systemInstruction", "tools", "toolConfig")
    whole = body_of(PROMPTS[name], target)
    assert counted["generateContentRequest"] == {
        "model": f"models/{target.model}", **{field: whole[field] for field in said if field in whole}
    }  # fmt: skip


def test_the_shape_finds_mistakes() -> None:
    wrong: dict[str, Any]
    for wrong in (
        {},
        {"contents": []},
        {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]},
        {
            "contents": [
                {"role": "user", "parts": [{"text": "x", "inlineData": {"mimeType": "image/png", "data": PNG}}]}
            ]
        },
        {"contents": [{"role": "user", "parts": [{"text": "x"}]}], "max_tokens": 5},
    ):
        assert mistakes(GEMINI_GENERATE, wrong), wrong


def test_turns_of_one_role_are_one_content_and_results_bear_their_functions_name() -> None:
    found = body_of(PROMPTS["tool loop"], NEW)["contents"]
    assert [content["role"] for content in found] == ["user", "model", "user"]
    assert found[1]["parts"] == [
        {
            "functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Ulm"}},
            "thoughtSignature": "c2VhbA==",
        },
        {"functionCall": {"id": "call_2", "name": "time", "args": {}}},
    ]
    assert found[2]["parts"] == [
        {"functionResponse": {"id": "call_1", "name": "weather", "response": {"result": "12 °C"}}},
        {"functionResponse": {"id": "call_2", "name": "time", "response": {"error": "no clock"}}},
    ]


def test_a_call_that_no_gemini_model_sealed_gets_the_stand_in_where_a_seal_is_asked_for() -> None:
    asked = prompt(
        USER,
        Message("assistant", (ToolCall("a", "weather", "{}"), ToolCall("b", "time", "{}"))),
        Message("user", (ToolResult("a", (Text("x"),)), ToolResult("b", (Text("y"),)))),
    )
    calls = body_of(asked, NEW)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in calls] == [STAND_IN, None]
    calls = body_of(asked, OLD)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in calls] == [None, None]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            (Reasoning("Hm", "s", wire="gemini"), Text("Four.")),
            [{"text": "Hm", "thought": True}, {"text": "Four.", "thoughtSignature": "s"}],
        ),
        ((Reasoning("", "s", wire="gemini"), Text("Four.")), [{"text": "Four.", "thoughtSignature": "s"}]),
        (
            (Text("Four."), Reasoning("", "s", wire="gemini")),
            [{"text": "Four."}, {"text": "", "thoughtSignature": "s"}],
        ),
        ((Reasoning("Hm", "s", wire="anthropic"), Text("Four.")), [{"text": "Four."}]),
        ((Reasoning("Hm", "s"), Text("Four.")), [{"text": "Four."}]),
        ((Reasoning(sealed="x", wire="openai"), Text("Four.")), [{"text": "Four."}]),
    ],
)
def test_a_seal_goes_back_on_the_text_that_it_came_with(parts: Any, expected: Any) -> None:
    found = body_of(prompt(USER, Message("assistant", parts), USER), NEW)
    assert found["contents"][1]["parts"] == expected


def test_a_picture_that_a_tool_gives_stands_in_its_answer_or_beside_it() -> None:
    result = ToolResult("call_1", (Text("a"), Image(data=PNG, media_type="image/png"), Image(url="https://a.b/c.png")))
    asked = prompt(USER, Message("assistant", (CALLED,)), Message("user", (result, Text("And?"))))
    inline = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    by_address = {"fileData": {"mimeType": "image/png", "fileUri": "https://a.b/c.png"}}
    answer = {"id": "call_1", "name": "weather", "response": {"result": "a"}}
    new, old = body_of(asked, NEW)["contents"][2]["parts"], body_of(asked, OLD)["contents"][2]["parts"]
    assert new == [{"functionResponse": {**answer, "parts": [inline]}}, by_address, {"text": "And?"}]
    assert old == [{"functionResponse": answer}, inline, by_address, {"text": "And?"}]


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    for arguments in ("[1]", "{oops", '"x"'):
        asked = prompt(USER, Message("assistant", (ToolCall("a", "f", arguments),)))
        assert body_of(asked, OLD)["contents"][1]["parts"][0]["functionCall"]["args"] == {"arguments": arguments}


def test_arguments_that_are_too_deep_are_the_clients_mistake() -> None:
    deep = '{"a":' * 300 + "1" + "}" * 300
    with pytest.raises(Failure, match="nested too deep"):
        request(prompt(USER, Message("assistant", (ToolCall("a", "f", deep),))), NEW)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (prompt(Message("user", (ANSWERED,))), "messages"),
        (prompt(parallel_tool_calls=False), "parallel_tool_calls"),
        (prompt(logit_bias={"5": 1.0}), "logit_bias"),
        (prompt(n=2), "n"),
        (prompt(seed=1 << 31), "seed"),
        (prompt(stop=tuple("abcdef")), "stop"),
        (prompt(service_tier="scale"), "service_tier"),
        (prompt(service_tier="priority"), "service_tier"),
        (prompt(further=("prediction",)), "prediction"),
        (prompt(stop=tuple("abcdef"), params={"stop": "stop_sequences"}), "stop_sequences"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_the_clients_name(asked: Prompt, param: str) -> None:
    with pytest.raises(Failure) as caught:
        request(asked, NEW)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_what_changes_little_is_left_out_and_told() -> None:
    options = prompt(temperature=1.0, top_p=0.5, top_k=5, user="u", metadata={"a": "b"}, verbosity="low", cache_key="k")
    always = ("cache_key", "verbosity", "user", "metadata")
    assert request(options, NEW).dropped == (*always, "temperature", "top_p", "top_k")
    assert "generationConfig" not in body_of(options, NEW)
    assert request(options, OLD).dropped == always
    assert body_of(options, OLD)["generationConfig"] == {"temperature": 1.0, "topP": 0.5, "topK": 5}


def test_an_answer_that_is_begun_is_told_for_a_new_one_follows_it() -> None:
    begun = prompt(USER, Message("assistant", (Text("The sea"),)), begun=True, params={"messages": "input"})
    assert request(begun, NEW).dropped == ("input",)


def test_several_answers_are_asked_for_where_the_model_gives_them() -> None:
    assert body_of(prompt(n=3), OLD)["generationConfig"] == {"candidateCount": 3}


def test_a_service_tier_is_asked_for_where_its_price_is_known() -> None:
    (period,) = flat_price(dict.fromkeys(UNITS, 1)).periods
    priced = replace(NEW, price=price_of([period], {"priority": [period]}))
    assert body_of(prompt(service_tier="priority"), priced)["serviceTier"] == "priority"
    for told, sent in (("default", "standard"), ("standard_only", "standard"), ("auto", None)):
        assert body_of(prompt(service_tier=told), NEW).get("serviceTier") == sent


@pytest.mark.parametrize(
    ("about", "url"),
    [
        ({}, "/models/gemini-3.8-flash:generateContent"),
        ({"stream": True}, "/models/gemini-3.8-flash:streamGenerateContent?alt=sse"),
        ({"operation": Operation.COUNT_TOKENS}, "/models/gemini-3.8-flash:countTokens"),
    ],
)
def test_the_model_stands_in_the_address(about: dict[str, Any], url: str) -> None:
    found = request(prompt(), NEW, **about)
    assert found.url == "https://generativelanguage.googleapis.com/v1beta" + url
    assert (found.method, found.headers, found.way) == ("POST", NEW.headers, "gemini")


def test_a_models_name_is_encoded() -> None:
    found = request(prompt(), target_of("gemini", model="a/b?c#d:e f"))
    assert found.url.endswith("/models/a%2Fb%3Fc%23d%3Ae%20f:generateContent")


def test_the_key_is_in_its_header_alone() -> None:
    found = request(prompt(), NEW)
    assert [name for name, value in found.headers if KEY in value] == ["x-goog-api-key"]
    assert KEY not in found.url and KEY.encode() not in found.body


# ---- embeddings


@pytest.mark.parametrize(
    ("given", "texts"), [("one", ["one"]), (["one"], ["one"]), (["one", "two", ""], ["one", "two", ""])]
)
def test_embeddings_are_asked_for_in_one_batch(given: Any, texts: list[str]) -> None:
    target = target_of("gemini", model="gemini-embedding-2")
    call = call_with(None, operation=Operation.EMBEDDING, input=given, dimensions=768, encoding_format="base64")
    found = target.adapter.request(call, target)
    assert found.url.endswith("/models/gemini-embedding-2:batchEmbedContents")
    body = orjson.loads(found.body)
    assert mistakes(GEMINI_EMBED, body) == []
    assert [each["content"]["parts"] for each in body["requests"]] == [[{"text": text}] for text in texts]
    assert {each["outputDimensionality"] for each in body["requests"]} == {768}


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2]], ["a"] * 101, None, [None]])
def test_inputs_that_have_no_place_are_refused(given: Any) -> None:
    target = target_of("gemini", model="gemini-embedding-2")
    call = call_with(None, operation=Operation.EMBEDDING, input=given)
    with pytest.raises(Failure) as caught:
        target.adapter.request(call, target)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "input")


@pytest.mark.parametrize("operation", [Operation.COMPLETION, Operation.MODERATION])
def test_other_operations_are_not_there(operation: Operation) -> None:
    with pytest.raises(Failure) as caught:
        request(prompt(), NEW, operation=operation)
    assert caught.value.code == "unsupported_operation"


# ---- nothing is lost


def texts_in(found: Any) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(found, str):
        return [found]
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [text for each in inner for text in texts_in(each)]


@given(conversations())
def test_each_text_tool_and_result_arrives(asked: Prompt) -> None:
    for target in (NEW, OLD):
        body = body_of(asked, target)
        assert mistakes(GEMINI_GENERATE, body) == []
        parts = [part for content in body["contents"] for part in content["parts"]]
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        given_calls = [part for message in asked.messages for part in message.parts if isinstance(part, ToolCall)]
        results = [part for message in asked.messages for part in message.parts if isinstance(part, ToolResult)]
        assert [(call["id"], call["name"], call["args"]) for call in calls] == [
            (call.id, call.name, orjson.loads(call.arguments)) for call in given_calls
        ]
        names = {call.id: call.name for call in given_calls}
        assert [(answer["id"], answer["name"]) for answer in answers] == [(one.id, names[one.id]) for one in results]
        declared = body.get("tools", [{"functionDeclarations": []}])[0]["functionDeclarations"]
        assert [Tool(one["name"], one["description"], one["parametersJsonSchema"]) for one in declared] == [
            *asked.tools
        ]
        said = texts_in(body)
        for message in asked.messages:
            for part in message.parts:
                texts = part.parts if isinstance(part, ToolResult) else (part,)
                assert all(text.text in said for text in texts if isinstance(text, Text))
                if isinstance(part, Image | Document):
                    assert (part.data or text_in(part) if isinstance(part, Document) else part.data) in said


@given(conversations())
def test_the_order_of_what_is_said_is_kept(asked: Prompt) -> None:
    body = body_of(asked, NEW)
    written = [part["text"] for content in body["contents"] for part in content["parts"] if "text" in part]
    expected = [
        text_in(part) if isinstance(part, Document) else part.text
        for message in asked.messages
        if message.role != "system"
        for part in message.parts
        if isinstance(part, Text) or (isinstance(part, Document) and part.text)
    ]
    assert written == expected
