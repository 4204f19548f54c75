"""Gemini's wire, as Google's official client sees it."""

from __future__ import annotations

from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from oneflow_ai.simulator import Simulator
from tests.simulator.spoken import PROMPT, WEATHER

# the client builds on aiohttp in a way that aiohttp discourages
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
MODEL = "gemini-3.8-flash"


@pytest.fixture
def client(simulator: Simulator) -> Any:
    """The official client, asynchronous, without retries."""
    options = types.HttpOptions(base_url=simulator.origin)
    return genai.Client(api_key="key", http_options=options).aio


async def test_an_answer_whole_and_streamed(client: Any) -> None:
    whole = await client.models.generate_content(model=MODEL, contents=PROMPT)
    pieces = [each async for each in await client.models.generate_content_stream(model=MODEL, contents=PROMPT)]
    assert f'"{PROMPT}"' in whole.text
    assert "".join(each.text or "" for each in pieces) == whole.text
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert pieces[-1].usage_metadata == whole.usage_metadata


async def test_a_loop_of_two_parallel_functions(client: Any) -> None:
    declared = [
        types.FunctionDeclaration(name=name, parameters_json_schema=dict(WEATHER))
        for name in ("get_weather", "get_news")
    ]
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=declared)])
    chat = client.chats.create(model=MODEL, config=config)
    first = await chat.send_message("Use get_weather for London, then get news.")
    assert [call.name for call in first.function_calls] == ["get_weather", "get_news"]
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"result": f"result {number}"}
            )
        )
        for number, call in enumerate(first.function_calls)
    ]
    second = await chat.send_message(results)
    assert "result 0; result 1" in second.text


async def test_structured_output_and_thoughts(client: Any) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json",
        response_json_schema=dict(WEATHER),
        thinking_config=types.ThinkingConfig(include_thoughts=True),
    )
    said = await client.models.generate_content(model=MODEL, contents=PROMPT, config=config)
    assert said.parsed == {"location": PROMPT}
    assert any(part.thought for part in said.candidates[0].content.parts)


async def test_counting_embedding_and_listing(client: Any) -> None:
    assert (await client.models.count_tokens(model=MODEL, contents=PROMPT)).total_tokens > 0
    vectors = await client.models.embed_content(model="gemini-embedding-001", contents=["bees", "wasps"])
    assert len(vectors.embeddings) == 2
    assert f"models/{MODEL}" in [model.name async for model in await client.models.list()]


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("F24", errors.ClientError, 401),
        ("F25;status=404", errors.ClientError, 404),
        ("F19", errors.ClientError, 429),
        ("F23", errors.ServerError, 500),
        ("F23;status=503", errors.ServerError, 503),
    ],
)
async def test_faults_reach_the_client_as_its_own_errors(
    client: Any, fault: str, error: type[errors.APIError], code: int
) -> None:
    with pytest.raises(error) as told:
        await client.models.generate_content(model=f"sim-{fault}", contents=PROMPT)
    assert told.value.code == code
