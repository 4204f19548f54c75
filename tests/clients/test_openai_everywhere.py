"""The official OpenAI client's chats on the models of other providers, by changing its base URL and key only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.clients.everywhere import MODELS, PIXEL, TOOLS, Gateway, closed_port

pytestmark = pytest.mark.clients

KINDS = pytest.mark.parametrize("kind", ["anthropic", "gemini", "bedrock"])
WHOLE_OR_STREAM = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
LONGER = {"x-stainless-read-timeout": "5"}
HELLO: Any = [{"role": "user", "content": "Say hello to the sea."}]
OFFERED: Any = [
    {"type": "function", "function": {"name": name, "description": words, "parameters": schema, "strict": True}}
    for name, (words, schema) in TOOLS.items()
]


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0) as found:
        yield found


def ask(client: OpenAI, streamed: bool, **fields: Any) -> Any:
    """The first choice of what a request is answered with, whole or put together from its stream."""
    if not streamed:
        return client.chat.completions.create(**fields).choices[0]
    with client.chat.completions.stream(**fields) as stream:
        return stream.get_final_completion().choices[0]


@KINDS
def test_a_chat_and_its_stream_say_the_same(client: OpenAI, kind: str) -> None:
    messages = [{"role": "system", "content": "Be kind."}, *HELLO]
    asked: Any = {"model": MODELS[kind], "messages": messages, "max_completion_tokens": 400}
    answer = client.chat.completions.create(**asked)
    text = answer.choices[0].message.content
    assert text is not None and "hello to the sea" in text
    assert answer.choices[0].finish_reason == "stop"
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == text
    assert len(list(filter(None, pieces))) > 1
    (told,) = [chunk.usage for chunk in chunks if chunk.usage]
    for usage in (answer.usage, told):
        assert usage is not None
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > usage.prompt_tokens > 0


@KINDS
async def test_the_async_client(gateway: Gateway, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "messages": HELLO, "max_tokens": 400}
    async with AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key) as client:
        answer = await client.chat.completions.create(**asked)
        stream = await client.chat.completions.create(**asked, stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert "".join(pieces) == answer.choices[0].message.content


@KINDS
def test_an_answer_that_is_cut_says_so(client: OpenAI, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "messages": HELLO, "max_tokens": 20}
    assert client.chat.completions.create(**asked).choices[0].finish_reason == "length"
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"


@KINDS
@WHOLE_OR_STREAM
def test_a_loop_of_three_turns_with_two_calls_each(client: OpenAI, kind: str, streamed: bool) -> None:
    asked: Any = {"model": MODELS[kind], "max_tokens": 2_000, "tools": OFFERED}
    messages: list[Any] = []
    for turn in range(3):
        messages.append({"role": "user", "content": f"Turn {turn}: get_weather and get_time of two cities, please."})
        choice = ask(client, streamed, messages=messages, **asked)
        calls = choice.message.tool_calls
        assert (choice.finish_reason, [call.function.name for call in calls]) == ("tool_calls", list(TOOLS))
        assert all(isinstance(json.loads(call.function.arguments)["city"], str) for call in calls)
        messages.append(choice.message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} says {turn}"} for call in calls
        ]
        choice = ask(client, streamed, messages=messages, **asked)
        assert choice.finish_reason == "stop"
        assert all(f"{name} says {turn}" in choice.message.content for name in TOOLS)
        messages.append(choice.message.model_dump(exclude_none=True))


class Place(BaseModel):
    """What the structured answer must be."""

    city: str
    population: int


@KINDS
def test_a_parsed_structured_answer(client: OpenAI, kind: str) -> None:
    answer = client.chat.completions.parse(model=MODELS[kind], messages=HELLO, response_format=Place)
    assert isinstance(answer.choices[0].message.parsed, Place)


@KINDS
def test_pictures_in_the_prompt(client: OpenAI, kind: str) -> None:
    question = {"type": "text", "text": "What is in this picture?"}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    with_picture: Any = [{"role": "user", "content": [question, picture]}]
    without: Any = [{"role": "user", "content": [question]}]
    seen, unseen = (
        client.chat.completions.create(model=MODELS[kind], messages=messages) for messages in (with_picture, without)
    )
    assert seen.choices[0].message.content
    assert seen.usage is not None and unseen.usage is not None
    assert seen.usage.prompt_tokens > unseen.usage.prompt_tokens


@KINDS
@WHOLE_OR_STREAM
def test_thoughts_are_counted_shown_and_may_be_given_back(client: OpenAI, kind: str, streamed: bool) -> None:
    asked: Any = {
        "model": MODELS[kind],
        "max_tokens": 3_000,
        "reasoning_effort": "high",
        "extra_body": {"include_reasoning": True},
    }
    message = ask(client, streamed, messages=HELLO, **asked).message
    assert message.model_extra["reasoning_content"]
    again: Any = [*HELLO, message.model_dump(exclude_none=True), {"role": "user", "content": "Once more."}]
    answer = client.chat.completions.create(messages=again, **asked)
    assert "Once more." in str(answer.choices[0].message.content)
    assert answer.usage is not None and answer.usage.completion_tokens_details is not None
    # Converse does not tell how many of its tokens were thoughts.
    assert bool(answer.usage.completion_tokens_details.reasoning_tokens) == (kind != "bedrock")


@KINDS
def test_what_is_small_is_left_out_and_what_is_not_is_refused(client: OpenAI, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "messages": HELLO, "max_tokens": 400}
    raw = client.chat.completions.with_raw_response.create(**asked, store=True, extra_body={"min_p": 0.1})
    assert raw.headers["x-oneflow-dropped"] == "store,min_p"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asked, web_search_options={})
    assert (caught.value.param, caught.value.code) == ("web_search_options", "unsupported_parameter")


@KINDS
@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("{}/sim-F25", openai.BadRequestError, None),
        ("{}/sim-F25;kind=context", openai.BadRequestError, "context_length_exceeded"),
        ("{}/sim-F25;status=404", openai.NotFoundError, "model_not_found"),
        ("{}/sim-F25;status=422", openai.UnprocessableEntityError, None),
        ("limited-{}/sim-F22", openai.RateLimitError, None),
        ("refused-{}/sim-F24", openai.InternalServerError, "provider_auth_failed"),
        ("{}/sim-F23", openai.InternalServerError, "upstream_error"),
        ("{}/sim-F23;status=503", openai.InternalServerError, "upstream_overloaded"),
    ],
)
@WHOLE_OR_STREAM
def test_every_failure_is_the_clients_own_error(
    client: OpenAI, kind: str, model: str, error: type[APIStatusError], code: str | None, streamed: bool
) -> None:
    with pytest.raises(error) as caught:
        ask(client, streamed, model=model.format(kind), messages=HELLO)
    assert caught.value.code == code if code else caught.value.code
    assert caught.value.request_id


@KINDS
def test_an_error_within_a_stream_is_raised(client: OpenAI, kind: str) -> None:
    chunks = client.chat.completions.create(model=f"{kind}/sim-F18@event:3", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError):
        list(chunks)


@KINDS
def test_what_is_no_answer_at_all(client: OpenAI, gateway: Gateway, kind: str) -> None:
    asked: Any = {"model": MODELS[kind], "messages": HELLO}
    chats, silent = client.chat.completions, f"{kind}/sim-F9"
    with pytest.raises(openai.APITimeoutError):
        # The client tells its own time too, so that the gateway would say so as soon: it gets a longer one here.
        client.with_options(timeout=0.3).chat.completions.create(model=silent, messages=HELLO, extra_headers=LONGER)
    with pytest.raises(openai.InternalServerError) as caught:
        chats.create(model=silent, messages=HELLO, extra_headers={"x-oneflow-timeout-ms": "300"})
    assert caught.value.status_code == 504
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="of_" + "x" * 49).chat.completions.create(**asked)
    with pytest.raises(openai.PermissionDeniedError):
        client.with_options(api_key=gateway.narrow_key).chat.completions.create(**asked)
    with pytest.raises(openai.BadRequestError):
        chats.create(**asked, max_tokens=0)
    with pytest.raises(openai.APIConnectionError):
        client.with_options(base_url=f"http://127.0.0.1:{closed_port()}").chat.completions.create(**asked)
