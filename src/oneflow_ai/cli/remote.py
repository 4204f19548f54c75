"""A running server as verbs ask it: its OpenAI route for answers, its control routes for everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import orjson

from oneflow_ai.answer import Answer, OneFlowError
from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.output import note
from oneflow_ai.core.events import Usage
from oneflow_ai.core.target import Secret
from oneflow_ai.providers.sse import EventSplitter
from oneflow_ai.settings import Loaded, SettingsError, is_loopback, resolve

URL_VARIABLE = "ONEFLOW_URL"
KEY_VARIABLE = "ONEFLOW_API_KEY"
FIRST_KEY = "file:first-key"
CONNECT_SECONDS = 5.0
CONTROL_SECONDS_MOST = 30.0
ANSWER_SECONDS_MOST = 3_600.0
ANSWER_BYTES_MOST = 64 << 20
_FOREIGN = "oneflow: {url} does not answer with JSON: is it a OneFlow server?"
_MADE_BY = "`oneflow tokens create NAME` on its machine makes one"
_NO_KEY = f"oneflow: the server needs a key: set {KEY_VARIABLE}; {_MADE_BY}"
_BAD_KEY = f"oneflow: the server does not know the key that was sent: set {KEY_VARIABLE}; {_MADE_BY}"


@dataclass(frozen=True, slots=True)
class Remote:
    """A server's address without a path, and the key it is asked with."""

    url: str
    key: Secret | None = field(repr=False)

    async def get(self, path: str) -> Any:
        """The JSON at a control route; raises `Refused` and `OneFlowError`."""
        return await self._control("GET", path)

    async def post(self, path: str) -> Any:
        """The JSON that a control route answers to being told to act; raises `Refused` and `OneFlowError`."""
        return await self._control("POST", path)

    async def _control(self, method: str, path: str) -> Any:
        async with self.asked(method, path, None, CONTROL_SECONDS_MOST) as response:
            return self.decoded(await read(response))

    def decoded(self, body: bytes) -> Any:
        """What the server said in JSON; raises `Refused`."""
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refused(_FOREIGN.format(url=self.url)) from None

    async def ask(
        self,
        prompt: str | Sequence[object],
        model: str,
        options: Mapping[str, object],
        on_piece: Callable[[str], None] | None,
    ) -> Answer:
        """One answer of text to a prompt, or to a chat's messages; `on_piece` is told each piece as it comes.

        Raises `Refused` and `OneFlowError`.
        """
        began = perf_counter()
        body = _body(prompt, model, options, stream=on_piece is not None)
        async with self.asked("POST", "/v1/chat/completions", body, ANSWER_SECONDS_MOST) as response:
            if on_piece is None:
                whole = _decoded(await read(response))
            else:
                whole = await _streamed(response, on_piece)
        return _answer(response.headers, whole, perf_counter() - began)

    @asynccontextmanager
    async def asked(
        self, method: str, path: str, body: bytes | aiohttp.FormData | None, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request, JSON or a form; raises `Refused` and `OneFlowError` for any but a success."""
        headers = {"content-type": "application/json"} if isinstance(body, bytes) else {}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key.reveal()}"
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, self.url + path, data=body, headers=headers, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise self._refusal(response, await read(response))
                yield response
        except (aiohttp.ClientConnectionError, aiohttp.ConnectionTimeoutError) as error:
            if isinstance(error, aiohttp.ServerDisconnectedError):
                raise Refused(f"oneflow: the server at {self.url} ended the connection") from None
            raise Refused(f"oneflow: no server answers at {self.url}: start one with `oneflow serve`") from None
        except (TimeoutError, aiohttp.ClientError) as error:
            words = "did not answer in time" if isinstance(error, TimeoutError) else "broke off its answer"
            raise Refused(f"oneflow: the server at {self.url} {words}") from None

    def _refusal(self, response: aiohttp.ClientResponse, body: bytes) -> Exception:
        if response.status == 401:
            return Refused(_NO_KEY if self.key is None else _BAD_KEY)
        try:
            error = msgspec.json.decode(body, type=_Said).error
        except msgspec.DecodeError:
            error = None
        if error is None:
            return Refused(f"oneflow: {self.url} answers with status {response.status}: is it a OneFlow server?")
        told = response.headers.get("x-oneflow-attempts", "")
        attempts = int(told) if told.isdecimal() else 0
        return OneFlowError(error.message, code=error.code or "error", status=response.status, attempts=attempts)


def remote_of(asked: str | None, loaded: Loaded) -> Remote | None:
    """The server that `--server` or its variable names; None when neither does. Raises `Refused`.

    The key is that of the variable; the first key of this machine is only ever sent to this machine.
    """
    written = asked or loaded.environment.get(URL_VARIABLE)
    if not written:
        return None
    where = "--server" if asked else URL_VARIABLE
    url, host = _address(written, where)
    key = loaded.environment.get(KEY_VARIABLE)
    if key:
        if not is_loopback(host) and url.startswith("http:"):
            note(f"warning: the key goes unencrypted to {host}: write https:// if it can be reached so")
        return Remote(url, Secret(key))
    return Remote(url, _first_key(loaded) if is_loopback(host) else None)


def _address(written: str, where: str) -> tuple[str, str]:
    try:
        parts = urlsplit(written)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") not in ("", "v1") or "@" in written:
        raise misuse(f"oneflow: {where} is the address of a server, like http://127.0.0.1:8000")
    return f"{parts.scheme}://{parts.netloc}", host


def _first_key(loaded: Loaded) -> Secret | None:
    try:
        return resolve(FIRST_KEY, loaded.environment, loaded.home)
    except SettingsError:
        return None


def _body(prompt: str | Sequence[object], model: str, options: Mapping[str, object], *, stream: bool) -> bytes:
    messages: list[object] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    chosen = dict(options)
    if system := chosen.pop("system", None):
        messages.insert(0, {"role": "system", "content": str(system)})
    body = {"model": model, "messages": messages, **chosen}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return orjson.dumps(body)


async def read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, bounded; raises `Refused`."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER_BYTES_MOST:
            raise Refused(f"oneflow: the server's answer is larger than {ANSWER_BYTES_MOST} bytes")
    return b"".join(pieces)


def _decoded(body: bytes) -> _Said:
    try:
        return msgspec.json.decode(body, type=_Said)
    except msgspec.DecodeError:
        raise Refused("oneflow: what the server answers is no chat completion: is it a OneFlow server?") from None


async def _streamed(response: aiohttp.ClientResponse, on_piece: Callable[[str], None]) -> _Said:
    """The pieces folded into what a whole answer would have been."""
    events = EventSplitter()
    pieces: list[str] = []
    reason, usage = None, None
    async for content in response.content.iter_any():
        for event in events.feed(content):
            if event == b"[DONE]":
                return _Said([_Choice(_Message("".join(pieces)), finish_reason=reason)], usage)
            said = _decoded(event)
            if said.error is not None:
                raise OneFlowError(said.error.message, code=said.error.code or "error", status=response.status)
            usage = said.usage or usage
            for choice in said.choices[:1]:
                reason = choice.finish_reason or reason
                if piece := choice.delta.content:
                    pieces.append(piece)
                    on_piece(piece)
    raise Refused("oneflow: the server's answer ended before it was complete")


def _answer(headers: Mapping[str, str], said: _Said, seconds: float) -> Answer:
    choice, usage = (*said.choices, _Choice())[0], said.usage or _Usage()
    return Answer(
        text=choice.message.content or "",
        provider=headers.get("x-oneflow-provider", ""),
        model=headers.get("x-oneflow-model", ""),
        cost_usd=float(headers.get("x-oneflow-cost-usd", usage.cost)),
        usage=Usage(usage.prompt_tokens, usage.completion_tokens),
        attempts=int(headers.get("x-oneflow-attempts", 0)),
        seconds=seconds,
        request_id=headers.get("x-request-id", ""),
        finish_reason=choice.finish_reason,
        simulated=headers.get("x-oneflow-simulated") == "true",
        estimated=headers.get("x-oneflow-estimated") == "true",
    )


class _Error(msgspec.Struct):
    message: str
    code: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    delta: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class _Said(msgspec.Struct):
    """What is read of a chat completion, whole or a chunk of it, and of an error."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | None = None
