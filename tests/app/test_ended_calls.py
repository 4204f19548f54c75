"""A provider that ends within a tool's call, by its own mark of the end: no client takes the call for a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from oneflow_ai.stores.history import Filters
from tests.app.gateway import KEY, running

TOOL = {"name": "weather", "description": "Tells the weather.", "parameters": {"type": "object", "properties": {}}}
ASKED = "What is the weather?"
DIALECTS: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "chat": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": ASKED}], "tools": [{"type": "function", "function": TOOL}]},
        b"[DONE]",
    ),
    "responses": ("/v1/responses", {"input": ASKED, "tools": [{"type": "function", **TOOL}]}, b"response.completed"),
    "messages": (
        "/v1/messages",
        {
            "max_tokens": 50,
            "messages": [{"role": "user", "content": ASKED}],
            "tools": [{"name": "weather", "input_schema": TOOL["parameters"]}],
        },
        b"message_stop",
    ),
    "gemini": (
        "/v1beta/models/sim/m:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": ASKED}]}], "tools": [{"functionDeclarations": [TOOL]}]},
        b"finishReason",
    ),
}


def _event(delta: dict[str, Any]) -> bytes:
    chunk = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return b"data: %b\n\n" % orjson.dumps(chunk)


def _stream(arguments: str) -> bytes:
    called = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    pieces = [{"tool_calls": [called]}, {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}]
    return b"".join(map(_event, pieces)) + b"data: [DONE]\n\n"


@asynccontextmanager
async def _provider(body: bytes) -> AsyncIterator[str]:
    """Answers everything with this stream."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(size.partition(b":")[2]))
        told = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
        writer.write(told + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize("whole", [False, True], ids=["cut", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_call_is_whole_or_the_answer_is_told_as_cut(tmp_path: Path, dialect: str, whole: bool) -> None:
    path, asked, mark = DIALECTS[dialect]
    stream = _stream('{"place": "Zurich"}' if whole else '{"place": "Zu')
    async with _provider(stream) as address:
        table = {"sim": f'kind = "together"\nbase_url = "{address}"\n'}
        async with running(tmp_path, providers=table) as gateway:
            headers = {"x-api-key": KEY} if dialect != "gemini" else {"x-goog-api-key": KEY}
            body = orjson.dumps(asked | ({} if dialect == "gemini" else {"model": "sim/m", "stream": True}))
            reply = await gateway.post(path, body, headers)
            assert reply.status == 200
            assert (mark in reply.body) is whole
            assert (b"within a tool's call" in reply.body) is not whole
            await gateway.runtime.recorder.close()
            (record,) = (await gateway.runtime.history.page(Filters())).records
            assert record.outcome == ("ok" if whole else "upstream_stream_interrupted")
