"""A stream of text that broke off is gone on with by another model, where its route says so: as one answer, marked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.core.record import Exchange
from oneflow_ai.simulator import Rule
from tests.app.continued import DIALECTS, Told, of_chat
from tests.app.gateway import KEY, MESSAGES, Gateway, Reply, running

NEXT = "next/claude-haiku-4-5"
NO_MORE: Mapping[str, str] = {}
# Of each way to break off within a stream: by a reset, without the mark of an end, by an error inside the stream.
CUTS = ("F13", "F14", "F18")
WIRES = ("openai", "anthropic")
OTHER = {"openai": "first", "anthropic": "claude"}
CALLING = [{"role": "user", "content": "Call get_weather for Paris."}]


@dataclass
class Bench:
    """A gateway that continues, and the record of each call as it ends."""

    gateway: Gateway
    records: list[Exchange]

    async def ask(self, dialect: str, model: str, key: str = KEY, **fields: Any) -> Reply:
        path, body = DIALECTS[dialect].asked(model, **fields)
        return await self.gateway.post(path, body, key=key)


def route(name: str, *targets: str, more: str = "continue_cut = true") -> str:
    """A route's table."""
    listed = ", ".join(f'"{target}"' for target in targets)
    return f'[routes."{name}"]\ntask = "text"\ntargets = [{listed}]\n{more}\n'


@asynccontextmanager
async def bench(
    home: Path, routes: str, retry: str = "attempts = 1", further: Mapping[str, str] = NO_MORE, **more: Any
) -> AsyncIterator[Bench]:
    """One in front of two OpenAI wires and two Anthropic wires, all played by one simulator."""
    kinds = {"first": "openai", "second": "openai", "claude": "anthropic", "next": "anthropic"}
    providers = {name: f'kind = "{kind}"\n' for name, kind in kinds.items()} | dict(further)
    async with running(home, providers=providers, configuration=f"[retry]\n{retry}\n{routes}", **more) as gateway:
        found = Bench(gateway, [])
        gateway.runtime.follow_with([found.records.append])
        yield found
        await gateway.quiet()


async def told(found: Bench, dialect: str, model: str, **fields: Any) -> Told:
    reply = await found.ask(dialect, model, **fields)
    assert reply.status == 200, reply.body
    return DIALECTS[dialect].told(reply)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_cut_after_any_event_the_answer_is_as_if_it_had_not_been(tmp_path: Path, dialect: str, wire: str) -> None:
    provider = OTHER[wire]
    async with bench(tmp_path, route("plain", NEXT, more="")) as found:
        whole = await told(found, dialect, "plain")
    events = -(-len(whole.text) // 4)
    assert whole.whole
    assert events > 20
    places = [(cut, point) for cut in CUTS for point in range(1, events)]
    routes = "".join(route(f"{cut}-{point}", f"{provider}/sim-{cut}@event:{point}", NEXT) for cut, point in places)
    async with bench(tmp_path, routes) as found:
        every = await asyncio.gather(*(told(found, dialect, f"{cut}-{point}") for cut, point in places))
        for place, seen in zip(places, every, strict=True):
            assert seen.text == whole.text, place
            # A reset overtakes what was not read yet: where all of it was lost, the next model answers alone.
            alone = place[0] == "F13" and seen.seams == ()
            assert (seen.whole, alone or seen.seams == (NEXT,)) == (True, True), place
        assert len(found.records) == len(places)
        for record in found.records:
            assert [attempt.outcome == "ok" for attempt in record.attempts] == [False, True], record.call.model
            assert record.outcome == "ok"
            assert record.usage is not None
            assert record.usage.output_tokens >= events, record.call.model


async def test_the_example_of_the_documentation_goes_on_and_is_marked_as_it_says(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs/reference/configuration.md"
    section = (
        page.read_text("utf-8").partition("\n### Going on with an answer that broke off\n")[2].partition("\n### ")[0]
    )
    ((example, mark),) = re.findall(r"```toml\n(.*?)```.*```json\n(.*?)```", section, re.DOTALL)
    providers = {kind: f'kind = "{kind}"\n' for kind in WIRES}
    async with running(tmp_path, providers=providers, configuration=example) as gateway:
        gateway.simulator.rules = (Rule(fault="F13@event:5", model="gpt-6-luna"),)
        reply = await gateway.chat("story", stream=True)
        told = [event["oneflow"] for event in reply.events() if isinstance(event, dict) and "oneflow" in event]
        assert [{"oneflow": each} for each in told] == [orjson.loads(mark)]
        assert reply.events()[-1] == b"[DONE]"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_without_the_setting_nobody_goes_on(tmp_path: Path, dialect: str) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT, more="")) as found:
        seen = await told(found, dialect, "r")
        assert (seen.whole, seen.seams) == (False, ())
        assert len(found.records[0].attempts) == 1
        assert found.records[0].outcome == "upstream_stream_interrupted"


