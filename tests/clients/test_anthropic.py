"""The official Anthropic client against a running `oneflow serve`, by changing its base URL and key only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from tests.clients.messages_double import Double, provider
from tests.clients.serving import serving

pytestmark = pytest.mark.clients

MODEL = "anthropic/claude-haiku-5-5"
HELLO: list[MessageParam] = [{"role": "user", "content": "Say hello to the sea."}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CONFIGURATION = """
[retry]
attempts = 1
[providers.anthropic]
base_url = "{url}"
api_key = "env:PROVIDER_KEY"
"""


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: its address, a key of its own, the client for both, and the provider behind it."""

    url: str
    key: str
    client: Anthropic
    provider: Double


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with provider() as double:
        (home / "oneflow.toml").write_text(CONFIGURATION.format(url=double.url))
        with (
            serving(home, {"PROVIDER_KEY": "sk-of-the-provider"}) as (url, key),
            Anthropic(base_url=url, api_key=key, max_retries=0) as client,
        ):
            yield Server(url, key, client, double)


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message(server: Server) -> None:
    answer = server.client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert text_of(answer) == "You said: Say hello to the sea."
    assert (answer.stop_reason, answer.role, answer.model) == ("end_turn", "assistant", "claude-haiku-5-5")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (12, 100)
    path, headers, _ = server.provider.requests[-1]
    assert path == "/v1/messages"
    assert headers["x-api-key"] == "sk-of-the-provider"
    assert headers["anthropic-version"] == "2026-10-21"


def test_a_stream(server: Server) -> None:
    with server.client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(pieces) == text_of(message) == "You said: Say hello to the sea."
    assert message.usage.output_tokens == 9
    assert message.stop_reason == "end_turn"
    events = list(server.client.messages.create(model=MODEL, max_tokens=64, messages=HELLO, stream=True))
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
    (told,) = (event for event in events if event.type == "message_delta")
    assert told.usage.model_extra is not None
    assert told.usage.model_extra["cost"] > 0


async def test_the_async_client(server: Server) -> None:
    async with AsyncAnthropic(base_url=server.url, api_key=server.key) as client:
        answer = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
        async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
            assert "".join([piece async for piece in stream.text_stream]) == text_of(answer)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_a_tool_loop_with_two_calls_at_once(server: Server, streamed: bool) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "What is the weather in Oslo and in Ulm?"}]
    client = server.client
    thinking: Any = {"type": "adaptive", "display": "summarized"}
    if streamed:
        with client.messages.stream(
            model=MODEL, max_tokens=64, messages=messages, tools=[WEATHER], thinking=thinking
        ) as stream:
            answer: Any = stream.get_final_message()
    else:
        answer = client.messages.create(
            model=MODEL, max_tokens=64, messages=messages, tools=[WEATHER], thinking=thinking
        )
    assert answer.stop_reason == "tool_use"
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (answer.content[0].thinking, answer.content[0].signature) == ("Let me see.", "EqQBsigned")
    assert [block.input for block in answer.content[2:]] == [{"city": "Oslo"}, {"city": "Ulm"}]
    results: Any = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"rain in {block.input['city']}"}
        for block in answer.content[2:]
    ]
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    last = client.messages.create(model=MODEL, max_tokens=64, messages=messages, tools=[WEATHER])
    assert text_of(last) == "You said: rain in Oslo and rain in Ulm"


class Place(BaseModel):
    """What the structured answer must be."""

    city: str
    population: int


def test_a_parsed_structured_answer(server: Server) -> None:
    answer = server.client.messages.parse(model=MODEL, max_tokens=64, messages=HELLO, output_format=Place)
    assert answer.parsed_output == Place(city="Ulm", population=126_000)
    _, _, body = server.provider.requests[-1]
    assert body["output_config"]["format"]["type"] == "json_schema"


def test_pictures_and_documents_in_the_prompt(server: Server) -> None:
    messages: list[MessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A note."}},
                {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ],
        }
    ]
    answer = server.client.messages.create(model=MODEL, max_tokens=64, messages=messages)
    assert text_of(answer) == "You said: a picture"
    _, _, body = server.provider.requests[-1]
    assert body["messages"] == messages


def test_tokens_are_counted(server: Server) -> None:
    assert server.client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens == 42


def test_beta_features_reach_the_provider(server: Server) -> None:
    hello: Any = HELLO
    server.client.beta.messages.create(model=MODEL, max_tokens=64, messages=hello, betas=["files-api-2025-04-14"])
    path, headers, _ = server.provider.requests[-1]
    assert path == "/v1/messages"
    assert "files-api-2025-04-14" in headers["anthropic-beta"]


def test_the_models(server: Server) -> None:
    names = [model.id for model in server.client.models.list()]
    assert MODEL in names
    assert server.client.models.retrieve(MODEL).id == MODEL
    assert server.client.models.retrieve(MODEL).created_at.year >= 2026


@pytest.mark.parametrize(
    ("word", "error", "code"),
    [
        ("refuse", anthropic.BadRequestError, "upstream_rejected"),
        ("lock", anthropic.InternalServerError, "provider_auth_failed"),
        ("lose", anthropic.NotFoundError, "model_not_found"),
        ("hurry", anthropic.RateLimitError, "upstream_rate_limited"),
        ("overload", anthropic.InternalServerError, "upstream_overloaded"),
    ],
)
def test_errors_arrive_as_the_clients_own(
    server: Server, word: str, error: type[anthropic.APIStatusError], code: str
) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": word}]
    for stream in (False, True):
        with pytest.raises(error) as caught:
            server.client.messages.create(model=MODEL, max_tokens=64, messages=messages, stream=stream)
        body: Any = caught.value.body
        assert body["error"]["details"]["error_code"] == code
        assert caught.value.request_id == body["request_id"]


def test_an_error_within_a_stream_is_raised(server: Server) -> None:
    broken: list[MessageParam] = [{"role": "user", "content": "break"}]
    with server.client.messages.stream(model=MODEL, max_tokens=64, messages=broken) as stream:
        pieces = iter(stream.text_stream)
        assert next(pieces) == "You"
        with pytest.raises(anthropic.APIStatusError) as caught:
            next(pieces)
    assert "overloaded_error" in str(caught.value.body)


def test_a_wrong_key_is_an_authentication_error(server: Server) -> None:
    wrong = Anthropic(base_url=server.url, api_key="of_" + "x" * 49)
    with wrong as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)


def test_bad_input_is_a_bad_request_that_names_the_field(server: Server) -> None:
    with pytest.raises(anthropic.BadRequestError, match="messages: at least one message is required"):
        server.client.messages.create(model=MODEL, max_tokens=64, messages=[])
