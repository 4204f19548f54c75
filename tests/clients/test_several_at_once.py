"""Calls of tools whose pieces come mixed, and several answers at once, in other wires' official clients."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import OpenAI

from tests.clients.serving import serving

pytestmark = [
    pytest.mark.clients,
    # the client builds on aiohttp in a way that aiohttp discourages
    pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning"),
]
MODEL = "raw/model"
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
CONFIGURATION = """
[retry]
attempts = 1
[providers.raw]
kind = "vllm"
base_url = "{url}/v1"
api_key = "env:PROVIDER_KEY"
[prices."raw/*"]
input_usd_per_million_tokens = 1
output_usd_per_million_tokens = 2
"""


def _call(place: int, arguments: str, **begins: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": begins.pop("name")} if begins else {})}
    return {"index": 0, "delta": {"tool_calls": [{"index": place, "function": function, **begins}]}}


def _end(reason: str, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": {}, "finish_reason": reason}


MIXED = [
    {"index": 0, "delta": {"role": "assistant", "content": "I look."}},
    _call(0, "", id="call_a", name="weather"),
    _call(1, "", id="call_b", name="time"),
    _call(0, '{"city":'),
    _call(1, '{"city":"U'),
    _call(0, '"Oslo"}'),
    _call(1, 'lm"}'),
    _end("tool_calls"),
]
SEVERAL = [
    {"index": 0, "delta": {"role": "assistant", "content": "whole"}},
    {"index": 1, "delta": {"role": "assistant", "content": "cut"}},
    _end("length", 1),
    _end("stop"),
]


class _Handler(BaseHTTPRequestHandler):
    """Streams the choices, each as a chunk."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        choices = SEVERAL if asked.get("n") == 2 else MIXED
        chunks: list[Any] = [{"id": "x", "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        chunks.append({"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode() + b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: its address, and a key of its own."""

    url: str
    key: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home: Path = tmp_path_factory.mktemp("home")
    provider = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=provider.serve_forever, daemon=True)
    thread.start()
    (home / "oneflow.toml").write_text(CONFIGURATION.format(url=f"http://127.0.0.1:{provider.server_address[1]}"))
    with serving(home, {"PROVIDER_KEY": "sk-of-the-provider"}) as (url, key):
        yield Server(url, key)
    provider.shutdown()
    thread.join()
    provider.server_close()


def test_anthropics_client_gets_mixed_calls(server: Server) -> None:
    tools: Any = [{"name": name, "input_schema": SCHEMA} for name in ("weather", "time")]
    messages: Any = [{"role": "user", "content": "Look."}]
    opened: list[int] = []
    with (
        Anthropic(base_url=server.url, api_key=server.key, max_retries=0) as client,
        client.messages.stream(model=MODEL, max_tokens=64, messages=messages, tools=tools) as stream,
    ):
        for event in stream:
            if event.type == "content_block_start":
                opened.append(event.index)
            elif event.type in ("content_block_delta", "content_block_stop"):
                assert event.index == opened[-1]
        message = stream.get_final_message()
    assert opened == [0, 1, 2]
    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert calls == [("weather", {"city": "Oslo"}), ("time", {"city": "Ulm"})]
    assert message.stop_reason == "tool_use"


def test_openais_client_of_responses_gets_mixed_calls(server: Server) -> None:
    tools: Any = [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("weather", "time")]
    with (
        OpenAI(base_url=server.url + "/v1", api_key=server.key, max_retries=0) as client,
        client.responses.stream(model=MODEL, input="Look.", tools=tools, store=False) as stream,
    ):
        response = stream.get_final_response()
    calls = [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]
    assert calls == [("weather", {"city": "Oslo"}), ("time", {"city": "Ulm"})]


def test_googles_client_gets_mixed_calls_and_each_candidates_end(server: Server) -> None:
    declared = [types.FunctionDeclaration(name=name, parameters_json_schema=SCHEMA) for name in ("weather", "time")]
    with genai.Client(api_key=server.key, http_options=types.HttpOptions(base_url=server.url)) as client:
        ask = client.models.generate_content_stream
        config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=declared)])
        calls = [
            (call.name, call.args)
            for piece in ask(model=MODEL, contents="Look.", config=config)
            for call in piece.function_calls or ()
        ]
        assert calls == [("weather", {"city": "Oslo"}), ("time", {"city": "Ulm"})]
        pieces = list(ask(model=MODEL, contents="Hi", config=types.GenerateContentConfig(candidate_count=2)))
    ends = [(each.index, each.finish_reason) for each in pieces[-1].candidates or ()]
    assert ends == [(0, types.FinishReason.STOP), (1, types.FinishReason.MAX_TOKENS)]