NEVER: dict[str, dict[str, Any]] = {
    "several": {"n": 2},
    "json": {"response_format": {"type": "json_object"}},
    "probabilities": {"logprobs": True},
    "conversation of tools": {
        "messages": [
            *MESSAGES,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "4"},
            *MESSAGES,
        ]
    },
    "begun by the client": {"messages": [*MESSAGES, {"role": "assistant", "content": "The sea"}]},
}


@pytest.mark.parametrize("case", NEVER)
async def test_what_is_not_one_text_is_never_gone_on_with(tmp_path: Path, case: str) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT)) as found:
        reply = await found.ask("chat", "r", **NEVER[case])
        assert b"upstream_stream_interrupted" in reply.body
        assert b"continued_by" not in reply.body
        assert len(found.records[0].attempts) == 1


@pytest.mark.parametrize("fault", CUTS)
# Gemini's tells calls whole: who got none of one that broke off has nothing of it to see.
@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "gemini"])
async def test_an_answer_with_tools_is_never_gone_on_with(tmp_path: Path, dialect: str, fault: str) -> None:
    points, ends = (1, 2, 3), list[bool]()
    routes = "".join(route(f"r{point}", f"first/sim-{fault}@event:{point}", NEXT) for point in points)
    async with bench(tmp_path, routes) as found:
        for point in points:
            calling: dict[str, Any] = {"input" if dialect == "responses" else "messages": CALLING}
            reply = await found.ask(dialect, f"r{point}", tools=DIALECTS[dialect].tools, **calling)
            assert b"get_weather" in reply.body
            assert b"continued_by" not in reply.body
            ends.append(b"response.failed" in reply.body or b'"error":{' in reply.body)
        outcomes = [[attempt.outcome == "ok" for attempt in record.attempts] for record in found.records]
        # What broke off was left at that. Who had nothing of it yet may be given another's whole answer.
        assert outcomes == [[False] if broken else [False, True] for broken in ends]
        assert any(ends)


async def test_a_response_that_its_provider_may_keep_is_never_gone_on_with(tmp_path: Path) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT)) as found:
        reply = await found.ask("responses", "r", store=True)
        assert b"response.failed" in reply.body
        assert b"continued_by" not in reply.body


async def test_thoughts_are_never_gone_on_with(tmp_path: Path) -> None:
    async with bench(tmp_path, route("r", "claude/sim-F13@event:12", NEXT)) as found:
        thinking: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 4_000}
        reply = await found.ask("messages", "r", **thinking)
        assert b"thinking_delta" in reply.body
        assert b"event: error" in reply.body
        assert b"continued_by" not in reply.body


async def test_a_model_that_begins_each_answer_itself_is_passed_over(tmp_path: Path) -> None:
    routes = route("both", "first/sim-F13@event:5", "claude/claude-sonnet-5", "second/m", NEXT)
    async with bench(tmp_path, routes + route("none", "first/sim-F13@event:5", "claude/claude-sonnet-5")) as found:
        assert (await told(found, "chat", "both")).seams == (NEXT,)
        seen = await told(found, "chat", "none")
        assert (seen.whole, seen.seams) == (False, ())
        assert found.gateway.wire_attempts("claude-sonnet-5") == 0
        assert found.gateway.wire_attempts("m") == 0


async def test_who_goes_on_may_break_off_too(tmp_path: Path) -> None:
    # The same simulated models at further places: each is known to take prefill by its name.
    names = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")
    places = [f"next/{name}" for name in names]
    async with bench(tmp_path, route("plain", NEXT, more="") + route("r", "first/sim-F13@event:3", *places)) as found:
        whole = await told(found, "chat", "plain")
        for breaking in range(4):
            found.gateway.simulator.rules = tuple(Rule(fault="F13@event:4", model=name) for name in names[:breaking])
            seen = await told(found, "chat", "r")
            # Two at most go on, however many could.
            assert seen.seams == tuple(places[: min(breaking + 1, 2)])
            assert seen.whole is (breaking < 2)
            assert seen.text == whole.text if breaking < 2 else whole.text.startswith(seen.text)


async def test_who_cannot_go_on_at_once_is_asked_again_in_time(tmp_path: Path) -> None:
    retry = "attempts = 2\njitter = false"
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT), retry=retry) as found:
        found.gateway.simulator.rules = (Rule(fault="F23;status=503;times=1", model="claude-haiku-4-5"),)
        seen = await told(found, "chat", "r")
        assert (seen.whole, seen.seams) == (True, (NEXT,))
        assert [attempt.outcome for attempt in found.records[0].attempts] == [
            "upstream_stream_interrupted", "upstream_overloaded", "ok",
        ]  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_where_nobody_goes_on_the_client_is_told_why_it_broke_off(tmp_path: Path, dialect: str) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT)) as found:
        found.gateway.simulator.rules = (Rule(fault="F23;status=503", model="claude-haiku-4-5"),)
        reply = await found.ask(dialect, "r")
        assert b"upstream_stream_interrupted" in reply.body
        assert b"continued_by" not in reply.body
        (record,) = found.records
        assert record.outcome == "upstream_stream_interrupted"
        # What the client got is paid for, as without the setting.
        assert record.cost_nanos > 0
        assert record.served is not None
        assert record.served.provider == "first"


