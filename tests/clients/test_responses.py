"""The official OpenAI client's Responses against a running `oneflow serve`: OpenAI's models, and other wires'."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from anthropic import Anthropic
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import FunctionToolParam, Response
from pydantic import BaseModel

from tests.clients.serving import serving

pytestmark = pytest.mark.clients

OWN = "openai/gpt-6-luna"
FOREIGN = "anthropic/claude-haiku-5-5"
# Chat has no such model: asked by Anthropic's client, it is asked on Responses.
RESPONSES_ONLY = "openai/gpt-5.5-pro"
MODELS = pytest.mark.parametrize("model", [OWN, FOREIGN], ids=["own", "foreign"])
HELLO = "Say hello to the sea."
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlE"
    "QVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def tool(name: str) -> FunctionToolParam:
    return {
        "type": "function",
        "name": name,
        "description": "Something of a city",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }


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
        OpenAI(base_url=url + "/v1", api_key=key, max_retries=0) as client,
    ):
        yield Server(url, key, client)


@MODELS
def test_a_response(server: Server, model: str) -> None:
    raw = server.client.responses.with_raw_response.create(model=model, input=HELLO, instructions="Be kind")
    answer = raw.parse()
    assert "hello to the sea" in answer.output_text
    assert (answer.status, answer.object, answer.error) == ("completed", "response", None)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    assert float(raw.headers["x-oneflow-cost-usd"]) > 0
    assert raw.headers["x-oneflow-model"] == model.partition("/")[2]


@MODELS
def test_a_stream(server: Server, model: str) -> None:
    with server.client.responses.stream(model=model, input=HELLO) as stream:
        events = list(stream)
        answer = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(pieces) == answer.output_text
    assert len(pieces) > 1
    assert answer.usage is not None and answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] > 0


async def test_the_async_client(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.url + "/v1", api_key=server.key) as client:
        for model in (OWN, FOREIGN):
            events = [event async for event in await client.responses.create(model=model, input=HELLO, stream=True)]
            assert events[-1].type == "response.completed"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@MODELS
def test_a_tool_loop_of_three_turns_with_two_calls_at_once(server: Server, model: str, streamed: bool) -> None:
    tools = [tool("get_weather"), tool("get_time"), tool("get_news")]

    def ask(items: list[Any], **more: Any) -> Response:
        asked: dict[str, Any] = {"model": model, "input": items, "tools": tools, "store": False, **more}
        if not streamed:
            answer: Response = server.client.responses.create(**asked)
            return answer
        with server.client.responses.stream(**asked) as stream:
            return stream.get_final_response()

    items: list[Any] = [{"role": "user", "content": "Get weather and get time in Oslo."}]
    thinking = {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}}
    first = ask(items, **thinking)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert all(isinstance(json.loads(call.arguments)["city"], str) for call in calls)
    items += first.output
    items += [
        {"type": "function_call_output", "call_id": calls[0].call_id, "output": "12 degrees and rain"},
        {
            "type": "function_call_output",
            "call_id": calls[1].call_id,
            "output": [{"type": "input_text", "text": "noon"}],
        },
    ]
    second = ask(items)
    assert "12 degrees" in second.output_text and "noon" in second.output_text
    items += [*second.output, {"role": "user", "content": "Now get news of Bergen."}]
    third = ask(items)
    (call,) = [item for item in third.output if item.type == "function_call"]
    assert call.name == "get_news"


@MODELS
def test_a_forced_tool(server: Server, model: str) -> None:
    answer = server.client.responses.create(
        model=model,
        input=HELLO,
        tools=[tool("get_weather"), tool("get_time")],
        tool_choice={"type": "function", "name": "get_time"},
        parallel_tool_calls=False,
    )
    assert [item.name for item in answer.output if item.type == "function_call"] == ["get_time"]


class Place(BaseModel):
    """What the structured answer must be."""

    city: str
    population: int


@MODELS
def test_a_parsed_structured_answer(server: Server, model: str) -> None:
    answer = server.client.responses.parse(model=model, input=HELLO, text_format=Place)
    assert isinstance(answer.output_parsed, Place)


@MODELS
def test_a_picture_and_a_file_in_the_prompt(server: Server, model: str) -> None:
    content: list[Any] = [
        {"type": "input_text", "text": "What is in this picture?"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"},
    ]
    answer = server.client.responses.create(model=model, input=[{"role": "user", "content": content}])
    assert answer.output_text


@MODELS
def test_an_answer_that_was_too_long(server: Server, model: str) -> None:
    answer = server.client.responses.create(model=model, input=HELLO, max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None and answer.incomplete_details.reason == "max_output_tokens"


def test_a_response_goes_on_where_its_provider_keeps_it(server: Server) -> None:
    first = server.client.responses.create(model=OWN, input="My name is Ada.")
    second = server.client.responses.create(model=OWN, input=HELLO, previous_response_id=first.id)
    assert second.previous_response_id == first.id


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True, "stream": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
    ],
)
def test_what_only_openai_keeps_is_refused_by_others(server: Server, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        server.client.responses.create(model=FOREIGN, input=HELLO, **fields)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_parameter")


def test_a_stored_response_is_refused_by_others_and_unknown_to_all_that_it_was_not_told(server: Server) -> None:
    first = server.client.responses.create(model=OWN, input=HELLO)
    with pytest.raises(openai.BadRequestError) as caught:
        server.client.responses.create(model=FOREIGN, input=HELLO, previous_response_id=first.id)
    assert (caught.value.param, caught.value.code) == ("previous_response_id", "unsupported_parameter")
    for model in (OWN, FOREIGN):
        with pytest.raises(openai.NotFoundError) as unknown:
            server.client.responses.create(model=model, input=HELLO, previous_response_id="resp_1")
        assert (unknown.value.param, unknown.value.code) == ("previous_response_id", "not_found")


def test_what_is_left_out_is_told(server: Server) -> None:
    raw = server.client.responses.with_raw_response.create(model=FOREIGN, input=HELLO, truncation="auto")
    assert raw.headers["x-oneflow-dropped"] == "truncation"


@pytest.mark.parametrize("model", [OWN, FOREIGN, "text"])
def test_tokens_are_counted(server: Server, model: str) -> None:
    assert server.client.responses.input_tokens.count(model=model, input=HELLO).input_tokens > 0


def test_other_clients_reach_openais_counts_and_its_newer_wire(server: Server) -> None:
    with Anthropic(base_url=server.url, api_key=server.key) as client:
        asked: Any = [{"role": "user", "content": HELLO}]
        assert client.messages.count_tokens(model=OWN, messages=asked).input_tokens > 0
        answer: Any = client.messages.create(model=RESPONSES_ONLY, max_tokens=64, messages=asked)
        assert "hello to the sea" in answer.content[-1].text
        with client.messages.stream(model=RESPONSES_ONLY, max_tokens=64, messages=asked) as stream:
            assert "hello to the sea" in stream.get_final_text()


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("openai/sim-F25", openai.BadRequestError, "invalid_value"),
        ("anthropic/sim-F25", openai.BadRequestError, "upstream_rejected"),
        ("nobody/has-this", openai.NotFoundError, "model_not_found"),
        ("openai/sim-F22;kind=toolarge", openai.RateLimitError, "upstream_request_too_large"),
        ("openai/sim-F24", openai.InternalServerError, "provider_auth_failed"),
        ("anthropic/sim-F24", openai.InternalServerError, "provider_auth_failed"),
    ],
)
def test_errors_arrive_as_the_clients_own(
    server: Server, model: str, error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        server.client.responses.create(model=model, input=HELLO)
    assert caught.value.code == code
    assert caught.value.request_id


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", ["F13;at=event:4", "F14;at=event:4", "F18;at=event:4"])
def test_a_stream_that_breaks_is_an_error(server: Server, provider: str, fault: str) -> None:
    with pytest.raises(openai.APIError):
        list(server.client.responses.create(model=f"{provider}/sim-{fault}", input=HELLO, stream=True))
