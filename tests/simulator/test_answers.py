"""Plain answers, as the official client sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import exp
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from oneflow_ai.simulator import Simulator
from oneflow_ai.simulator.text import tokens

MODEL = "gpt-5.4"
HELLO: Any = [{"role": "user", "content": "Say hello to the bees."}]


def _tool(name: str, **properties: Any) -> Any:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}


TOOLS = [
    _tool("get_weather", location={"type": "string"}),
    _tool("get_news", location={"type": "string"}, most={"type": "integer"}),
]


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncOpenAI]:
    """The official client, without retries."""
    async with AsyncOpenAI(base_url=simulator.base_url, api_key="key", max_retries=0) as made:
        yield made


async def test_an_answer_quotes_the_prompt_and_counts_its_tokens(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
    text = answer.choices[0].message.content or ""
    assert '"Say hello to the bees."' in text
    assert (answer.object, answer.model, answer.choices[0].finish_reason) == ("chat.completion", MODEL, "stop")
    assert answer.usage
    assert answer.usage.completion_tokens == tokens(text)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_the_same_prompt_gives_the_same_text_whole_and_streamed(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model=MODEL, messages=HELLO)
    events = [each async for each in await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)]
    assert "".join(each.choices[0].delta.content or "" for each in events) == whole.choices[0].message.content
    assert events[-1].choices[0].finish_reason == "stop"
    assert all(each.usage is None for each in events)


async def test_usage_comes_in_an_extra_last_chunk_only_when_asked(client: AsyncOpenAI) -> None:
    asked = await client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *events, last = [each async for each in asked]
    assert last.choices == []
    assert last.usage
    assert last.usage.completion_tokens == sum(1 for each in events if each.choices[0].delta.content)
    assert all("usage" in each.model_fields_set and each.usage is None for each in events)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_cuts_the_text(client: AsyncOpenAI, field: str) -> None:
    limit: Any = {field: 5}
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO, **limit)
    assert answer.usage
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (5, "length")


async def test_a_stop_sequence_ends_the_text_before_it(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO, stop=["simulated", "never there"])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("This is a ", "stop")


async def test_several_choices_differ_and_are_streamed_side_by_side(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model=MODEL, messages=HELLO, n=3)
    assert len({choice.message.content for choice in whole.choices}) == 3
    texts = {0: "", 1: "", 2: ""}
    async for event in await client.chat.completions.create(model=MODEL, messages=HELLO, n=3, stream=True):
        texts[event.choices[0].index] += event.choices[0].delta.content or ""
    assert texts == {choice.index: choice.message.content for choice in whole.choices}


async def test_tools_that_the_prompt_mentions_are_called_and_their_results_are_used(client: AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Use get_weather for London, then get news."}]
    first = await client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    calls: Any = message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_news"]
    assert calls[0].function.arguments == '{"location":"London"}'
    messages.append(message.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": f"result {n}"} for n, call in enumerate(calls)]
    second = await client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    assert "result 0; result 1" in (second.choices[0].message.content or "")


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", []),
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "function": {"name": "get_news"}}, ["get_news"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOLS[1]]}}, ["get_news"]),
    ],
)
async def test_tool_choice_decides_when_the_prompt_names_no_tool(
    client: AsyncOpenAI, choice: Any, names: list[str]
) -> None:
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO, tools=TOOLS, tool_choice=choice)
    calls: Any = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == names


async def test_streamed_tool_calls_add_up_to_the_whole_ones(client: AsyncOpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": "get weather and get news"}], "tools": TOOLS}
    whole: Any = (await client.chat.completions.create(**asked)).choices[0].message.tool_calls
    made: dict[int, list[str]] = {}
    async for event in await client.chat.completions.create(**asked, stream=True):
        for part in event.choices[0].delta.tool_calls or []:
            name, arguments = made.setdefault(part.index, ["", ""])
            made[part.index] = [name + (part.function.name or ""), arguments + (part.function.arguments or "")]
    assert list(made.values()) == [[call.function.name, call.function.arguments] for call in whole]


class Bee(BaseModel):
    name: str
    age: int
    tags: list[str]
    queen: Bee | None


async def test_structured_output_parses_into_its_model(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Bee)
    assert isinstance(answer.choices[0].message.parsed, Bee)


@pytest.mark.parametrize("most", [None, 0, 3])
async def test_probabilities_are_told_of_each_token(client: AsyncOpenAI, most: int | None) -> None:
    asked: Any = {"model": MODEL, "messages": HELLO, "logprobs": True, "top_logprobs": most}
    choice = (await client.chat.completions.create(**asked)).choices[0]
    assert choice.logprobs
    told = choice.logprobs.content or []
    text = "".join(each.token for each in told)
    assert text == choice.message.content == b"".join(bytes(each.bytes or ()) for each in told).decode()
    for each in told:
        assert [other.logprob for other in each.top_logprobs] == sorted(
            [other.logprob for other in each.top_logprobs], reverse=True
        )
        assert len({other.token for other in each.top_logprobs}) == len(each.top_logprobs) == (most or 0)
        assert most in (None, 0) or each.top_logprobs[0].token == each.token
        assert sum(exp(other.logprob) for other in each.top_logprobs) < 1 and each.logprob < 0
    events = [event.choices[0] async for event in await client.chat.completions.create(**asked, stream=True)]
    assert [each for event in events if event.logprobs for each in event.logprobs.content or []] == told
    assert [bool(event.logprobs) for event in events] == [bool(event.delta.content) for event in events]


async def test_alternatives_are_not_told_without_probabilities(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="only allowed when 'logprobs' is enabled"):
        await client.chat.completions.create(model=MODEL, messages=HELLO, top_logprobs=2)
    with pytest.raises(openai.BadRequestError, match="an integer from 0 to 20"):
        await client.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True, top_logprobs=21)
    assert (await client.chat.completions.create(model=MODEL, messages=HELLO)).choices[0].logprobs is None


async def test_pictures_are_accepted_and_counted(client: AsyncOpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen: Any = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture, picture]}]
    plain: Any = [{"role": "user", "content": "What is this?"}]
    answers = [await client.chat.completions.create(model=MODEL, messages=each) for each in (seen, plain)]
    with_pictures, without = [each.usage.prompt_tokens for each in answers if each.usage]
    assert with_pictures - without == 2 * 85


async def test_older_completions_whole_and_streamed(client: AsyncOpenAI) -> None:
    whole = await client.completions.create(model=MODEL, prompt=["One", "Two"], max_tokens=7)
    assert [(each.index, each.finish_reason) for each in whole.choices] == [(0, "length"), (1, "length")]
    assert whole.usage
    assert whole.usage.completion_tokens == 14
    events = [
        each
        async for each in await client.completions.create(
            model=MODEL, prompt="One", max_tokens=7, stream=True, stream_options={"include_usage": True}
        )
    ]
    assert "".join(each.choices[0].text for each in events[:-1]) == whole.choices[0].text
    assert events[-1].usage
    assert events[-1].usage.completion_tokens == 7


async def test_models_are_listed_and_found(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    assert MODEL in listed
    assert (await client.models.retrieve("some-other")).id == "some-other"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("no-such-model")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("F24", openai.AuthenticationError),
        ("F25;status=404", openai.NotFoundError),
        ("F19", openai.RateLimitError),
        ("F23", openai.InternalServerError),
        ("F7", openai.APIConnectionError),
    ],
)
async def test_faults_reach_the_client_as_its_own_errors(
    client: AsyncOpenAI, fault: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client.chat.completions.create(model=f"sim-{fault}", messages=HELLO)
