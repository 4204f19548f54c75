"""Requests in Gemini's dialect: bad ones are a 400 that names the place and repeats nothing, good ones a call."""

from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Audio, Document, Format, Image, Message, Reasoning, Text, Tool, ToolCall, ToolResult
from oneflow_ai.dialects.gemini_request import TOOLS_MOST
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST
from oneflow_ai.dialects.table import spoken_at
from tests.wire.generations import HELLO, generation_call, raw_call

CANARY = "canary7f3a"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}
ANSWER = {"functionResponse": {"id": "c1", "name": "f", "response": {"result": "12"}}}


def said(*parts: Any, role: str = "user") -> dict[str, Any]:
    """Fields with one content of these parts."""
    return {"contents": [{"role": role, "parts": list(parts)}]}


def config(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": fields}


def declared(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": "f", **fields}]}]}


AT = "contents[0].parts[0]"
BAD: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no contents": ({"contents": ...}, "missing_required_parameter", "contents"),
    "contents are none": ({"contents": []}, "invalid_messages", "contents"),
    "contents are a text": ({"contents": CANARY}, "invalid_type", "contents"),
    "many contents": ({"contents": [HELLO] * (MESSAGES_MOST + 1)}, "too_many_items", "contents"),
    "a content is a text": ({"contents": [CANARY]}, "invalid_type", "contents[0]"),
    "another role": (said({"text": "x"}, role=CANARY), "invalid_messages", "contents[0].role"),
    "no parts": ({"contents": [{"role": "user"}]}, "missing_required_parameter", "contents[0].parts"),
    "parts are none": (said(), "invalid_messages", "contents[0].parts"),
    "a part is a text": (said(CANARY), "invalid_type", AT),
    "a part of nothing": (said({}), "invalid_messages", AT),
    "a part of two": (said({"text": "x", **CALL}), "invalid_messages", AT),
    "a text is a number": (said({"text": 5}), "invalid_type", f"{AT}.text"),
    "two spellings": ({"generationConfig": {"topP": 1, "top_p": 1}}, "invalid_value", "generationConfig.topP"),
    "a picture is no base64": (
        said({"inlineData": {"mimeType": "image/png", "data": CANARY + "ä"}}),
        "invalid_messages",
        f"{AT}.inlineData.data",
    ),
    "a picture is broken": (
        said({"inlineData": {"mimeType": "image/png", "data": "a"}}),
        "invalid_image_url",
        f"{AT}.inlineData.data",
    ),
    "a private address": (
        said({"fileData": {"fileUri": "http://127.0.0.1/a.png", "mimeType": "image/png"}}),
        "invalid_image_url",
        f"{AT}.fileData.fileUri",
    ),
    "a private file": (
        said({"fileData": {"fileUri": "http://10.0.0.1/a"}}),
        "invalid_messages",
        f"{AT}.fileData.fileUri",
    ),
    "a call without a name": (
        said({"functionCall": {"args": {}}}),
        "missing_required_parameter",
        f"{AT}.functionCall.name",
    ),
    "arguments are a text": (
        said({"functionCall": {"name": "f", "args": "{}"}}),
        "invalid_type",
        f"{AT}.functionCall.args",
    ),
    "the system is a picture": (
        {"systemInstruction": {"parts": [{"inlineData": {}}]}},
        "missing_required_parameter",
        "systemInstruction.parts[0].text",
    ),
    "tokens": (config(maxOutputTokens=0), "invalid_value", "generationConfig.maxOutputTokens"),
    "temperature": (config(temperature=2.1), "invalid_value", "generationConfig.temperature"),
    "top_p, spelled with an underscore": (config(top_p="x"), "invalid_type", "generationConfig.topP"),
    "candidates": (config(candidateCount=0), "invalid_value", "generationConfig.candidateCount"),
    "a stop": (config(stopSequences=["x", 5]), "invalid_type", "generationConfig.stopSequences[1]"),
    "an empty stop": (config(stopSequences=[""]), "invalid_value", "generationConfig.stopSequences[0]"),
    "a level": (
        config(thinkingConfig={"thinkingLevel": CANARY}),
        "invalid_value",
        "generationConfig.thinkingConfig.thinkingLevel",
    ),
    "a level and a budget": (
        config(thinkingConfig={"thinkingLevel": "LOW", "thinkingBudget": 5}),
        "invalid_value",
        "generationConfig.thinkingConfig.thinkingBudget",
    ),
    "two schemas": (
        config(responseSchema=SCHEMA, responseJsonSchema=SCHEMA),
        "invalid_value",
        "generationConfig.responseJsonSchema",
    ),
    "a schema of no form": (config(responseSchema=SCHEMA), "invalid_value", "generationConfig.responseSchema"),
    "tools": ({"tools": CANARY}, "invalid_type", "tools"),
    "many tools": ({"tools": [{}] * (TOOLS_MOST + 1)}, "too_many_items", "tools"),
    "a tool's name": (declared(name=5), "invalid_type", "tools[0].functionDeclarations[0].name"),
    "a tool's schema": (declared(parameters=5), "invalid_type", "tools[0].functionDeclarations[0].parameters"),
    "a mode": (
        {"toolConfig": {"functionCallingConfig": {"mode": CANARY}}},
        "invalid_value",
        "toolConfig.functionCallingConfig.mode",
    ),
    "where to": ({"api_base": "https://canary7f3a"}, "forbidden_parameter", "api_base"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_never_repeated(name: str) -> None:
    fields, code, param = BAD[name]
    with pytest.raises(Failure) as caught:
        generation_call(**fields)
    assert (caught.value.code, caught.value.param, caught.value.kind.cause) == (code, param, "client")
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(
    ("body", "code"), [(b"", "invalid_json"), (b"[]", "invalid_type"), (b'{"a":1,"a":2}', "duplicate_key")]
)
def test_a_body_is_guarded_like_any_other(body: bytes, code: str) -> None:
    with pytest.raises(Failure) as caught:
        raw_call(body)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("text", "text"),
        ("openai/gpt-6-luna", "openai/gpt-6-luna"),
        ("openai%2Fgpt-6-luna", "openai/gpt-6-luna"),
        ("ollama/llama3:8b", "ollama/llama3:8b"),
    ],
)
def test_the_model_stands_in_the_address(name: str, model: str) -> None:
    assert generation_call(model=name).model == model


def test_a_body_names_no_other_model() -> None:
    assert raw_call(b'{"model":"models/text","contents":[{"parts":[{"text":"Hi"}]}]}').model == "text"
    with pytest.raises(Failure) as caught:
        raw_call(b'{"model":"other","contents":[{"parts":[{"text":"Hi"}]}]}')
    assert caught.value.param == "model"


def test_a_name_that_is_none_is_refused() -> None:
    for name in ("x" * 257, "%00", "%0A"):
        with pytest.raises(Failure) as caught:
            generation_call(model=name)
        assert (caught.value.code, caught.value.param) == ("invalid_value", "model")


def test_only_what_this_wire_has_is_at_its_addresses() -> None:
    for version in ("v1", "v1beta"):
        assert spoken_at(f"/{version}/models/a/b:generateContent".encode()) is not None
        for rest in ("models/a", "models/a:predict", "models/:generateContent", "tunedModels/a:generateContent"):
            assert spoken_at(f"/{version}/{rest}".encode()) is None


def test_a_stream_is_asked_for_with_events() -> None:
    assert generation_call("streamGenerateContent").stream
    with pytest.raises(Failure) as caught:
        generation_call("streamGenerateContent", query="")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "alt")


