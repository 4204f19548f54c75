"""P6: where the provider goes on without its client, so does the gateway, to know what it bills."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from oneflow_ai.core.events import Usage
from oneflow_ai.core.record import Exchange
from oneflow_ai.simulator import Pace, SimulatorOptions
from tests.app.gateway import KEY, Gateway, running
from tests.app.test_hang_up import _hang_up as hang_up

SLOW = SimulatorOptions(pace=Pace(first_token_seconds=0.3, tokens_per_second=100.0, whole_seconds_most=1.0))
PRICE = '[prices."sim/gpt-6-luna"]\ninput_usd_per_million_tokens = 1.0\noutput_usd_per_million_tokens = 2.0\n'


async def left(gateway: Gateway, *, stream: bool, after_bytes: int) -> Exchange:
    """The record of a call whose client has hung up."""
    records = asyncio.Queue[Exchange]()
    gateway.runtime.follow_with([records.put_nowait])
    await hang_up(gateway, "sim/gpt-6-luna", stream=stream, after_bytes=after_bytes, seconds=0.15)
    async with asyncio.timeout(8.0):
        return await records.get()


@pytest.mark.parametrize(("stream", "after_bytes"), [(True, 400), (True, 0), (False, 0)])
async def test_what_goes_on_is_read_to_its_end_and_settled_exactly(
    tmp_path: Path, stream: bool, after_bytes: int
) -> None:
    async with running(tmp_path, options=SLOW, providers={"sim": 'kind = "groq"\n'}, configuration=PRICE) as gateway:
        exchange = await left(gateway, stream=stream, after_bytes=after_bytes)
        assert exchange.outcome == "client_closed"
        assert exchange.usage is not None
        assert exchange.usage.source == "provider"
        assert not exchange.estimated
        assert exchange.cost_nanos > 0
        await gateway.quiet()
        assert gateway.runtime.engine.reading_on.answers == 0


@pytest.mark.parametrize("bound", ["seconds_most", "answers_most"])
async def test_beyond_its_bounds_an_answer_is_cut_and_estimated(tmp_path: Path, bound: str) -> None:
    async with running(tmp_path, options=SLOW, providers={"sim": 'kind = "groq"\n'}, configuration=PRICE) as gateway:
        setattr(gateway.runtime.engine.reading_on, bound, 0)
        exchange = await left(gateway, stream=True, after_bytes=400)
        assert exchange.outcome == "client_closed"
        assert exchange.estimated
        assert exchange.cost_nanos > 0
        await gateway.quiet()


async def test_the_end_of_the_drain_ends_it_and_it_is_still_paid_for(tmp_path: Path) -> None:
    records: list[Exchange] = []
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.05, tokens_per_second=5.0, whole_seconds_most=60.0))
    async with running(tmp_path, options=slow, providers={"sim": 'kind = "groq"\n'}, configuration=PRICE) as gateway:
        gateway.runtime.follow_with([records.append])
        await hang_up(gateway, "sim/gpt-6-luna", stream=True, after_bytes=400)
        while not gateway.runtime.engine.reading_on.answers:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.005)
        engine = gateway.runtime.engine
    (exchange,) = records
    assert exchange.outcome == "client_closed"
    assert exchange.estimated
    assert exchange.cost_nanos > 0
    assert (engine.calls_open, engine.reading_on.answers) == (0, 0)


# ---- what is not told in tokens as it comes

PICTURES = '[prices."sim/gpt-image-2"]\ninput_usd_per_million_tokens = 5\noutput_usd_per_million_tokens = 30\n'
PICTURES += '[prices."stab/stable-image-core"]\nusd_per_image = 0.03\n'
MAKERS = {"sim": 'kind = "openai"\n', "stab": 'kind = "stability"\n'}
TALK = SimulatorOptions(pace=Pace(first_token_seconds=0.2, tokens_per_second=5.0, whole_seconds_most=60.0))


async def walk_out(
    gateway: Gateway, path: str, body: object, *, after_bytes: int = 0, seconds: float = 0.0
) -> Exchange:
    """The record of a call to any address whose client has hung up."""
    records = asyncio.Queue[Exchange]()
    gateway.runtime.follow_with([records.put_nowait])
    content = orjson.dumps(body)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
    if after_bytes:
        await reader.readexactly(after_bytes)
    await asyncio.sleep(seconds)
    writer.transport.abort()
    async with asyncio.timeout(8.0):
        return await records.get()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "bound", "cost_nanos"),
    [
        ("sim/gpt-image-2", None, 3 * 5_000 + 196 * 30_000),
        # Beyond the bounds: three tokens of prompt and more, as the body's bytes make them, and all that is held.
        ("sim/gpt-image-2", "seconds_most", 472 * 30_000),
        ("sim/gpt-image-2", "answers_most", 472 * 30_000),
        ("stab/stable-image-core", None, 30_000_000),
        ("stab/stable-image-core", "answers_most", 30_000_000),
    ],
)
async def test_a_picture_that_is_left_is_paid_for(
    tmp_path: Path, model: str, bound: str | None, cost_nanos: int, stream: bool
) -> None:
    async with running(tmp_path, options=SLOW, providers=MAKERS, configuration=PICTURES) as gateway:
        if bound is not None:
            setattr(gateway.runtime.engine.reading_on, bound, 0)
        asked = {"model": model, "prompt": "a cat on a", "size": "1024x1024", "quality": "low", "stream": stream}
        exchange = await walk_out(gateway, "/v1/images/generations", asked, seconds=0.15)
        assert exchange.outcome == "client_closed"
        assert exchange.usage is not None and exchange.usage.images == 1
        assert exchange.estimated is (bound is not None)
        prompt_nanos = exchange.usage.input_tokens * 5_000 if bound is not None else 0
        assert exchange.cost_nanos == cost_nanos + prompt_nanos
        await gateway.quiet()
        assert gateway.runtime.engine.reading_on.answers == 0


async def test_a_picture_that_its_provider_could_not_make_costs_who_left_it_nothing(tmp_path: Path) -> None:
    configuration = f"{PICTURES}[retry]\nattempts = 1\n"
    async with running(tmp_path, options=SLOW, providers=MAKERS, configuration=configuration) as gateway:
        asked = {"model": "sim/sim-F13;after=0.5", "prompt": "a cat"}
        exchange = await walk_out(gateway, "/v1/images/generations", asked, seconds=0.15)
        assert (exchange.outcome, exchange.cost_nanos) == ("client_closed", 0)
        await gateway.quiet()


@pytest.mark.parametrize("after_bytes", [0, 1_500])
@pytest.mark.parametrize("ending", ["", "/stream", "/stream/with-timestamps"])
async def test_speech_whose_bill_is_known_is_left_at_once(tmp_path: Path, ending: str, after_bytes: int) -> None:
    providers = {"elevenlabs": 'kind = "elevenlabs"\n'}
    text = "Bees dance to tell where the flowers are. " * 20
    configuration = '[prices."elevenlabs/eleven_v3"]\nusd_per_million_characters = 80\n'
    async with running(tmp_path, options=TALK, providers=providers, configuration=configuration) as gateway:
        began = asyncio.get_running_loop().time()
        path = f"/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb{ending}"
        asked = {"model_id": "elevenlabs/eleven_v3", "text": text}
        exchange = await walk_out(gateway, path, asked, after_bytes=after_bytes, seconds=0.05)
        assert asyncio.get_running_loop().time() - began < 1.0
        assert exchange.outcome == "client_closed"
        assert exchange.usage == Usage(characters=len(text))
        await gateway.quiet()
        assert gateway.runtime.engine.reading_on.answers == 0
