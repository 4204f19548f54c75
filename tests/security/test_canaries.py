"""No secret leaves a running gateway: not in answers, errors, logs, metrics or the database, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from oneflow_ai.simulator import FAST, Rule, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.canaries import leaks_in_files, planted, unleaked
from tests.cli.place import SECONDS_MOST, Place, ended, first_line

PROMPT = planted("prompt")
CLIENT_KEY = planted("client")
# Each of these strikes one model: refused credentials, whose message names a key, errors, pages, cuts and silence.
FAULTS = (
    *("F24", "F24;status=403", "F25", "F25;kind=plain", "F23;status=500", "F7"),
    *("F13@event:2", "F18", "F26", "F27", "F30", "F41"),
)
MODELS = [f"m{number}" for number in range(len(FAULTS))]


@pytest.fixture(scope="module")
def faulty() -> Iterator[ThreadedSimulator]:
    """A provider at which each of the models meets its own fault, and any other none."""
    rules = tuple(Rule(fault=fault, model=model) for fault, model in zip(FAULTS, MODELS, strict=True))
    with run_in_thread(SimulatorOptions(pace=FAST, seed=7, rules=rules)) as simulator:
        yield simulator


@dataclass
class Client:
    """Asks a server over plain connections, and keeps all that it was answered."""

    url: str
    key: str
    told: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        parts = urlsplit(self.url)
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=SECONDS_MOST)
        sent = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            self.told.append(f"{answer.status} {answer.getheaders()}")
            self.told.append(answer.read().decode("latin-1"))
            return answer.status
        except Exception as error:  # noqa: BLE001 - an answer that was cut is one more thing to look through
            self.told.append(repr(error))
            return 0
        finally:
            connection.close()


def configure(place: Place, base_url: str) -> None:
    """Providers whose keys come from every place there is, one of each: variable, file, vault."""
    tables = "".join(
        f'[providers.{name}]\nkind = "openai"\nbase_url = "{base_url}"\n' for name in ("infile", "invault")
    )
    prices = "".join(
        f'[prices."{name}/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
        for name in ("sim", "infile", "invault")
    )
    place.simulated(
        base_url,
        f'[server]\nlog_level = "debug"\n[log]\naccess = true\n[retry]\nattempts = 1\n{tables}{prices}',
    )
    for name, options in (("infile", ()), ("invault", ("--vault",))):
        assert place.run("keys", "set", name, "--no-check", *options, text=planted(name)).exit_code == 0


def trouble(client: Client) -> None:
    """What clients do, well and badly."""
    prompt = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 5}
    for provider in ("sim", "infile", "invault"):
        assert client.ask("POST", "/v1/chat/completions", {"model": f"{provider}/gpt-6-luna", **prompt}) == 200
    for model in MODELS:
        for stream in (False, True):
            client.ask("POST", "/v1/chat/completions", {"model": f"sim/{model}", "stream": stream, **prompt})
    anthropic = {"model": "sim/gpt-6-luna", **prompt}
    client.ask("POST", "/v1/messages", anthropic)
    gemini = {"contents": [{"parts": [{"text": PROMPT}]}], "generationConfig": {"maxOutputTokens": 5}}
    for name in ("gpt-6-luna", "none"):
        client.ask("POST", f"/v1beta/models/sim/{name}:generateContent", gemini, x_goog_api_key=CLIENT_KEY)
    client.ask("POST", "/v1/chat/completions", f'{{"model": "{PROMPT}", "mess'.encode())
    client.ask("POST", "/v1/chat/completions", {"model": "sim/gpt-6-luna", "messages": PROMPT})
    client.ask("POST", "/v1/chat/completions", {"model": "none", **prompt})
    client.ask(
        "POST", "/v1/chat/completions", {"model": "sim/gpt-6-luna", **prompt}, authorization=f"Bearer {CLIENT_KEY}"
    )
    client.ask("POST", "/v1/chat/completions", {"model": "sim/gpt-6-luna", **prompt}, x_api_key=CLIENT_KEY)
    client.ask("GET", f"/v1/models?key={CLIENT_KEY}")
    client.ask("GET", "/v1/models", cookie=CLIENT_KEY, x_goog_api_key=CLIENT_KEY, proxy_authorization=CLIENT_KEY)
    client.ask("POST", "/v1/chat/completions", b"\xff" * 100, expect=CLIENT_KEY)
    for name in ("sim", "infile", "invault"):
        client.ask("POST", f"/api/providers/{name}/check")
        client.ask("GET", f"/api/providers/{name}")
    for path in ("/metrics", "/health", "/api/status", "/api/config", "/api/providers", "/api/requests", "/api/keys"):
        client.ask("GET", path)


def test_no_secret_leaves_a_gateway_that_meets_every_sort_of_trouble(place: Place, faulty: ThreadedSimulator) -> None:
    """P32: keys of three providers and of clients, and prompts, at the log's lowest level; 0 of them show."""
    configure(place, faulty.base_url)
    variables = {"SIM_KEY": planted("variable"), "PYTHONFAULTHANDLER": "1"}
    with ended(place.process("serve", "--json", "--port", "0", variables=variables)) as process:
        announced = json.loads(first_line(process))
        client = Client(announced["url"], (place.home / "first-key").read_text().strip())
        trouble(client)
        process.terminate()
        output, errors = process.communicate(timeout=SECONDS_MOST)
    assert process.returncode == 0, errors
    assert len(client.told) > 60
    assert errors.count('"event":"call"') >= 2 * len(FAULTS)
    unleaked(*client.told, output, errors)
    assert list(leaks_in_files(place.directory)) == []
    assert client.key not in errors


def test_the_planted_keys_are_the_ones_that_calls_go_out_with(place: Place, faulty: ThreadedSimulator) -> None:
    """What the rule above rests on: the simulator refuses keys that begin with `bad`, from wherever they come."""
    configure(place, faulty.base_url)
    for name in ("sim", "infile", "invault"):
        assert place.run("providers", "check", name).exit_code == 0
    for name in ("infile", "invault"):
        assert place.run("keys", "set", name, "--no-check", text="bad-key").exit_code == 0
    for name in ("sim", "infile", "invault"):
        assert place.run("providers", "check", name, SIM_KEY="bad-key").exit_code == 1