def test_a_call_tells_what_its_answers_may_be() -> None:
    call = generation_call(**config(maxOutputTokens=64.0, candidateCount=2))
    assert (call.dialect, call.wire, call.output_most_tokens, call.answers) == ("gemini", "gemini", 64, 2)


def test_a_count_is_of_contents_or_of_a_request() -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"contents": ..., "generateContentRequest": {"model": "models/text", "contents": [HELLO]}},
    ]
    for fields in asked:
        call = generation_call("countTokens", **fields)
        assert (call.operation, call.stream, call.output_most_tokens) == (Operation.COUNT_TOKENS, False, None)
        assert call.prompt().messages == (Message("user", (Text("Hello"),)),)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"contents": ...}, "contents"),
        ({"generateContentRequest": {"contents": [HELLO]}}, "generateContentRequest"),
    ]
    for fields, param in bad:
        with pytest.raises(Failure) as caught:
            generation_call("countTokens", **fields)
        assert caught.value.param == param


# ---- the middle form


def blob(kind: str, data: str = "UklGRg==") -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": data}}


SEAL = b64encode(b"of:anthropic:s1").decode()
CONVERSATION: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be kind"}]},
    "contents": [
        {
            "parts": [
                {"text": "Look"},
                {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}},
                blob("image/png", PNG.replace("+", "-").replace("/", "_")),
                blob("application/pdf", "JVBERi0="),
                {"file_data": {"file_uri": "https://example.com/a.pdf"}},
                blob("audio/wav"),
                blob("audio/ogg"),
            ],
        },
        {"role": "model", "parts": [{"text": "h", "thought": True}, {"text": "m", "thought": True}]},
        {"role": "model", "parts": [{"text": "", "thought": True, "thoughtSignature": SEAL}, {"text": "Wa"}]},
        {"role": "model", "parts": [{"text": "it"}, CALL]},
        {"role": "function", "parts": [ANSWER]},
    ],
}
READ = (
    Message("system", (Text("Be kind"),)),
    Message(
        "user",
        (
            Text("Look"),
            Image(url="https://example.com/a.png", media_type="image/png"),
            Image(data=PNG, media_type="image/png"),
            Document(data="JVBERi0=", media_type="application/pdf"),
            Document(url="https://example.com/a.pdf"),
            Audio("UklGRg==", "wav"),
            Document(data="UklGRg==", media_type="audio/ogg"),
        ),
    ),
    Message("assistant", (Reasoning("hm", "s1", wire="anthropic"), Text("Wait"), ToolCall("c1", "f", '{"a":1}'))),
    Message("user", (ToolResult("c1", (Text("12"),)),)),
)


