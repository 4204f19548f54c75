"""An agent framework that knows nothing of OneFlow runs a loop of tools through each dialect, on each wire's models."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import pytest
from anthropic import AsyncAnthropic
from google import genai
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, ModelSettings, RunContext
from pydantic_ai.messages import AgentStreamEvent, PartDeltaEvent, TextPartDelta, ToolCallPart, ToolReturnPart
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.everywhere import MODELS, Gateway
from tools.build_translations import chatting

pytestmark = [
    pytest.mark.clients,
    # google's client builds on aiohttp in a way that aiohttp discourages
    pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning"),
]

QUESTION = "Call get_weather and get_time for Oslo, then answer."


@dataclass(frozen=True)
class Clients:
    """The official clients, which the framework speaks through."""

    openai: AsyncOpenAI
    anthropic: AsyncAnthropic
    google: genai.Client


# How the framework speaks each dialect.
MAKERS: Mapping[str, Callable[[Clients, str], Model]] = {
    "openai": lambda clients, name: OpenAIChatModel(name, provider=OpenAIProvider(openai_client=clients.openai)),
    "responses": lambda clients, name: OpenAIResponsesModel(
        name, provider=OpenAIProvider(openai_client=clients.openai)
    ),
    "anthropic": lambda clients, name: AnthropicModel(
        name, provider=AnthropicProvider(anthropic_client=clients.anthropic)
    ),
    "gemini": lambda clients, name: GoogleModel(name, provider=GoogleProvider(client=clients.google)),
}
# The others make pictures or speak: no agent talks to them.
CHATS = chatting()
EVERYWHERE = [(dialect, kind) for dialect in CHATS for kind in MODELS]


class Report(BaseModel):
    """What an agent with a typed output gives."""

    city: str
    degrees: int


@pytest.fixture(params=EVERYWHERE, ids="-".join)
async def model(gateway: Gateway, request: pytest.FixtureRequest) -> AsyncIterator[Model]:
    dialect, kind = request.param
    google = genai.Client(api_key=gateway.key, http_options={"base_url": gateway.url})
    async with (
        google.aio,
        AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key) as openai,
        AsyncAnthropic(base_url=gateway.url, api_key=gateway.key) as anthropic,
    ):
        yield MAKERS[dialect](Clients(openai, anthropic, google), MODELS[kind])


def agent_of(model: Model, asked: list[str]) -> Agent[None, str]:
    """An agent with two tools; `asked` is told of each call of theirs."""
    agent = Agent(model, instructions="Be brief.", model_settings=ModelSettings(max_tokens=2_000))

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(f"get_weather {city}")
        return "rain, 12 degrees"

    @agent.tool_plain
    def get_time(city: str) -> str:
        """The time in a city."""
        asked.append(f"get_time {city}")
        return "noon"

    return agent


def test_every_dialect_is_tried() -> None:
    assert MAKERS.keys() >= set(CHATS)


async def test_a_loop_of_tools_goes_on_over_three_turns(model: Model) -> None:
    asked: list[str] = []
    agent = agent_of(model, asked)
    history = None
    for turn in range(3):
        result = await agent.run(QUESTION, message_history=history)
        assert "rain, 12 degrees" in result.output and "noon" in result.output
        assert len(asked) == 2 * (turn + 1)
        parts = [part for message in result.new_messages() for part in message.parts]
        calls, returns = (
            [part.tool_call_id for part in parts if isinstance(part, kind)] for kind in (ToolCallPart, ToolReturnPart)
        )
        assert len(calls) == 2 and calls == returns
        assert result.usage.output_tokens > 0
        history = result.all_messages()


async def test_a_loop_of_tools_is_streamed(model: Model) -> None:
    asked: list[str] = []
    pieces: list[str] = []

    async def hear(context: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
        del context
        async for event in events:
            if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                pieces.append(event.delta.content_delta)

    result = await agent_of(model, asked).run(QUESTION, event_stream_handler=hear)
    assert "rain, 12 degrees" in result.output
    assert len(pieces) > 2 and result.output.endswith(pieces[-1])
    assert sorted(each.split()[0] for each in asked) == ["get_time", "get_weather"]


async def test_a_typed_output(model: Model) -> None:
    agent = Agent(model, output_type=Report, model_settings=ModelSettings(max_tokens=2_000))
    assert isinstance((await agent.run("How warm is it in Oslo?")).output, Report)
