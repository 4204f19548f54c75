"""Another provider answers while nothing has been sent; after that the answer is one provider's alone."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import orjson
import pytest

from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from tests.app.gateway import Gateway, Reply, running

BEFORE_CONTENT = (
    "F6", "F7", "F13@event:0", "F14@event:0", "F17", "F17;status=429", "F19;after=30", "F22", "F22;kind=quota", "F23",
    "F23;status=503", "F24", "F26", "F27", "F28", "F31", "F41",
)  # fmt: skip
WITHIN_CONTENT = tuple(
    f"{fault}@event:{index}" for fault in ("F13", "F14", "F18") for index in (1, 2, 3, 4, 5, 8, 13, 21)
)
# What a provider may send and then stall: an error whose body does not end, half of a whole answer.
STALLED = {
    "error": b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    "half": b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"id": "x"',
}
FINAL = ("F25", "F25;status=413", "F25;status=422")


def _configuration(faults: tuple[str, ...]) -> str:
    routes = "[retry]\nattempts = 1\n"
    for number, fault in enumerate(faults):
        routes += f'[routes."r{number}"]\ntask = "text"\ntargets = ["a{number}/sim-{fault}", "b/gpt-6-luna"]\n'
    return routes


def _providers(faults: tuple[str, ...]) -> dict[str, str]:
    return {**{f"a{number}": "" for number in range(len(faults))}, "b": ""}


async def _ask(gateway: Gateway, faults: tuple[str, ...], *, stream: bool) -> list[Reply]:
    return await asyncio.gather(*(gateway.chat(f"r{number}", stream=stream) for number in range(len(faults))))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_before_the_first_content_the_next_provider_answers(tmp_path: Path, stream: bool) -> None:
    faults = tuple(fault for fault in BEFORE_CONTENT if stream or "event" not in fault)
    async with running(tmp_path, providers=_providers(faults), configuration=_configuration(faults)) as gateway:
        expected = (await gateway.chat("b/gpt-6-luna", stream=stream)).text()
        for fault, reply in zip(faults, await _ask(gateway, faults, stream=stream), strict=True):
            assert reply.status == 200, fault
            assert reply.headers["x-oneflow-provider"] == "b", fault
            assert reply.headers["x-oneflow-attempts"] == "2", fault
            assert reply.text() == expected, fault
        await gateway.quiet()


async def test_only_tries_that_reached_a_provider_are_told(tmp_path: Path) -> None:
    """Stability makes one picture at a time: that is known before anything is sent."""
    providers = {"stability": 'kind = "stability"', "openai": ""}
    async with running(tmp_path, providers=providers) as gateway:
        for models, status, attempts in (([], 400, "0"), (["openai/gpt-image-2"], 200, "1")):
            body = {"model": "stability/stable-image-core", "prompt": "A cat", "n": 2, "models": models or None}
            reply = await gateway.post("/v1/images/generations", orjson.dumps(body))
            assert (reply.status, reply.headers["x-oneflow-attempts"]) == (status, attempts), reply.body[:300]
        assert sum(gateway.simulator.record.counts.by_model.values()) == 1


async def test_after_the_first_content_nobody_else_is_asked(tmp_path: Path) -> None:
    faults = WITHIN_CONTENT
    async with running(tmp_path, providers=_providers(faults), configuration=_configuration(faults)) as gateway:
        expected = (await gateway.chat("b/gpt-6-luna", stream=True)).text()
        asked = gateway.wire_attempts("gpt-6-luna")
        for fault, reply in zip(faults, await _ask(gateway, faults, stream=True), strict=True):
            events = reply.events()
            assert "error" in events[-1], fault
            assert b"[DONE]" not in events, fault
            assert expected.startswith(reply.text()), fault
            assert reply.headers["x-oneflow-attempts"] == "1", fault
        assert gateway.wire_attempts("gpt-6-luna") == asked
        await gateway.quiet()


@pytest.mark.parametrize(("sent", "stream"), [("error", False), ("error", True), ("half", False)])
async def test_a_body_that_stalls_gives_way_to_the_next_provider(tmp_path: Path, sent: str, stream: bool) -> None:
    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STALLED[sent])
        await reader.read()
        writer.close()

    async with await asyncio.start_server(stalls, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        providers = {"a": f'base_url = "http://127.0.0.1:{port}/v1"\nidle_seconds = 1.0', "b": ""}
        routes = '[retry]\nattempts = 1\n[routes.r]\ntask = "text"\ntargets = ["a/m", "b/gpt-6-luna"]\n'
        async with running(tmp_path, providers=providers, configuration=routes) as gateway:
            began = asyncio.get_running_loop().time()
            reply = await gateway.chat("r", stream=stream, headers={"x-oneflow-timeout-ms": "8000"})
            assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "b")
            assert reply.headers["x-oneflow-attempts"] == "2"
            assert asyncio.get_running_loop().time() - began < 3.5
            await gateway.quiet()


CUT = (
    b'data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"A"}}]}\n\n'
)
TOLD = b'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n'


@pytest.mark.parametrize(
    ("body", "end", "code", "connections_opened"),
    [
        (CUT, b"0\r\n\r\n", b"upstream_stream_interrupted", 2),
        (CUT + b"data: nonsense\n\n", b"0\r\n\r\n", b"upstream_stream_interrupted", 2),
        (CUT + TOLD, b"0\r\n\r\n", b"upstream_error", 1),
        (CUT + TOLD, b"", b"upstream_error", 2),
    ],
    ids=["cut", "nonsense", "told", "told and not ended"],
)
async def test_a_connection_is_kept_when_a_stream_that_ended_told_why_it_failed(
    tmp_path: Path, body: bytes, end: bytes, code: bytes, connections_opened: int
) -> None:
    connections = 0

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                kind = b"content-type: text/event-stream\r\ntransfer-encoding: chunked"
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%x\r\n%b\r\n%b" % (kind, len(body), body, end))
        writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        provider = f'base_url = "http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"'
        async with running(tmp_path, providers={"a": provider}) as gateway:
            for _ in range(2):
                reply = await gateway.chat("a/m", stream=True)
                assert code in reply.body
            assert connections == connections_opened
            await gateway.quiet()


async def test_a_request_the_provider_refuses_is_not_offered_to_others(tmp_path: Path) -> None:
    async with running(tmp_path, providers=_providers(FINAL), configuration=_configuration(FINAL)) as gateway:
        for fault, reply in zip(FINAL, await _ask(gateway, FINAL, stream=False), strict=True):
            assert 400 <= reply.status < 500, fault
            assert reply.headers["x-oneflow-attempts"] == "1"
        assert gateway.wire_attempts("gpt-6-luna") == 0


async def test_a_body_names_its_own_chain(tmp_path: Path) -> None:
    providers = {"a": "", "b": ""}
    async with running(tmp_path, providers=providers, configuration="[retry]\nattempts = 1\n") as gateway:
        reply = await gateway.chat("a/sim-F23", models=["b/gpt-6-luna"])
        assert reply.status == 200
        assert reply.headers["x-oneflow-provider"] == "b"


async def test_the_first_failure_is_retried_and_the_second_try_answers(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[retry]\njitter = true\n") as gateway:
        reply = await gateway.chat("sim/sim-F23;times=1")
        assert reply.status == 200
        assert reply.headers["x-oneflow-attempts"] == "2"
        assert gateway.wire_attempts("sim-F23;times=1") == 2


async def test_the_simulator_may_end_a_chain_marked_and_free(tmp_path: Path) -> None:
    configuration = (
        '[retry]\nattempts = 1\n[routes.safe]\ntask = "text"\ntargets = ["sim/sim-F23"]\nsimulate_last = true\n'
    )
    async with running(tmp_path, configuration=configuration) as gateway:
        reply = await gateway.chat("safe")
        assert reply.status == 200
        assert reply.headers["x-oneflow-simulated"] == "true"
        assert reply.headers["x-oneflow-cost-usd"] == "0"


async def test_what_a_later_target_cannot_do_does_not_hide_why_the_first_one_failed(tmp_path: Path) -> None:
    providers = {"a": "", "c": 'kind = "anthropic"\n'}
    configuration = '[retry]\nattempts = 1\n[routes.r]\ntask = "text"\ntargets = ["a/sim-F23", "c/claude-haiku-5-5"]\n'
    async with running(tmp_path, providers=providers, configuration=configuration) as gateway:
        reply = await gateway.chat("r", n=2)
        assert (reply.status, reply.code) == (502, "upstream_error")
        alone = await gateway.chat("c/claude-haiku-5-5", n=2)
        assert (alone.status, alone.code) == (400, "unsupported_parameter")


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "bedrock"])
@pytest.mark.parametrize("dialect", ["/v1/chat/completions", "/v1/messages"])
async def test_a_prompt_that_is_too_long_for_one_model_goes_on_to_a_longer_one(
    tmp_path: Path, kind: str, dialect: str
) -> None:
    """Each wire tells it in its own words; the chain is the route's, or the body's own in any dialect."""
    wire = {"openai": "/v1", "gemini": "/v1beta"}.get(kind, "")
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        providers = {"a": f'kind = "{kind}"\nbase_url = "{simulator.origin}{wire}"', "b": ""}
        routes = (
            '[retry]\nattempts = 1\n[routes.r]\ntask = "text"\ntargets = ["a/sim-F25;kind=context", "b/gpt-6-luna"]\n'
        )
        async with running(tmp_path, providers=providers, configuration=routes) as gateway:
            asked = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
            for chain in (
                {"model": "r"},
                {"model": "a/sim-F25;kind=context", "models": ["b/gpt-6-luna"]},
                {"model": "a/sim-F25;kind=context", "fallbacks": ["b/gpt-6-luna"]},
            ):
                reply = await gateway.post(dialect, orjson.dumps({**asked, **chain}))
                assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "b"), reply.body
                assert reply.headers["x-oneflow-attempts"] == "2"
            assert gateway.wire_attempts("gpt-6-luna") == 3


async def test_a_prompt_goes_to_no_model_that_is_known_to_be_too_short_for_it(tmp_path: Path) -> None:
    """`gpt-4` takes 8,192 tokens, `gpt-4.1` a million; with nothing else left the provider is asked all the same."""
    configuration = (
        '[retry]\nattempts = 1\n[routes.r]\ntask = "text"\ntargets = ["sim/gpt-4", "sim/gpt-4.1"]\n'
        '[routes.short]\ntask = "text"\ntargets = ["sim/gpt-4", "sim/gpt-4-0613"]\n'
    )
    async with running(tmp_path, configuration=configuration) as gateway:
        long = [{"role": "user", "content": "word " * 40_000}]
        reply = await gateway.chat("r", messages=long, max_tokens=5)
        assert (reply.status, reply.headers["x-oneflow-model"]) == (200, "gpt-4.1")
        assert (gateway.wire_attempts("gpt-4"), gateway.wire_attempts("gpt-4.1")) == (0, 1)
        await gateway.chat("short", messages=long, max_tokens=5)
        assert gateway.wire_attempts("gpt-4") == 1