def test_a_conversation_is_read() -> None:
    call = generation_call(**CONVERSATION)
    assert call.prompt().messages == READ
    assert (call.media.pictures, call.media.picture_bytes, call.media.sound_bytes, call.media.files) == (
        2,
        len(PNG),
        16,
        1,
    )


@pytest.mark.parametrize(
    ("response", "result"),
    [
        ({"result": "12"}, ToolResult("function_1", (Text("12"),))),
        ({"output": {"a": 1}}, ToolResult("function_1", (Text('{"a":1}'),))),
        ({"a": 1, "b": 2}, ToolResult("function_1", (Text('{"a":1,"b":2}'),))),
        ({"error": "It broke."}, ToolResult("function_1", (Text("It broke."),), failed=True)),
        ({}, ToolResult("function_1", (Text("{}"),))),
    ],
)
def test_an_answer_without_an_id_is_that_of_the_first_call_of_its_name(response: Any, result: ToolResult) -> None:
    call = {"functionCall": {"name": "f"}}
    other = {"functionCall": {"name": "g"}}
    answers = [
        {"functionResponse": {"name": "g", "response": {}}},
        {"functionResponse": {"name": "f", "response": response}},
    ]
    contents = [HELLO, {"role": "model", "parts": [call, other]}, {"role": "user", "parts": answers}]
    messages = generation_call(contents=contents).prompt().messages
    assert messages[1].parts == (ToolCall("function_1", "f", "{}"), ToolCall("function_2", "g", "{}"))
    assert messages[2].parts == (ToolResult("function_2", (Text("{}"),)), result)


def test_seals_of_any_wire_come_back_in_either_alphabet() -> None:
    words = "of:responses:" + "?>~ÿ" * 3
    for encode in (b64encode, urlsafe_b64encode):
        for mark, thought in (("sealed-", Reasoning(sealed="?>~ÿ" * 3, wire="responses")),):
            seal = encode((mark + words).encode()).decode()
            part = {"text": "", "thought": True, "thoughtSignature": seal}
            messages = generation_call(contents=[HELLO, {"role": "model", "parts": [part]}]).prompt().messages
            assert messages[1].parts == (thought,)
    own = {"text": "Hi", "thoughtSignature": "EqQB"}
    messages = generation_call(contents=[HELLO, {"role": "model", "parts": [own]}]).prompt().messages
    assert messages[1].parts == (Reasoning(signature="EqQB", wire="gemini"), Text("Hi"))