async def test_both_parts_are_paid_for_each_at_its_own_price(tmp_path: Path) -> None:
    async with bench(tmp_path, route("r", "first/sim-F14@event:7", NEXT)) as found:
        seen = await told(found, "chat", "r")
        (record,) = found.records
        usage = record.usage
        assert usage is not None
        # All places here cost 1 and 2 dollars a million.
        assert record.cost_nanos == 1_000 * usage.input_tokens + 2_000 * usage.output_tokens
        assert seen.cost == pytest.approx(record.cost_nanos / 1e9)
        # The first told nothing before it broke off, so that the sum is an estimate.
        assert (usage.source, record.estimated) == ("estimated", True)
        assert usage.output_tokens == -(-len(seen.text) // 4) or usage.output_tokens == -(-len(seen.text) // 4) + 1


async def test_the_rest_has_only_the_tokens_that_are_left(tmp_path: Path) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:7", NEXT)) as found:
        reply = await found.ask("chat", "r", max_tokens=12)
        text = of_chat(reply).text
        assert 4 * 12 - 1 <= len(text) <= 4 * 12
        assert reply.body.count(b'"finish_reason":"length"') == 1


async def test_a_key_without_enough_for_the_rest_is_told_why_it_broke_off(tmp_path: Path) -> None:
    accounts = {KEY: Account("key_test", requests_per_minute=1)}
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT), accounts=accounts) as found:
        seen = await told(found, "chat", "r")
        assert (seen.whole, seen.seams) == (False, ())
        assert found.gateway.wire_attempts("claude-haiku-4-5") == 0
        assert found.records[0].outcome == "upstream_stream_interrupted"


async def test_a_key_for_one_call_at_once_may_go_on(tmp_path: Path) -> None:
    accounts = {KEY: Account("key_test", concurrency=1)}
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT), accounts=accounts) as found:
        for _ in range(3):
            assert (await told(found, "chat", "r")).whole


async def test_the_rest_ends_by_the_calls_deadline(tmp_path: Path) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT)) as found:
        # It goes on, and then falls silent.
        found.gateway.simulator.rules = (Rule(fault="F12@event:3;kind=pings", model="claude-haiku-4-5"),)
        since = asyncio.get_running_loop().time()
        spoken = DIALECTS["chat"]
        body = orjson.dumps({"model": "r", "stream": True, **spoken.fields})
        reply = await found.gateway.post(spoken.path, body, {"x-oneflow-timeout-ms": "1000"})
        assert asyncio.get_running_loop().time() - since < 1.5
        assert of_chat(reply).seams == (NEXT,)
        assert b'"code":"upstream_idle_timeout"' in reply.body
        assert len(found.records[0].attempts) == 2


async def test_after_silence_another_goes_on(tmp_path: Path) -> None:
    silent = {"silent": 'kind = "openai"\nidle_seconds = 0.2\n'}
    async with bench(tmp_path, route("r", "silent/sim-F12@event:5;kind=pings", NEXT), further=silent) as found:
        seen = await told(found, "chat", "r")
        assert (seen.whole, seen.seams) == (True, (NEXT,))
        assert found.records[0].attempts[0].outcome == "upstream_idle_timeout"


async def test_a_client_that_leaves_while_another_goes_on_pays_for_both_parts(tmp_path: Path) -> None:
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", NEXT)) as found:
        found.gateway.simulator.rules = (Rule(fault="F12@event:3;kind=pings", model="claude-haiku-4-5"),)
        spoken = DIALECTS["chat"]
        body = orjson.dumps({"model": "r", "stream": True, **spoken.fields})
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        async with found.gateway.session.post(found.gateway.url + spoken.path, data=body, headers=headers) as answer:
            came = b""
            while b"continued_by" not in came:
                came += await answer.content.readany()
            await asyncio.sleep(0.05)
            answer.close()
        await found.gateway.quiet()
        (record,) = found.records
        assert [attempt.outcome for attempt in record.attempts] == ["upstream_stream_interrupted", "client_closed"]
        assert record.usage is not None
        assert record.usage.output_tokens >= 8
        assert record.cost_nanos > 0


async def test_what_the_simulator_makes_up_is_never_mixed_with_a_real_answer(tmp_path: Path) -> None:
    more = "continue_cut = true\nsimulate_last = true"
    async with bench(tmp_path, route("r", "first/sim-F13@event:5", more=more)) as found:
        seen = await told(found, "chat", "r")
        assert (seen.whole, seen.seams) == (False, ())
