"""The official OpenAI client against a running `oneflow serve`, by changing its base URL and key only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.clients.serving import serving

pytestmark = pytest.mark.clients

MODEL = "openai/gpt-6-luna"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the sea."}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlE"
    "QVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: its address, a key of its own, and the client for both."""

    url: str
    key: str
    client: OpenAI


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        serving(tmp_path_factory.mktemp("home"), {}) as (url, key),
        OpenAI(base_url=url + "/v1", api_key=key) as client,
    ):
        yield Server(url, key, client)


def test_a_chat(server: Server) -> None:
    answer = server.client.chat.completions.create(model=MODEL, messages=HELLO)
    assert "hello to the sea" in str(answer.choices[0].message.content)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_route_is_a_model_name(server: Server) -> None:
    raw = server.client.chat.completions.with_raw_response.create(model="text", messages=HELLO)
    assert raw.headers["x-oneflow-model"] == "gpt-6-luna"
    assert raw.headers["x-oneflow-simulated"] == "true"
    assert float(raw.headers["x-oneflow-cost-usd"]) > 0
    assert raw.parse().choices[0].message.content


def test_a_stream_with_usage(server: Server) -> None:
    stream = server.client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [bool(chunk.usage) for chunk in chunks].count(True) == 1
    last = chunks[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens > 0
    assert last.usage.model_extra is not None
    assert last.usage.model_extra["cost"] > 0


def test_a_stream_without_usage_shows_none(server: Server) -> None:
    chunks = list(server.client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, max_tokens=5))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_the_async_client(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.url + "/v1", api_key=server.key) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8)
        assert answer.choices[0].message.content
        pieces = [
            chunk.choices[0].delta.content or ""
            async for chunk in await client.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True, max_tokens=8
            )
        ]
        assert "".join(pieces) == answer.choices[0].message.content


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_a_tool_loop(server: Server, streamed: bool) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    client = server.client
    with client.chat.completions.stream(
        model=MODEL, messages=messages, tools=[WEATHER], tool_choice="required"
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    if not streamed:
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], tool_choice="required")
        assert answer.choices[0].finish_reason == "tool_calls"
        message = answer.choices[0].message  # type: ignore[assignment] # the parsed message is a message
    assert message.tool_calls
    (call,) = message.tool_calls
    assert call.type == "function"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    messages.append(message.model_dump(exclude_none=True))  # type: ignore[arg-type] # as the client's guide does
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "12 degrees and rain"})
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert "12 degrees" in str(answer.choices[0].message.content)


class Place(BaseModel):
    """What the structured answer must be."""

    city: str
    population: int


def test_a_parsed_structured_answer(server: Server) -> None:
    answer = server.client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Place)
    assert isinstance(answer.choices[0].message.parsed, Place)


def test_a_picture_in_the_prompt(server: Server) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this picture?"},
                {"type": "image_url", "image_url": {"url": PIXEL}},
            ],
        }
    ]
    answer = server.client.chat.completions.create(model=MODEL, messages=messages)
    assert answer.choices[0].message.content


def test_the_older_completions(server: Server) -> None:
    client = server.client
    answer = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8)
    assert answer.choices[0].text
    pieces = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=8, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == answer.choices[0].text


def test_the_models(server: Server) -> None:
    client = server.client
    names = [model.id for model in client.models.list()]
    assert "text" in names
    assert MODEL in names
    assert client.models.retrieve(MODEL).id == MODEL


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("openai/sim-F25", openai.BadRequestError, "invalid_value"),
        ("nobody/has-this", openai.NotFoundError, "model_not_found"),
        ("openai/sim-F22;kind=toolarge", openai.RateLimitError, "upstream_request_too_large"),
        ("openai/sim-F24", openai.InternalServerError, "provider_auth_failed"),
        ("openai/sim-F22;kind=quota", openai.InternalServerError, "provider_quota_exhausted"),
    ],
)
def test_errors_arrive_as_the_clients_own(
    server: Server, model: str, error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        server.client.chat.completions.create(model=model, messages=HELLO)
    assert caught.value.code == code
    assert caught.value.request_id


def test_a_wrong_key_is_an_authentication_error(server: Server) -> None:
    wrong = OpenAI(base_url=server.url + "/v1", api_key="of_" + "x" * 49)
    with wrong as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "invalid_api_key"


def test_bad_input_is_a_bad_request(server: Server) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        server.client.chat.completions.create(model=MODEL, messages=HELLO, temperature=7)
    assert caught.value.param == "temperature"


def test_the_clients_own_retries_are_stopped_after_ours(server: Server) -> None:
    client = server.client
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="openai/sim-F28", messages=HELLO, timeout=30)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