def test_schemas_in_geminis_own_spelling_are_json_schema() -> None:
    own = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "enum": ["a"]},
            "many": {"type": "ARRAY", "items": {"type": "INTEGER"}, "min_items": "2"},
            "either": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": True},
        },
        "propertyOrdering": ["many"],
    }
    plain = {
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None]},
            "many": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "either": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
        },
    }
    fields = config(responseMimeType="application/json", responseSchema=own) | declared(parameters=own)
    prompt = generation_call(**fields).prompt()
    assert prompt.format == Format(plain, enforced=True)
    assert prompt.tools == (Tool("f", schema=plain),)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"responseSchema": {"type": "OBJECT"}}, "responseSchema"),
        ({"response_schema": {}}, "responseSchema"),
        ({"responseJsonSchema": SCHEMA}, "responseJsonSchema"),
        ({"_responseJsonSchema": True}, "_responseJsonSchema"),
        ({}, "responseMimeType"),
    ],
)
def test_the_form_of_an_answer_has_the_name_that_the_client_used(given: dict[str, Any], name: str) -> None:
    prompt = generation_call(**config(responseMimeType="application/json", **given)).prompt()
    assert prompt.param("format") == f"generationConfig.{name}"
    assert prompt.param("stop") == "generationConfig.stopSequences"


def test_settings_are_read_and_the_rest_is_named() -> None:
    prompt = generation_call(
        **declared(behavior="BLOCKING", responseJsonSchema=SCHEMA),
        toolConfig={"functionCallingConfig": {"mode": "any", "allowedFunctionNames": ["f"]}},
        safetySettings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        generation_config={
            "topK": 5.0,
            "thinking_config": {"includeThoughts": True, "thinkingBudget": -1},
            "responseModalities": ["TEXT"],
            "speechConfig": {},
        },
        serviceTier="STANDARD",
        store=False,
        cachedContent="cachedContents/a",
        own_field=1,
    ).prompt()
    assert (prompt.tool_choice, prompt.tool_name, prompt.top_k, prompt.service_tier) == ("tool", "f", 5, "default")
    assert (prompt.show_reasoning, prompt.thinking_tokens, prompt.adaptive) == (True, None, True)
    assert prompt.further == ("generationConfig.speechConfig", "cachedContent", "ownField")
    assert prompt.minor == ("safetySettings", "tools")
    assert prompt.param("max_tokens") == "generationConfig.maxOutputTokens"


# ---- embeddings


def batch(*requests: Any) -> dict[str, Any]:
    return {"requests": [{"model": "models/text", "content": {"parts": [{"text": "a"}]}, **one} for one in requests]}


def test_texts_alone_are_a_body_for_every_wire() -> None:
    call = generation_call("batchEmbedContents", **batch({"outputDimensionality": 8}, {"outputDimensionality": 8}))
    assert (call.body, call.wire, call.operation) == (
        {"input": ["a", "a"], "dimensions": 8},
        "openai",
        Operation.EMBEDDING,
    )
    alone = generation_call("embedContent", content={"parts": [{"text": "a"}, {"text": "b"}]}, taskType="X")
    assert (alone.body, alone.wire) == ({"input": ["ab"], "taskType": "X"}, "")
    with pytest.raises(Failure) as caught:
        alone.prompt()
    assert caught.value.param == "taskType"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({}, "missing_required_parameter", "requests"),
        (batch(), "missing_required_parameter", "requests"),
        (batch({}, {"title": "t"}), "invalid_value", "requests[1].title"),
        (batch({"content": {"parts": [{"text": ""}]}}), "invalid_value", "requests[0].content"),
        (batch({"model": "models/other"}), "invalid_value", "model"),
        (batch({"ownField": 1}), "unsupported_parameter", "requests[0].ownField"),
        (batch({"outputDimensionality": 0}), "invalid_value", "requests[0].outputDimensionality"),
    ],
)
def test_bad_embeddings_are_named(fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(Failure) as caught:
        generation_call("batchEmbedContents", **fields)
    assert (caught.value.code, caught.value.param) == (code, param)
