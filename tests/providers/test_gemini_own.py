"""What Gemini's own clients ask its models passes as they wrote it, and is refused by name everywhere else."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.price import flat_price, price_of
from oneflow_ai.core.target import Target
from oneflow_ai.providers.gemini_seal import STAND_IN
from tests.wire.generations import HELLO, generation_call
from tests.wire.requests import target_of

GEMINI = target_of("gemini", model="gemini-3.8-flash")
OLDER = target_of("gemini", model="gemini-2.5-flash")
FILM = {"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.com/a"}, "videoMetadata": {"fps": 1}}
SOME = {
    "tools": [{"functionDeclarations": [{"name": name, "behavior": "BLOCKING"} for name in "fgh"]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
}
OWN: dict[str, tuple[dict[str, Any], str]] = {
    "filters": (
        {"safetySettings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_ONLY_HIGH"}]},
        "safetySettings",
    ),
    "how fine a picture is seen": (
        {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "maxOutputTokens": 9}},
        "generationConfig.mediaResolution",
    ),
    "a film": ({"contents": [{"role": "user", "parts": [FILM]}]}, "contents[0].parts[0].fileData"),
    "a file in a bucket": (
        {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://a/b.pdf"}}]}]},
        "contents[0].parts[0].fileData",
    ),
    "code that ran": (
        {"contents": [HELLO, {"role": "model", "parts": [{"executableCode": {"code": "1"}}]}, HELLO]},
        "contents[1].parts[0].executableCode",
    ),
    "some functions": (SOME, "toolConfig.functionCallingConfig.allowedFunctionNames"),
    "a search": ({"tools": [{"googleSearch": {}}]}, "tools[0].googleSearch"),
    "addresses": ({"tools": [{"urlContext": {}}, {"codeExecution": {}}]}, "tools[0].urlContext"),
    "one word of several": (
        {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}},
        "generationConfig.responseMimeType",
    ),
    "a cache": ({"cachedContent": "cachedContents/a"}, "cachedContent"),
    "a field of nobody": ({"ownField": {"some_name": None}}, "ownField"),
    "a setting of nobody": ({"generationConfig": {"fileData": 1}}, "generationConfig.fileData"),
}


def sent(target: Target = GEMINI, method: str = "generateContent", /, **fields: Any) -> Any:
    request = target.adapter.request(generation_call(method, **fields), target)
    assert request.dropped == ()
    return orjson.loads(request.body)


@pytest.mark.parametrize("name", OWN)
def test_it_reaches_geminis_models_and_no_others(name: str) -> None:
    fields, param = OWN[name]
    assert sent(**fields) == {"contents": [HELLO], **fields}
    counted = sent(GEMINI, "countTokens", contents=..., generateContentRequest={"contents": [HELLO], **fields})
    assert counted == {"generateContentRequest": {"model": "models/gemini-3.8-flash", "contents": [HELLO], **fields}}
    other = target_of("openai")
    with pytest.raises(Failure) as caught:
        other.adapter.request(generation_call(**fields), other)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


PASSED: dict[str, dict[str, Any]] = {
    "labels": {"labels": {"some_team": "a"}},
    "whether it is kept": {"store": True},
    "a schema in its own spelling": {
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "propertyOrdering": ["b"], "properties": {"b": {"type": "STRING"}}},
        }
    },
    "thinking as it likes": {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}},
    "what a function gives": {"tools": [{"functionDeclarations": [{"name": "f", "response": {"type": "STRING"}}]}]},
    "a call and its answer without ids": {
        "contents": [
            HELLO,
            {"role": "model", "parts": [{"functionCall": {"name": "f"}, "thoughtSignature": "EqQB"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
        ]
    },
    "an answer to what the cache holds": {
        "contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}],
        "cachedContent": "cachedContents/a",
    },
}


@pytest.mark.parametrize("name", PASSED)
def test_what_other_wires_are_told_otherwise_passes_as_it_is(name: str) -> None:
    assert sent(**PASSED[name]) == {"contents": [HELLO], **PASSED[name]}


def test_what_is_the_gateways_own_is_taken_out() -> None:
    assert sent(model="models/text", models=["a/b"], fallbacks=[{"a": ["b"]}]) == {"contents": [HELLO]}
    counted = sent(GEMINI, "countTokens", models=["a/b"])
    assert counted == {"generateContentRequest": {"model": "models/gemini-3.8-flash", "contents": [HELLO]}}


def test_underscores_and_what_is_null_are_made_as_google_writes_them() -> None:
    fields = {"generation_config": {"max_output_tokens": 9, "top_p": None}, "cached_content": "cachedContents/a"}
    config = {"generationConfig": {"maxOutputTokens": 9}}
    assert sent(**fields) == {"contents": [HELLO], **config, "cachedContent": "cachedContents/a"}


def test_an_object_in_the_place_of_a_list_is_a_list_of_it() -> None:
    """As Google's own examples for curl have it."""
    said = {"role": "user", "parts": {"text": "Hello"}}
    asked = {"contents": said, "system_instruction": {"parts": {"text": "Be kind."}}, "tools": {"google_search": {}}}
    assert sent(**asked) == {
        "contents": [HELLO],
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "tools": [{"googleSearch": {}}],
    }


