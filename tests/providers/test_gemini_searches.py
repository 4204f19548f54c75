"""How often Gemini searched: each query since Gemini 3, each prompt before; what was looked up on maps besides."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.gemini_searches import Searches
from tests.wire.decoding import events_of
from tests.wire.generations import generation_call
from tests.wire.requests import target_of

WEB, MAP = {"web": {"uri": "https://example.com"}}, {"maps": {"placeId": "p"}}


@pytest.mark.parametrize(
    ("told", "by_query", "by_prompt"),
    [
        ([], 0, 0),
        ([{"webSearchQueries": ["a", "b", "", "a"]}], 2, 1),
        ([{"webSearchQueries": ["a"]}, {"webSearchQueries": ["a", "b"], "imageSearchQueries": ["c"]}], 3, 1),
        # Pages that were asked for by their addresses were not searched for.
        ([{"groundingChunks": [WEB]}], 0, 0),
        ([{"groundingChunks": [WEB, MAP, MAP]}, {"groundingChunks": [MAP]}], 1, 1),
        ([{"webSearchQueries": ["a", "b"], "groundingChunks": [MAP]}], 3, 2),
        ([{"webSearchQueries": 5}, {"webSearchQueries": [5, None], "groundingChunks": [5, {}]}, 5, None], 0, 0),
    ],
)
def test_searches_are_counted_as_they_are_billed(told: list[Any], by_query: int, by_prompt: int) -> None:
    for each, expected in ((True, by_query), (False, by_prompt)):
        searches = Searches(by_query=each)
        for grounding in told:
            searches.note({"groundingMetadata": grounding})
        assert searches.count == expected


def test_a_flood_of_queries_is_bounded() -> None:
    searches = Searches(by_query=True)
    for start in range(0, 9_000, 3_000):
        searches.note({"groundingMetadata": {"webSearchQueries": [str(start + each) for each in range(3_000)]}})
    assert searches.count == 4_096


@pytest.mark.parametrize(("model", "searches"), [("gemini-3.8-flash", 2), ("gemini-2.5-flash", 1), ("gemma-9", 1)])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_an_answers_usage_has_them(model: str, searches: int, streamed: bool) -> None:
    said = {
        "candidates": [
            {
                "content": {"parts": [{"text": "Hi"}]},
                "finishReason": "STOP",
                "groundingMetadata": {"webSearchQueries": ["a", "b"], "groundingChunks": [WEB]},
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 2,
            "toolUsePromptTokenCount": 4,
            "totalTokenCount": 9,
        },
    }
    target = target_of("gemini", model=model)
    call = generation_call("streamGenerateContent" if streamed else "generateContent", tools=[{"googleSearch": {}}])
    body = b"data: %b\r\n\r\n" % orjson.dumps(said) if streamed else orjson.dumps(said)
    found = events_of(target.adapter.decoder(call, target), [body])
    assert Usage(7, 2, web_searches=searches) in found
