"""Anthropic's wire, as its official client and raw requests see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from oneflow_ai.simulator import FAST, Limits, Simulator, SimulatorOptions
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.wires.anthropic import HIDES_THOUGHTS, REFUSES
from tests.simulator.raw import Seen, once
from tests.simulator.spoken import ANTHROPIC, LATEST, PROMPT, VERSION, WEATHER, documents

MODEL = "claude-haiku-4-5"
NEWER = "claude-opus-4-8"
HELLO: Any = [{"role": "user", "content": PROMPT}]
TOOLS: Any = [{"name": name, "description": "x", "input_schema": dict(WEATHER)} for name in ("get_weather", "get_news")]
LONG = "bees " * 1_200


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncAnthropic]:
    """The official client, without retries."""
    async with AsyncAnthropic(base_url=simulator.origin, api_key="key", max_retries=0) as made:
        yield made


async def _raw(simulator: Simulator, headers: Any = VERSION, path: str = "/v1/messages", **fields: Any) -> Seen:
    document = {"model": MODEL, "max_tokens": 64, "messages": HELLO, **fields}
    left = {name: value for name, value in document.items() if value is not ...}
    return await once(simulator, left, path=path, headers=dict(headers))


def _plain(content: Any) -> list[dict[str, Any]]:
    """Blocks as the wire has them; the client adds what it parsed."""
    return [block.model_dump(exclude_none=True) for block in content]


async def test_an_answer_quotes_the_prompt_whole_and_streamed(client: AsyncAnthropic) -> None:
    whole = await client.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
    async with client.messages.stream(model=MODEL, max_tokens=500, messages=HELLO) as stream:
        streamed = await stream.get_final_message()
    assert _plain(streamed.content) == _plain(whole.content)
    assert f'"{PROMPT}"' in getattr(whole.content[0], "text", "")
    assert (whole.stop_reason, whole.role, whole.model) == ("end_turn", "assistant", MODEL)
    assert streamed.usage.output_tokens == whole.usage.output_tokens > 0
    assert whole.id.startswith("msg_01")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_reasons_to_stop(simulator: Simulator, stream: bool) -> None:
    async def ended(**fields: Any) -> tuple[Any, Any]:
        seen = await _raw(simulator, stream=stream, **fields)
        told = documents(seen)[-2]["delta"] if stream else seen.json
        return told["stop_reason"], told["stop_sequence"]

    assert await ended(max_tokens=3) == ("max_tokens", None)
    assert await ended(stop_sequences=["simulated"]) == ("stop_sequence", "simulated")
    assert await ended(max_tokens=500) == ("end_turn", None)
    assert await ended(tools=TOOLS, tool_choice={"type": "any"}) == ("tool_use", None)
    assert await ended(messages=[{"role": "user", "content": REFUSES}]) == ("refusal", None)


async def test_a_stream_has_the_events_of_the_wire_in_order(simulator: Simulator) -> None:
    seen = await _raw(simulator, stream=True, max_tokens=2)
    assert [each["type"] for each in documents(seen)] == [
        *("message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta"),
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert seen.body.count(b"event: ") == seen.body.count(b"data: ")
    assert documents(seen)[-2]["usage"]["output_tokens"] == 2


async def test_parallel_tools_are_called_and_their_results_are_used(client: AsyncAnthropic) -> None:
    messages: Any = [{"role": "user", "content": "Use get_weather for London, then get news."}]
    first = await client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert first.content[0].type == "text"
    assert [call.name for call in calls] == ["get_weather", "get_news"]
    assert calls[0].input == {"location": "London"}
    async with client.messages.stream(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS) as stream:
        streamed = await stream.get_final_message()
    assert [getattr(block, "input", None) for block in streamed.content] == [
        getattr(block, "input", None) for block in first.content
    ]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"result {n}"} for n, call in enumerate(calls)
    ]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = await client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=TOOLS)
    assert "result 0; result 1" in getattr(second.content[0], "text", "")


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, []),
        ({"type": "none"}, []),
        ({"type": "any"}, ["get_weather"]),
        ({"type": "tool", "name": "get_news"}, ["get_news"]),
    ],
)
async def test_tool_choice_decides(client: AsyncAnthropic, choice: Any, names: list[str]) -> None:
    said = await client.messages.create(model=MODEL, max_tokens=500, messages=HELLO, tools=TOOLS, tool_choice=choice)
    assert [block.name for block in said.content if block.type == "tool_use"] == names


async def test_thoughts_come_sealed_and_go_back_unchanged(client: AsyncAnthropic) -> None:
    asked: Any = {"model": MODEL, "max_tokens": 2_000, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    said = await client.messages.create(messages=HELLO, **asked)
    thought = said.content[0]
    assert thought.type == "thinking"
    assert PROMPT in thought.thinking
    async with client.messages.stream(messages=HELLO, **asked) as stream:
        assert _plain((await stream.get_final_message()).content) == _plain(said.content)
    more: Any = [*HELLO, {"role": "assistant", "content": said.content}, {"role": "user", "content": "And wasps?"}]
    again = await client.messages.create(messages=more, **asked)
    assert again.content[-1].type == "text"


@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": "I think.", "signature": "made-up"},
        {"type": "thinking", "thinking": "I think.", "signature": seal("anthropic", "I think!")},
        {"type": "thinking", "thinking": "I think.", "signature": seal("gemini", "I think.")},
        {"type": "redacted_thinking", "data": "made-up"},
    ],
)
async def test_a_seal_of_nobody_or_of_another_text_is_refused(simulator: Simulator, thought: Any) -> None:
    said = [thought, {"type": "text", "text": "Yes."}]
    seen = await _raw(simulator, messages=[*HELLO, {"role": "assistant", "content": said}, *HELLO])
    assert seen.status == 400
    assert seen.json["error"]["message"].startswith("messages.1.content.0: Invalid `")


async def test_newer_models_think_out_of_sight_unless_asked(simulator: Simulator) -> None:
    hidden = await _raw(simulator, model=NEWER, thinking={"type": "adaptive"})
    shown = await _raw(simulator, model=NEWER, thinking={"type": "adaptive", "display": "summarized"})
    assert [seen.json["content"][0]["thinking"] != "" for seen in (hidden, shown)] == [False, True]
    block = hidden.json["content"][0]
    back = [*HELLO, {"role": "assistant", "content": [block, {"type": "text", "text": "Yes."}]}, *HELLO]
    assert (await _raw(simulator, model=NEWER, messages=back)).status == 200
    assert hidden.json["usage"]["output_tokens_details"]["thinking_tokens"] > 0


async def test_thoughts_may_be_hidden_as_the_vendor_documents(simulator: Simulator) -> None:
    asked = [{"role": "user", "content": HIDES_THOUGHTS}]
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    seen = await _raw(simulator, messages=asked, max_tokens=2_000, thinking=thinking)
    block = seen.json["content"][0]
    assert block["type"] == "redacted_thinking"
    back = [*HELLO, {"role": "assistant", "content": [block]}, *HELLO]
    assert (await _raw(simulator, messages=back)).status == 200
    streamed = await _raw(simulator, messages=asked, max_tokens=2_000, thinking=thinking, stream=True)
    assert block in [each.get("content_block") for each in documents(streamed)]


async def test_structured_output_satisfies_its_schema(client: AsyncAnthropic) -> None:
    schema = {**WEATHER, "additionalProperties": False}
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    said = await client.messages.create(model=MODEL, max_tokens=500, messages=HELLO, output_config=config)
    assert getattr(said.content[0], "text", "") == '{"location":"Tell me about bees."}'


async def test_pictures_and_documents_are_taken_and_counted(simulator: Simulator) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    paper = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}
    plain = await _raw(simulator)
    seen = await _raw(
        simulator,
        messages=[{"role": "user", "content": [{"type": "text", "text": PROMPT}, picture, linked, paper]}],
    )
    assert seen.json["usage"]["input_tokens"] - plain.json["usage"]["input_tokens"] == 3 * 85


async def test_tokens_are_counted_as_they_are_used(client: AsyncAnthropic) -> None:
    asked: Any = {"model": MODEL, "messages": HELLO, "system": "Be kind.", "tools": TOOLS}
    counted = await client.messages.count_tokens(**asked)
    used = await client.messages.create(max_tokens=5, **asked)
    assert counted.input_tokens == used.usage.input_tokens > 0


async def test_marked_prompts_are_written_to_the_cache_and_read_from_it(simulator: Simulator) -> None:
    mark = {"type": "ephemeral"}
    system = [{"type": "text", "text": LONG, "cache_control": mark}]
    first, second = [(await _raw(simulator, system=system)).json["usage"] for _ in range(2)]
    assert (first["cache_creation_input_tokens"], first["cache_read_input_tokens"]) == (1_500, 0)
    assert (second["cache_creation_input_tokens"], second["cache_read_input_tokens"]) == (0, 1_500)
    assert first["input_tokens"] == second["input_tokens"] < 50
    assert first["cache_creation"] == {"ephemeral_5m_input_tokens": 1_500, "ephemeral_1h_input_tokens": 0}
    longer = [{"type": "text", "text": LONG, "cache_control": mark | {"ttl": "1h"}}]
    tools = [{**TOOLS[0], "description": "other"}]
    third = (await _raw(simulator, system=longer, tools=tools)).json["usage"]
    assert third["cache_creation"]["ephemeral_1h_input_tokens"] > 1_500
    short = [{"type": "text", "text": "short", "cache_control": mark}]
    assert (await _raw(simulator, system=short)).json["usage"]["cache_creation_input_tokens"] == 0


async def test_a_prefilled_answer_is_continued_where_the_model_lets_it(simulator: Simulator) -> None:
    whole = (await _raw(simulator)).json["content"][0]["text"]
    begun = [*HELLO, {"role": "assistant", "content": whole[:14]}]
    assert (await _raw(simulator, messages=begun)).json["content"][0]["text"].startswith(whole[14:30])
    assert "prefill" in (await _raw(simulator, model=NEWER, messages=begun)).json["error"]["message"]


# ---- what is refused

CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}
FORM = {"type": "json_schema", "schema": WEATHER}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "fine"}


def _turns(*contents: Any) -> list[Any]:
    return [
        {"role": "assistant" if place % 2 else "user", "content": content} for place, content in enumerate(contents)
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"messages": ...}, "messages: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({"frequency_penalty": 1}, "frequency_penalty: Extra inputs are not permitted"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["x"]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
        ({"messages": [{"role": "user", "content": "x", "name": "bee"}]}, "messages.0.name: Extra inputs"),
        ({"messages": _turns("x", "y")[1:]}, "first message must use the"),
        ({"messages": _turns("")}, "messages.0: all messages must have non-empty content"),
        ({"messages": _turns([{"type": "text", "text": ""}])}, "messages: text content blocks must be non-empty"),
        ({"messages": _turns([{"type": "bee"}])}, "messages.0.content.0.type: Input should be"),
        ({"messages": _turns([{"type": "text", "text": "x", "x": 1}])}, "messages.0.content.0.x: Extra inputs"),
        ({"messages": _turns([PICTURE])}, "messages.0.content.0.source.data: Input should be valid base64"),
        ({"messages": _turns([RESULT])}, "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
        ({"messages": _turns("x", [CALL], "y")}, "`tool_use` ids were found without `tool_result` blocks"),
        ({"messages": _turns("x", [CALL], [{"type": "text", "text": "y"}, RESULT])}, "`tool_use` ids were found"),
        ({"messages": _turns("x", [CALL, CALL], [RESULT])}, "`tool_use` ids must be unique"),
        ({"messages": _turns("x", [CALL], [RESULT, RESULT])}, "must have a single result"),
        ({"messages": _turns("x", "y  ")}, "cannot end with trailing whitespace"),
        ({"thinking": {"type": "enabled", "budget_tokens": 512}}, "thinking.budget_tokens: Input should be greater"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, "`max_tokens` must be greater than"),
        ({"thinking": {"type": "adaptive"}, "temperature": 0.5}, "`temperature` may only be set to 1"),
        ({"thinking": {"type": "adaptive"}, "tools": TOOLS, "tool_choice": {"type": "any"}}, "Thinking may not be"),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 1_024},
                "max_tokens": 2_000,
                "messages": _turns("x", [CALL], [RESULT]),
            },
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`",
        ),
        ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
        ({"temperature": 0.5, "top_p": 0.5}, "cannot both be specified"),
        ({"model": NEWER, "temperature": 0.5}, "`temperature` is not supported"),
        ({"model": NEWER, "top_k": 5}, "`top_k` is not supported"),
        ({"model": NEWER, "thinking": {"type": "enabled", "budget_tokens": 1_024}}, '"thinking.type.enabled" is not'),
        ({"stop_sequences": [" "]}, "each stop sequence must contain non-whitespace"),
        ({"tool_choice": {"type": "any"}}, "tool_choice: may only be specified while providing tools"),
        ({"tools": TOOLS, "tool_choice": {"type": "tool", "name": "bee"}}, "Tool 'bee' not found"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, "Tool names must be unique"),
        ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools.0.name: Input should be"),
        ({"tools": [{"name": "a"}]}, "tools.0.input_schema: Field required"),
        (
            {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5},
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        ({"output_format": {"type": "json_schema", "schema": {}}}, "output_format: Extra inputs"),
        ({"metadata": {"team": "a"}}, "metadata.team: Extra inputs"),
        ({"output_config": {"format": FORM}}, "output_config.format.schema: For 'object' type"),
        ({"tools": [{**TOOLS[0], "input_schema": WEATHER, "strict": True}]}, "tools.0.custom: For 'object' type"),
    ],
)
async def test_a_wrong_request_is_a_400_that_names_the_place(simulator: Simulator, fields: Any, told: str) -> None:
    seen = await _raw(simulator, **fields)
    assert (seen.status, seen.json["type"], seen.json["error"]["type"]) == (400, "error", "invalid_request_error")
    assert told in seen.json["error"]["message"]
    assert seen.json["request_id"] == seen.headers["request-id"]
    assert seen.headers["x-should-retry"] == "false"


DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 1},
        {"top_p": 0.9},
        {"top_k": 5},
        {"messages": _turns("x", [DOCUMENT], "y")},
        {"messages": _turns([CITED])},
    ],
)
async def test_the_latest_version_refuses_what_the_first_takes(simulator: Simulator, fields: Any) -> None:
    assert (await _raw(simulator, VERSION, **fields)).status == 200
    assert (await _raw(simulator, LATEST, **fields)).status == 400
    assert (await _raw(simulator, LATEST)).status == 200


@pytest.mark.parametrize(
    ("key", "headers", "status", "told"),
    [
        ("", VERSION, 401, "x-api-key header is required"),
        ("bad-key", VERSION, 401, "invalid x-api-key"),
        ("", {**VERSION, "x-api-key": "bad-key"}, 401, "invalid x-api-key"),
        ("", {**VERSION, "x-api-key": "key"}, 200, ""),
        ("key", {}, 400, "anthropic-version: header is required"),
        ("key", {"anthropic-version": "2020-01-01"}, 400, "is not a valid version"),
    ],
)
async def test_key_and_version_are_checked(
    simulator: Simulator, key: str, headers: Any, status: int, told: str
) -> None:
    document = {"model": MODEL, "max_tokens": 8, "messages": HELLO}
    seen = await once(simulator, document, path="/v1/messages", key=key, headers=headers)
    assert seen.status == status
    assert not told or told in seen.json["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/messages", 405),
        ("POST", "/v1/messages/batches", 404),
        ("GET", "/v1/models/no-such", 404),
        ("GET", "/v1/models/claude-opus-5-5", 200),
        ("POST", "/v1/messages?beta=true", 200),
    ],
)
async def test_routes(simulator: Simulator, method: str, path: str, status: int) -> None:
    document = {"model": MODEL, "max_tokens": 8, "messages": HELLO} if method == "POST" else None
    seen = await once(simulator, document, path=path, method=method, headers=VERSION)
    assert seen.status == status
    if status != 200:
        assert seen.json["type"] == "error"


async def test_an_unknown_model_is_a_404(simulator: Simulator) -> None:
    seen = await _raw(simulator, model="no-such-model")
    assert (seen.status, seen.json["error"]) == (404, {"type": "not_found_error", "message": "model: no-such-model"})


async def test_models_come_in_pages_with_their_lifecycle(client: AsyncAnthropic, simulator: Simulator) -> None:
    listed = [each async for each in client.models.list(limit=3)]
    assert "claude-opus-5-5" in [each.id for each in listed]
    assert "claude-3-haiku-20240307" not in [each.id for each in listed]
    seen = await once(simulator, path="/v1/models?lifecycle=retired", method="GET", headers=VERSION)
    assert {each["lifecycle"] for each in seen.json["data"]} == {"retired"}
    last = await once(simulator, path="/v1/models?limit=1&before_id=claude-opus-5", method="GET", headers=VERSION)
    assert [each["id"] for each in last.json["data"]] == ["claude-mythos-5-1"]
    assert (await once(simulator, path="/v1/models?limit=0", method="GET", headers=VERSION)).status == 400
    assert "object" in (await once(simulator, path="/v1/models", method="GET")).json


async def test_limits_are_told_in_the_wires_own_headers_and_enforced() -> None:
    options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=1, tokens_per_minute=10_000))
    async with await Simulator(options).start() as simulator:
        first, second = [await ANTHROPIC.ask(simulator) for _ in range(2)]
    names = [name for name in first.headers if name.startswith("anthropic-ratelimit-")]
    assert len(names) == 12
    assert first.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert first.headers["anthropic-ratelimit-input-tokens-limit"] == "10000"
    assert (second.status, second.json["error"]["type"]) == (429, "rate_limit_error")
    assert second.headers["retry-after"] == "60"
    assert second.headers["x-should-retry"] == "true"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("F24", anthropic.AuthenticationError),
        ("F24;status=403", anthropic.PermissionDeniedError),
        ("F25;status=404", anthropic.NotFoundError),
        ("F25;kind=context", anthropic.BadRequestError),
        ("F19", anthropic.RateLimitError),
        ("F22;kind=quota", anthropic.RateLimitError),
        ("F23", anthropic.InternalServerError),
        ("F23;status=529", anthropic.InternalServerError),
        ("F7", anthropic.APIConnectionError),
    ],
)
async def test_faults_reach_the_client_as_its_own_errors(
    client: AsyncAnthropic, fault: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client.messages.create(model=f"sim-{fault}", max_tokens=8, messages=HELLO)