def called(seal: str = "", name: str = "f") -> dict[str, Any]:
    return {"functionCall": {"name": name}, **({"thoughtSignature": seal} if seal else {})}


@pytest.mark.parametrize(
    ("target", "parts", "expected"),
    [
        (GEMINI, [called(), called()], [called(STAND_IN), called()]),
        (GEMINI, [called("EqQB"), called()], [called("EqQB"), called()]),
        (OLDER, [called(), called()], [called(), called()]),
    ],
    ids=["newer", "sealed", "older"],
)
def test_a_call_that_another_model_made_has_a_seal_where_one_is_asked_for(
    target: Target, parts: list[Any], expected: list[Any]
) -> None:
    pieces = [{"role": "model", "parts": [part]} for part in parts]
    for turn in ([{"role": "model", "parts": parts}], pieces):
        call = generation_call(contents=[HELLO, *turn])
        before = orjson.dumps(call.body)
        body = orjson.loads(target.adapter.request(call, target).body)
        assert body["contents"] == [HELLO, {"role": "model", "parts": expected}]
        assert orjson.dumps(call.body) == before


def test_empty_pieces_of_what_the_model_said_are_left_out() -> None:
    """A stream ends in one, and some servers refuse a text that is empty."""
    turn = [{"role": "model", "parts": [{"text": text}]} for text in ("He", "llo", "")]
    assert sent(contents=[HELLO, *turn])["contents"][1]["parts"] == [{"text": "He"}, {"text": "llo"}]
    assert sent(contents=[HELLO, turn[-1]])["contents"][1] == turn[-1]


def priced(model: str, **kinds: int) -> Target:
    return replace(target_of("gemini", model=model), price=flat_price({"input": 1, "output": 2, **kinds}))


@pytest.mark.parametrize(
    ("target", "kinds", "taken"),
    [
        (priced("gemini-2.5-flash"), ["TEXT"], True),
        (priced("gemini-2.5-flash"), ["text", "image"], False),
        (priced("gemini-2.5-flash-image", output_image=9), ["TEXT", "IMAGE"], True),
        (priced("gemini-2.5-flash-image", output_image=9), ["AUDIO"], False),
        (priced("gemini-2.5-flash-preview-tts"), ["AUDIO"], True),
        (priced("gemini-2.5-flash-preview-tts"), ["IMAGE"], False),
        (priced("gemini-9-all", output_image=9), ["VIDEO"], False),
        (replace(priced("gemini-2.5-flash-image"), price=None), ["IMAGE"], False),
    ],
)
def test_answers_besides_text_need_a_price(target: Target, kinds: list[str], taken: bool) -> None:
    call = generation_call(generationConfig={"responseModalities": kinds, "maxOutputTokens": 5})
    # How much a picture takes, no limit of tokens tells.
    assert call.output_most_tokens == (5 if kinds == ["TEXT"] else None)
    if taken:
        assert b'"responseModalities"' in target.adapter.request(call, target).body
        return
    with pytest.raises(Failure) as caught:
        target.adapter.request(call, target)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "generationConfig.responseModalities")


def test_a_service_tier_needs_a_price() -> None:
    (period,) = flat_price({"input": 1, "output": 2}).periods
    flexible = replace(GEMINI, price=price_of([period], {"flex": [period]}))
    for tier in ("standard", "STANDARD", "unspecified", "flex"):
        assert sent(flexible, serviceTier=tier)["serviceTier"] == tier
    with pytest.raises(Failure) as caught:
        sent(flexible, serviceTier="priority")
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "serviceTier")


@pytest.mark.parametrize(
    ("fields", "files"),
    [
        ({}, 0),
        ({"tools": [{"functionDeclarations": [{"name": "f"}]}]}, 0),
        ({"tools": [{"googleSearch": {}}]}, 1),
        ({"cachedContent": "cachedContents/a"}, 1),
    ],
)
def test_what_the_provider_adds_is_held_as_what_nobody_can_count(fields: dict[str, Any], files: int) -> None:
    assert generation_call(**fields).media.files == files


def test_what_a_vector_is_for_reaches_geminis_models() -> None:
    call = generation_call("embedContent", content={"parts": [{"text": "a"}]}, taskType="RETRIEVAL_QUERY", title="t")
    (request,) = orjson.loads(GEMINI.adapter.request(call, GEMINI).body)["requests"]
    assert (request["taskType"], request["title"]) == ("RETRIEVAL_QUERY", "t")
