"""The official Anthropic client on the models of other providers, by changing its base URL and key only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, APIStatusError, AsyncAnthropic
from pydantic import BaseModel

from tests.clients.everywhere import LONG_NAMES, MODELS, PIXEL, TOOLS, Gateway, closed_port

pytestmark = pytest.mark.clients

KINDS = pytest.mark.parametrize("kind", ["openai", "gemini", "bedrock"])
WHOLE_OR_STREAM = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
LONGER = {"x-stainless-read-timeout": "5"}
HELLO: Any = [{"role": "user", "content": "Say hello to the sea."}]
OFFERED: Any = [{"name": name, "description": words, "input_schema": schema} for name, (words, schema) in TOOLS.items()]


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as found:
        yield found


def ask(client: Anthropic, streamed: bool, **fields: Any) -> Any:
    """The message that a request is answered with, whole or put together from its stream."""
    if not streamed:
        return client.messages.create(**fields)
    with client.messages.stream(**fields) as stream:
        return stream.get_final_message()


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@KINDS
def test_a_message_and_its_stream_say_the_same(client: Anthropic, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 400, "messages": HELLO, "system": "Be kind."}
    answer = client.messages.create(**asked)
    assert "hello to the sea" in text_of(answer)
    assert (answer.role, answer.stop_reason) == ("assistant", "end_turn")
    with client.messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(pieces) == text_of(message) == text_of(answer)
    assert len(pieces) > 1
    assert (message.stop_reason, message.model) == (answer.stop_reason, answer.model)
    for usage in (answer.usage, message.usage):
        assert usage.input_tokens > 0 and usage.output_tokens > 0


@KINDS
async def test_the_async_client(gateway: Gateway, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 400, "messages": HELLO}
    async with AsyncAnthropic(base_url=gateway.url, api_key=gateway.key) as client:
        answer = await client.messages.create(**asked)
        async with client.messages.stream(**asked) as stream:
            assert "".join([piece async for piece in stream.text_stream]) == text_of(answer)


@KINDS
def test_an_answer_that_is_cut_says_so(client: Anthropic, kind: str) -> None:
    for streamed in (False, True):
        answer = ask(client, streamed, model=MODELS[kind], max_tokens=20, messages=HELLO)
        assert answer.stop_reason == "max_tokens"


@KINDS
@WHOLE_OR_STREAM
def test_a_loop_of_three_turns_with_two_calls_each(client: Anthropic, kind: str, streamed: bool) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 2_000, "tools": OFFERED}
    messages: list[Any] = []
    for turn in range(3):
        messages.append({"role": "user", "content": f"Turn {turn}: get_weather and get_time of two cities, please."})
        answer = ask(client, streamed, messages=messages, **asked)
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert (answer.stop_reason, [call.name for call in calls]) == ("tool_use", list(TOOLS))
        assert all(isinstance(call.input["city"], str) for call in calls)
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name} says {turn}"} for call in calls
        ]
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        answer = ask(client, streamed, messages=messages, **asked)
        assert answer.stop_reason == "end_turn"
        assert all(f"{name} says {turn}" in text_of(answer) for name in TOOLS)
        messages.append({"role": "assistant", "content": answer.content})


@KINDS
@WHOLE_OR_STREAM
def test_tools_with_names_that_only_its_own_wire_takes(client: Anthropic, kind: str, streamed: bool) -> None:
    tools: Any = [{**tool, "name": name} for tool, name in zip(OFFERED, LONG_NAMES, strict=True)]
    asked: Any = {"model": MODELS[kind], "max_tokens": 2_000, "tools": tools}
    messages: list[Any] = []
    for turn, name in enumerate(LONG_NAMES):
        messages.append({"role": "user", "content": "What is it like in Oslo?"})
        answer = ask(client, streamed, messages=messages, tool_choice={"type": "tool", "name": name}, **asked)
        (call,) = [block for block in answer.content if block.type == "tool_use"]
        assert (answer.stop_reason, call.name) == ("tool_use", name)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": f"It is {turn}."}
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        answer = ask(client, streamed, messages=messages, **asked)
        assert f"It is {turn}." in text_of(answer)
        messages.append({"role": "assistant", "content": answer.content})


class Place(BaseModel):
    """What the structured answer must be."""

    city: str
    population: int


@KINDS
def test_a_parsed_structured_answer(client: Anthropic, kind: str) -> None:
    answer = client.messages.parse(model=MODELS[kind], max_tokens=400, messages=HELLO, output_format=Place)
    assert isinstance(answer.parsed_output, Place)


@KINDS
def test_pictures_in_the_prompt(client: Anthropic, kind: str) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    question = {"type": "text", "text": "What is in this picture?"}
    with_picture: Any = [{"role": "user", "content": [picture, question]}]
    without: Any = [{"role": "user", "content": [question]}]
    seen, unseen = (
        client.messages.create(model=MODELS[kind], max_tokens=400, messages=messages)
        for messages in (with_picture, without)
    )
    assert text_of(seen)
    assert seen.usage.input_tokens > unseen.usage.input_tokens


@pytest.mark.parametrize("kind", ["gemini", "bedrock"])
@WHOLE_OR_STREAM
def test_thoughts_are_shown_and_may_be_given_back(client: Anthropic, kind: str, streamed: bool) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 3_000, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    answer = ask(client, streamed, messages=HELLO, **asked)
    thoughts = [block for block in answer.content if block.type == "thinking"]
    assert "".join(block.thinking for block in thoughts)
    assert any(block.signature for block in thoughts)
    again: Any = [*HELLO, {"role": "assistant", "content": answer.content}, {"role": "user", "content": "Once more."}]
    assert "Once more." in text_of(ask(client, streamed, messages=again, **asked))


def test_a_model_that_does_not_show_its_thoughts_is_said_to(client: Anthropic) -> None:
    raw = client.messages.with_raw_response.create(
        model=MODELS["openai"],
        max_tokens=3_000,
        messages=HELLO,
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
    )
    assert "hello to the sea" in text_of(raw.parse())


@pytest.mark.parametrize("kind", ["gemini", "bedrock"])
def test_tokens_are_counted(client: Anthropic, kind: str) -> None:
    few = client.messages.count_tokens(model=MODELS[kind], messages=HELLO)
    many = client.messages.count_tokens(model=MODELS[kind], messages=HELLO, system="Be kind. " * 50)
    assert 0 < few.input_tokens < many.input_tokens


@KINDS
def test_what_is_small_is_left_out_and_what_is_not_is_refused(client: Anthropic, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 400, "messages": HELLO}
    raw = client.messages.with_raw_response.create(**asked, extra_body={"context_management": {"edits": []}})
    assert raw.headers["x-oneflow-dropped"] == "context_management"
    with pytest.raises(anthropic.BadRequestError, match="inference_geo"):
        client.messages.create(**asked, extra_body={"inference_geo": "eu"})


@KINDS
@pytest.mark.parametrize(
    ("model", "error", "type"),
    [
        ("{}/sim-F25", anthropic.BadRequestError, "invalid_request_error"),
        ("{}/sim-F25;kind=context", anthropic.BadRequestError, "invalid_request_error"),
        ("{}/sim-F25;status=404", anthropic.NotFoundError, "not_found_error"),
        ("{}/sim-F25;status=413", anthropic.ContentTooLargeError, "request_too_large"),
        ("{}/sim-F25;status=422", anthropic.UnprocessableEntityError, "invalid_request_error"),
        ("limited-{}/sim-F22", anthropic.RateLimitError, "rate_limit_error"),
        ("refused-{}/sim-F24", anthropic.InternalServerError, "api_error"),
        ("{}/sim-F23", anthropic.InternalServerError, "api_error"),
        ("{}/sim-F23;status=503", anthropic.APIStatusError, "overloaded_error"),
    ],
)
@WHOLE_OR_STREAM
def test_every_failure_is_the_clients_own_error(
    client: Anthropic, kind: str, model: str, error: type[APIStatusError], type: str, streamed: bool
) -> None:
    with pytest.raises(error) as caught:
        ask(client, streamed, model=model.format(kind), max_tokens=20, messages=HELLO)
    body: Any = caught.value.body
    assert body["error"]["type"] == type
    assert caught.value.request_id == body["request_id"]


@KINDS
def test_an_error_within_a_stream_is_raised(client: Anthropic, kind: str) -> None:
    with client.messages.stream(model=f"{kind}/sim-F18@event:3", max_tokens=400, messages=HELLO) as stream:
        pieces = iter(stream.text_stream)
        assert next(pieces)
        with pytest.raises(APIStatusError):
            list(pieces)


@KINDS
def test_what_is_no_answer_at_all(client: Anthropic, gateway: Gateway, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 20, "messages": HELLO}
    silent = f"{kind}/sim-F9"
    with pytest.raises(anthropic.APITimeoutError):
        # The client tells its own time too, so that the gateway would say so as soon: it gets a longer one here.
        client.with_options(timeout=0.3).messages.create(**{**asked, "model": silent}, extra_headers=LONGER)
    with pytest.raises(anthropic.GatewayTimeoutError):
        client.messages.create(**{**asked, "model": silent}, extra_headers={"x-oneflow-timeout-ms": "300"})
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="of_" + "x" * 49).messages.create(**asked)
    with pytest.raises(anthropic.PermissionDeniedError):
        client.with_options(api_key=gateway.narrow_key).messages.create(**asked)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**{**asked, "max_tokens": 0})
    with pytest.raises(anthropic.APIConnectionError):
        client.with_options(base_url=f"http://127.0.0.1:{closed_port()}").messages.create(**asked)
