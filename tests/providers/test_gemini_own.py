"""What only Gemini's clients can ask for reaches Gemini's models, and is refused by name everywhere else."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from tests.wire.generations import generation_call
from tests.wire.requests import target_of

GEMINI = target_of("gemini", model="gemini-3.8-flash")
FILTER = {"safetySettings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_ONLY_HIGH"}]}
FINE = {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "maxOutputTokens": 9}}
FILM = {
    "contents": [
        {"role": "user", "parts": [{"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.com/a"}}]}
    ]
}
SOME = {
    "tools": [{"functionDeclarations": [{"name": name} for name in "fgh"]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
}
OWN: dict[str, tuple[dict[str, Any], str]] = {
    "filters": (FILTER, "safetySettings"),
    "how fine a picture is seen": (FINE, "generationConfig.mediaResolution"),
    "a film": (FILM, "contents[0].parts[0].fileData"),
    "some functions": (SOME, "toolConfig.functionCallingConfig.allowedFunctionNames"),
}


@pytest.mark.parametrize("name", OWN)
def test_it_reaches_geminis_models_and_no_others(name: str) -> None:
    fields, param = OWN[name]
    request = GEMINI.adapter.request(generation_call(**fields), GEMINI)
    sent = orjson.loads(request.body)
    assert {field: sent[field] for field in fields} == fields
    assert request.dropped == ()
    other = target_of("openai")
    with pytest.raises(Failure) as caught:
        other.adapter.request(generation_call(**fields), other)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"cachedContent": "cachedContents/a"}, "cachedContent"),
        ({"tools": [{"googleSearch": {}}]}, "tools[0].googleSearch"),
        ({"ownField": 1}, "ownField"),
        ({"generationConfig": {"fileData": 1}}, "generationConfig.fileData"),
    ],
)
def test_what_the_account_keeps_and_what_is_billed_apart_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as caught:
        GEMINI.adapter.request(generation_call(**fields), GEMINI)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


def test_what_a_vector_is_for_reaches_geminis_models() -> None:
    call = generation_call("embedContent", content={"parts": [{"text": "a"}]}, taskType="RETRIEVAL_QUERY", title="t")
    (request,) = orjson.loads(GEMINI.adapter.request(call, GEMINI).body)["requests"]
    assert (request["taskType"], request["title"]) == ("RETRIEVAL_QUERY", "t")
