"""Gemini's wire, as raw requests see it; the official client has a module of its own."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from oneflow_ai.simulator import FAST, Limits, Simulator, SimulatorOptions
from oneflow_ai.simulator.seals import seal
from tests.simulator.raw import Seen, once
from tests.simulator.spoken import GEMINI, PROMPT, WEATHER, documents

MODEL = "gemini-2.5-flash"
NEWER = "gemini-3.8-flash"
ASKED: Any = [{"role": "user", "parts": [{"text": PROMPT}]}]
DECLARED: Any = [
    {"name": name, "description": "x", "parametersJsonSchema": dict(WEATHER)} for name in ("get_weather", "get_news")
]
TOOLS: Any = [{"functionDeclarations": DECLARED}]
ONE_ALONE = "Multiple candidates is not enabled for this model"
NO_THOUGHT = {"thinkingConfig": {"thinkingBudget": 0}}


async def _raw(simulator: Simulator, model: str = MODEL, action: str = "generateContent", **fields: Any) -> Seen:
    document = {"contents": ASKED, **fields}
    left = {name: value for name, value in document.items() if value is not ...}
    return await once(simulator, left, path=f"/v1beta/models/{model}:{action}")


async def _streamed(simulator: Simulator, model: str = MODEL, **fields: Any) -> Seen:
    return await _raw(simulator, model, "streamGenerateContent?alt=sse", **fields)


def _parts(seen: Seen) -> list[Any]:
    """The parts of the first candidate; of a stream those of all its pieces."""
    answers = [seen.json] if seen.headers["content-type"].startswith("application/json") else documents(seen)
    return [part for each in answers for part in each["candidates"][0]["content"].get("parts", [])]


async def test_an_answer_quotes_the_prompt_whole_and_streamed(simulator: Simulator) -> None:
    whole, streamed = await _raw(simulator), await _streamed(simulator)
    assert f'"{PROMPT}"' in _parts(whole)[0]["text"]
    assert "".join(part["text"] for part in _parts(streamed)) == _parts(whole)[0]["text"]
    assert (whole.json["modelVersion"], whole.json["candidates"][0]["finishReason"]) == (MODEL, "STOP")
    assert documents(streamed)[-1]["usageMetadata"] == whole.json["usageMetadata"]
    assert streamed.body.endswith(b"}\r\n\r\n")
    assert all("usageMetadata" in each for each in documents(streamed))


async def test_counts_add_up(simulator: Simulator) -> None:
    used = (await _raw(simulator)).json["usageMetadata"]
    assert used["thoughtsTokenCount"] == 16
    assert used["totalTokenCount"] == sum(
        used[name] for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )
    assert "cachedContentTokenCount" not in used
    assert "thoughtsTokenCount" not in (await _raw(simulator, generationConfig=NO_THOUGHT)).json["usageMetadata"]


async def test_without_sse_a_stream_is_a_json_array(simulator: Simulator) -> None:
    seen = await _raw(simulator, action="streamGenerateContent")
    assert seen.headers["content-type"].startswith("application/json")
    assert len(orjson.loads(seen.body)) > 3
    failed = await _raw(simulator, "no-such", "streamGenerateContent")
    assert failed.json[0]["error"]["status"] == "NOT_FOUND"


async def test_reasons_to_end(simulator: Simulator) -> None:
    for fields, reason in (({"maxOutputTokens": 4}, "MAX_TOKENS"), ({"stopSequences": ["simulated"]}, "STOP")):
        whole = await _raw(simulator, generationConfig=fields)
        streamed = await _streamed(simulator, generationConfig=fields)
        assert whole.json["candidates"][0]["finishReason"] == reason
        assert documents(streamed)[-1]["candidates"][0]["finishReason"] == reason


async def test_several_candidates_differ(simulator: Simulator) -> None:
    config = {"candidateCount": 3}
    whole = (await _raw(simulator, generationConfig=config)).json["candidates"]
    assert [each["index"] for each in whole] == [0, 1, 2]
    texts = ["", "", ""]
    for event in documents(await _streamed(simulator, generationConfig=config)):
        for each in event["candidates"]:
            texts[each["index"]] += "".join(part["text"] for part in each["content"]["parts"])
    assert texts == [each["content"]["parts"][0]["text"] for each in whole]
    assert len({*texts}) == 3
    refused = await _raw(simulator, NEWER, generationConfig=config)
    assert refused.json["error"] == {"code": 400, "message": ONE_ALONE, "status": "INVALID_ARGUMENT"}


@pytest.mark.parametrize("model", [MODEL, NEWER])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_parallel_functions_are_called_and_their_results_are_used(
    simulator: Simulator, model: str, streams: bool
) -> None:
    turns: Any = [{"role": "user", "parts": [{"text": "Use get_weather for London, then get news."}]}]
    ask = _streamed if streams else _raw
    parts = [
        part for part in _parts(await ask(simulator, model, contents=turns, tools=TOOLS)) if "functionCall" in part
    ]
    calls = [part["functionCall"] for part in parts]
    assert [(call["name"], call["args"]) for call in calls] == [
        ("get_weather", {"location": "London"}),
        ("get_news", {"location": "London"}),
    ]
    assert ["thoughtSignature" in part for part in parts] == [True, False]
    assert all(("id" in call) == (model == NEWER) for call in calls)
    results = [
        {"functionResponse": {"name": call["name"], "response": {"result": f"result {number}"}}}
        for number, call in enumerate(calls)
    ]
    turns += [{"role": "model", "parts": parts}, {"role": "user", "parts": results}]
    said = _parts(await ask(simulator, model, contents=turns, tools=TOOLS))
    assert "result 0; result 1" in "".join(part["text"] for part in said)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"mode": "AUTO"}, []),
        ({"mode": "NONE"}, []),
        ({"mode": "ANY"}, ["get_weather"]),
        ({"mode": "ANY", "allowedFunctionNames": ["get_news"]}, ["get_news"]),
    ],
)
async def test_the_mode_of_calling_decides(simulator: Simulator, config: Any, names: list[str]) -> None:
    seen = await _raw(simulator, tools=TOOLS, toolConfig={"functionCallingConfig": config})
    assert [part["functionCall"]["name"] for part in _parts(seen) if "functionCall" in part] == names


async def test_either_spelling_of_a_field_is_taken(simulator: Simulator) -> None:
    declared = [{"name": "get_news", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}}]
    seen = await _raw(
        simulator,
        tools=[{"function_declarations": declared}],
        tool_config={"function_calling_config": {"mode": "ANY"}},
        generation_config={"max_output_tokens": 50},
        system_instruction={"parts": [{"text": "Be kind."}]},
    )
    assert _parts(seen)[0]["functionCall"]["args"] == {"a": 7}


@pytest.mark.parametrize("field", ["responseSchema", "responseJsonSchema"])
async def test_structured_output_satisfies_its_schema(simulator: Simulator, field: str) -> None:
    schema: Any = WEATHER if field == "responseJsonSchema" else {
        "type": "OBJECT", "properties": {"location": {"type": "STRING", "nullable": True}}, "required": ["location"],
    }  # fmt: skip
    config = {"responseMimeType": "application/json", field: schema}
    seen = await _raw(simulator, generationConfig=config)
    assert orjson.loads(_parts(seen)[0]["text"]) == {"location": PROMPT}
    loose = await _raw(simulator, generationConfig={"responseMimeType": "application/json"})
    assert "answer" in orjson.loads(_parts(loose)[0]["text"])


async def test_thoughts_are_shown_when_wanted(simulator: Simulator) -> None:
    config = {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"}}
    whole, streamed = [await ask(simulator, NEWER, generationConfig=config) for ask in (_raw, _streamed)]
    thoughts = [part for part in _parts(whole) if part.get("thought")]
    assert PROMPT in thoughts[0]["text"]
    assert "".join(part["text"] for part in _parts(streamed) if part.get("thought")) == thoughts[0]["text"]
    assert any("thoughtSignature" in part for part in _parts(streamed))
    assert not any(part.get("thought") for part in _parts(await _raw(simulator, NEWER)))


CALLED = {"functionCall": {"name": "get_news", "args": {}}}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "get_news", "response": {"result": "x"}}}]}


@pytest.mark.parametrize(
    ("model", "sealed", "status"),
    [
        (NEWER, seal("gemini", "get_news"), 200),
        (NEWER, seal("gemini", "get_weather"), 400),
        (NEWER, seal("anthropic", "get_news"), 400),
        (NEWER, "made-up", 400),
        (NEWER, "skip_thought_signature_validator", 200),
        (NEWER, None, 400),
        (MODEL, None, 200),
        (MODEL, "made-up", 400),
    ],
)
async def test_seals_of_calls_are_checked(simulator: Simulator, model: str, sealed: str | None, status: int) -> None:
    part = CALLED | ({"thoughtSignature": sealed} if sealed else {})
    seen = await _raw(simulator, model, contents=[*ASKED, {"role": "model", "parts": [part]}, RESULT])
    assert seen.status == status
    if status == 400:
        assert "thought" in seen.json["error"]["message"]


async def test_pictures_are_taken_and_counted(simulator: Simulator) -> None:
    pictures = [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}},
    ]
    contents = [{"role": "user", "parts": [{"text": PROMPT}, *pictures]}]
    plain, seen = await _raw(simulator), await _raw(simulator, contents=contents)
    counts = [each.json["usageMetadata"]["promptTokenCount"] for each in (plain, seen)]
    assert counts[1] - counts[0] == 2 * 85


async def test_tokens_are_counted_as_they_are_used(simulator: Simulator) -> None:
    counted = (await _raw(simulator, action="countTokens")).json
    inside = (
        await _raw(simulator, action="countTokens", contents=..., generateContentRequest={"contents": ASKED})
    ).json
    used = (await _raw(simulator)).json["usageMetadata"]["promptTokenCount"]
    assert counted["totalTokens"] == inside["totalTokens"] == used


async def test_a_long_prompt_is_read_from_the_cache_the_second_time(simulator: Simulator) -> None:
    instruction = {"parts": [{"text": "bees " * 2_000}]}
    first, second = [(await _raw(simulator, systemInstruction=instruction)).json["usageMetadata"] for _ in range(2)]
    assert "cachedContentTokenCount" not in first
    assert second["cachedContentTokenCount"] >= 2_432


async def test_a_search_tells_what_it_found_whole_and_streamed(simulator: Simulator) -> None:
    asked: dict[str, Any] = {"tools": [{"googleSearch": {}}]}
    whole, streamed = await _raw(simulator, **asked), await _streamed(simulator, **asked)
    last = documents(streamed)[-1]
    grounded = whole.json["candidates"][0]["groundingMetadata"]
    assert last["candidates"][0]["groundingMetadata"] == grounded
    assert (grounded["webSearchQueries"], len(grounded["groundingChunks"])) == ([PROMPT], 1)
    assert grounded["groundingSupports"][0]["segment"]["text"] == _parts(whole)[0]["text"]
    used = whole.json["usageMetadata"]
    assert (last["usageMetadata"], used["toolUsePromptTokenCount"]) == (used, 100)
    counts = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
    assert used["totalTokenCount"] == sum(used[name] for name in counts)


async def test_a_content_that_was_cached_is_counted(simulator: Simulator) -> None:
    plain = (await _raw(simulator)).json["usageMetadata"]["promptTokenCount"]
    used = (await _raw(simulator, cachedContent="cachedContents/simulated-a")).json["usageMetadata"]
    assert (used["promptTokenCount"] - plain, used["cachedContentTokenCount"]) == (5_000, 5_000)
    assert (await _raw(simulator, cachedContent="cachedContents/other")).status == 403


async def test_one_word_of_several_has_no_quotes(simulator: Simulator) -> None:
    form = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["yes", "no"]}}
    assert _parts(await _raw(simulator, generationConfig=form))[0]["text"] == "yes"


async def test_embeddings_one_and_many(simulator: Simulator) -> None:
    content = {"parts": [{"text": "bees"}]}
    one = await once(
        simulator,
        {"content": content, "outputDimensionality": 64},
        path="/v1beta/models/gemini-embedding-2:embedContent",
    )
    values = one.json["embedding"]["values"]
    assert len(values) == 64
    assert math.isclose(math.hypot(*values), 1, abs_tol=1e-5)
    each = {"model": "models/gemini-embedding-2", "content": content, "outputDimensionality": 64}
    many = await once(
        simulator, {"requests": [each, each]}, path="/v1beta/models/gemini-embedding-2:batchEmbedContents"
    )
    assert [found["values"] for found in many.json["embeddings"]] == [values, values]
    other = {"requests": [each | {"model": "models/other"}]}
    wrong = await once(simulator, other, path="/v1beta/models/gemini-embedding-2:batchEmbedContents")
    assert wrong.status == 400


# ---- what is refused


def _declared(schema: Any) -> Any:
    return [{"functionDeclarations": [{"name": "a", "parameters": schema}]}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"contents": ...}, "contents is not specified"),
        ({"contents": []}, "contents is not specified"),
        ({"messages": []}, 'Unknown name "messages": Cannot find field.'),
        ({"contents": [{"role": "bee", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        ({"contents": [{"role": "user", "parts": []}]}, "must have a text parameter"),
        ({"contents": [{"role": "user", "parts": [{}]}]}, "contents[0].parts[0].data"),
        ({"contents": [{"role": "user", "parts": [{"text": 3}]}]}, "contents[0].parts[0].text"),
        (
            {"contents": [{"role": "user", "parts": [{"text": "x", "detail": 1}]}]},
            "Unknown name \"detail\" at 'contents[0].parts[0]': Cannot find field.",
        ),
        ({"contents": [*ASKED, {"role": "model", "parts": [CALLED]}]}, None),
        ({"contents": [{"role": "model", "parts": [CALLED]}, RESULT]}, "function call turn comes immediately after"),
        ({"contents": [*ASKED, RESULT]}, "number of function response parts"),
        ({"contents": [*ASKED, {"role": "model", "parts": [CALLED]}, *ASKED]}, "number of function response parts"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "generation_config.max_output_tokens"),
        ({"generationConfig": {"temperature": 3}}, "generation_config.temperature"),
        ({"generationConfig": {"n": 3}}, "Unknown name \"n\" at 'generation_config'"),
        ({"generationConfig": {"stopSequences": list("abcdef")}}, "generation_config.stop_sequences"),
        ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "response mime type: application/json"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}},
            "only one of thinking budget and thinking level",
        ),
        ({"generationConfig": {"logprobs": 3}}, "response_logprobs"),
        (
            {"tools": _declared({"type": "object", "additionalProperties": False})},
            'Unknown name "additionalProperties"',
        ),
        (
            {"tools": _declared({"type": "object", "properties": {"a": {"const": 1}}})},
            "at 'tools[0].function_declarations[0].parameters.properties.a'",
        ),
        ({"tools": _declared({"$ref": "#/a"})}, 'Unknown name "$ref"'),
        ({"tools": [{"functionDeclarations": [{"name": "a b"}]}]}, "tools[0].function_declarations[0].name"),
        (
            {"tools": TOOLS, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["bee"]}}},
            "unknown function name: bee",
        ),
    ],
)
async def test_a_wrong_request_is_a_400_that_names_the_place(
    simulator: Simulator, fields: Any, told: str | None
) -> None:
    seen = await _raw(simulator, **fields)
    if told is None:
        assert seen.status == 200
        return
    error = seen.json["error"]
    assert (seen.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert told in error["message"]


@pytest.mark.parametrize(
    ("key", "headers", "query", "status"),
    [
        ("", {}, "", 403),
        ("", {"x-goog-api-key": "key"}, "", 200),
        ("", {}, "?key=key", 200),
        ("", {"x-goog-api-key": "bad-key"}, "", 400),
        ("", {}, "?key=bad-key", 400),
    ],
)
async def test_keys_are_checked(simulator: Simulator, key: str, headers: Any, query: str, status: int) -> None:
    path = f"/v1beta/models/{MODEL}:generateContent{query}"
    seen = await once(simulator, {"contents": ASKED}, path=path, key=key, headers=headers)
    assert seen.status == status
    if status == 400:
        assert seen.json["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert "key" not in simulator.record.attempts()[-1].path


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1beta/models", 200),
        ("GET", f"/v1beta/models/{MODEL}", 200),
        ("GET", "/v1beta/models/no-such", 404),
        ("POST", "/v1beta/models/no-such:generateContent", 404),
        ("POST", f"/v1beta/models/{MODEL}:predict", 404),
        ("GET", f"/v1beta/models/{MODEL}:generateContent", 404),
        ("POST", "/v1beta/cachedContents", 404),
        ("POST", f"/v1/models/{MODEL}:generateContent", 200),
        ("POST", "/v1beta/openai/chat/completions", 400),
    ],
)
async def test_routes(simulator: Simulator, method: str, path: str, status: int) -> None:
    document = {"contents": ASKED} if method == "POST" else None
    assert (await once(simulator, document, path=path, method=method)).status == status


async def test_models_come_in_pages(simulator: Simulator) -> None:
    first = (await once(simulator, path="/v1beta/models?pageSize=3", method="GET")).json
    rest = (await once(simulator, path=f"/v1beta/models?pageToken={first['nextPageToken']}", method="GET")).json
    assert len(first["models"]) == 3
    assert "nextPageToken" not in rest
    assert "models/gemini-3.8-flash" in [each["name"] for each in [*first["models"], *rest["models"]]]
    assert (await once(simulator, path="/v1beta/models?pageToken=x", method="GET")).status == 400


def _delay(seen: Seen) -> list[str]:
    return [each["retryDelay"] for each in seen.json["error"].get("details", []) if "retryDelay" in each]


async def test_limits_are_enforced_and_told_in_the_body_only() -> None:
    options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=1))
    async with await Simulator(options).start() as simulator:
        first, second = [await GEMINI.ask(simulator) for _ in range(2)]
    assert "ratelimit" not in first.head
    assert "retry-after" not in second.headers
    assert (second.status, second.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert _delay(second) == ["60s"]


@pytest.mark.parametrize(
    ("fault", "delay"),
    [("F19;after=2", ["2s"]), ("F20;ms=150", ["0.15s"]), ("F21;value=junk", ["soon, perhaps"]), ("F22", [])],
)
async def test_a_wait_is_told_in_the_body(simulator: Simulator, fault: str, delay: list[str]) -> None:
    seen = await GEMINI.ask(simulator, f"sim-{fault}")
    assert (seen.status, _delay(seen)) == (429, delay)
    assert "retry-after" not in seen.headers
