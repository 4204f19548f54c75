"""A provider's own limit and its failure, as the official client tells them, sync and async, whole and stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from oneflow_ai.simulator import FAST, Limits, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.clients.serving import serving

pytestmark = pytest.mark.clients

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello to the sea."}]
WAYS = ("sync-whole", "sync-stream", "async-whole", "async-stream")
MODEL = "gpt-6-luna"
# A try of each target and one more, a second later.
ATTEMPTS = 2
CONFIGURATION = f"[models]\nrefresh_hours = 0\n[retry]\nattempts = {ATTEMPTS}\njitter = false\n"
# Less than the provider's minute: it is of no use to wait for it.
TIMEOUT = {"x-oneflow-timeout-ms": "20000"}
PROVIDER = '[providers.{name}]\nkind = "openai"\nbase_url = "{url}"\napi_key = "env:{variable}"\n'
PROVIDER += '[prices."{name}/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
ROUTE = '[routes."falling-{way}"]\ntask = "text"\ntargets = ["first-{way}/{first}", "second-{way}/{second}"]\n'


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: its address and key, the keys of its providers, and the simulators behind them."""

    url: str
    key: str
    secrets: dict[str, str]
    narrow: ThreadedSimulator
    wide: ThreadedSimulator


def failing(way: str) -> tuple[str, str]:
    """The models of the two targets of a way's route: both fail, each in words of its own."""
    place = WAYS.index(way) + 1
    # A `times` that is never reached only tells one name from another.
    return f"sim-F23;times={90 + place}", f"sim-F23;status=500;times={90 + place}"


def requests(simulator: ThreadedSimulator, model: str) -> int:
    """How many requests for this model reached a simulator."""
    return simulator.do(lambda real: real.record.counts.by_model[model])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    narrow_options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=1))
    with run_in_thread(narrow_options) as narrow, run_in_thread(SimulatorOptions(pace=FAST)) as wide:
        text, secrets = CONFIGURATION, {}
        # A key and a place each: a provider's limit is its key's, and one that fails is left alone for a while.
        for number, way in enumerate(WAYS):
            for name, simulator in (("limited", narrow), ("first", wide), ("second", wide)):
                variable = f"SECRET_{name.upper()}_{number}"
                secrets[variable] = f"sk-secret-of-{name}-{way}"
                text += PROVIDER.format(name=f"{name}-{way}", url=simulator.base_url, variable=variable)
            first, second = failing(way)
            text += ROUTE.format(way=way, first=first, second=second)
        (home / "oneflow.toml").write_text(text)
        with serving(home, secrets) as (url, key):
            yield Server(url, key, secrets, narrow, wide)


def failure(server: Server, way: str, model: str) -> openai.APIStatusError:
    """What the client raises as one asks in this way."""
    base_url, key, stream = server.url + "/v1", server.key, way.endswith("stream")

    def ask() -> None:
        with OpenAI(base_url=base_url, api_key=key) as client:
            client.chat.completions.create(model=model, messages=HELLO, stream=stream, extra_headers=TIMEOUT)

    async def ask_async() -> None:
        async with AsyncOpenAI(base_url=base_url, api_key=key) as client:
            await client.chat.completions.create(model=model, messages=HELLO, stream=stream, extra_headers=TIMEOUT)

    with pytest.raises(openai.APIStatusError) as caught:
        asyncio.run(ask_async()) if way.startswith("async") else ask()
    return caught.value


def check_told(server: Server, error: openai.APIStatusError) -> None:
    """It has an id, is not asked again by the client, and tells nobody's secret."""
    headers = error.response.headers
    assert error.request_id
    assert error.request_id == headers["x-request-id"]
    assert headers["x-should-retry"] == "false"
    assert error.response.request.headers["x-stainless-retry-count"] == "0"
    told = f"{error!r} {error.body} {headers}"
    assert not [secret for secret in (*server.secrets.values(), server.key) if secret in told]


@pytest.mark.parametrize("way", WAYS)
def test_a_providers_limit_is_a_rate_limit_error(server: Server, way: str) -> None:
    secret = server.secrets[f"SECRET_LIMITED_{WAYS.index(way)}"]
    with OpenAI(base_url=server.narrow.base_url, api_key=secret) as somebody_else:
        # The provider's one request of this minute is spent.
        somebody_else.chat.completions.create(model=MODEL, messages=HELLO)
    before = requests(server.narrow, MODEL)

    error = failure(server, way, f"limited-{way}/{MODEL}")
    assert type(error) is openai.RateLimitError
    assert (error.status_code, error.code, error.type, error.param) == (
        429,
        "upstream_rate_limited",
        "rate_limit_error",
        None,
    )
    assert "Rate limit reached on requests per min" in error.message
    seconds, milliseconds = (float(error.response.headers[name]) for name in ("retry-after", "retry-after-ms"))
    assert 20 < seconds <= 61
    assert seconds - 1 <= milliseconds / 1000 <= seconds
    assert error.response.headers["x-oneflow-attempts"] == "1"
    assert requests(server.narrow, MODEL) == before + 1
    check_told(server, error)


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_of_all_providers_is_an_internal_server_error(server: Server, way: str) -> None:
    error = failure(server, way, f"falling-{way}")
    assert type(error) is openai.InternalServerError
    assert (error.status_code, error.code, error.type, error.param) == (502, "upstream_error", "server_error", None)
    assert "The server had an error" in error.message
    assert "retry-after" not in error.response.headers
    assert error.response.headers["x-oneflow-attempts"] == str(2 * ATTEMPTS)
    assert [requests(server.wide, model) for model in failing(way)] == [ATTEMPTS, ATTEMPTS]
    check_told(server, error)
