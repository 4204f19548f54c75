"""A provider double for benchmarks: canned answers on OpenAI's wire, cheap enough not to be what is measured.

Run as `python -m benchmarks.provider [PEM]`; it prints its port, with a certificate and its key also one for TLS, and
ends when its standard input does. `GET /counts` tells what reached it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from time import monotonic_ns

import uvloop

from benchmarks.questions import MODEL, STAMP_DIGITS, STEERED_BYTES, STREAM_CHUNKS, Steering, steering

HEAD_BYTES_MOST = 16 << 10
BODY_BYTES_MOST = 4 << 20
ANSWER_CHARACTERS = 700
BACKLOG = 4_096
STEERINGS_MOST = 64

_ID = "chatcmpl-00000000000000000000000000000"
_CREATED = 1_790_000_000
_USAGE = {"prompt_tokens": 260, "completion_tokens": 160, "total_tokens": 420}
_REFUSAL = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_STREAM_END = b"0\r\n\r\n"
_STAMP = b"@" * STAMP_DIGITS


@dataclass(slots=True)
class Counts:
    """What reached the double: requests, answers finished, calls hung up on by their caller, calls open now."""

    requests: int = 0
    answered: int = 0
    hung_up: int = 0
    open: int = 0


@dataclass(slots=True)
class Answers:
    """The canned answers, made once."""

    whole: bytes = field(default_factory=lambda: _http(b"application/json", _whole()))
    events: tuple[bytes, ...] = field(default_factory=lambda: tuple(_events(usage=False)))
    events_with_usage: tuple[bytes, ...] = field(default_factory=lambda: tuple(_events(usage=True)))
    stamped: tuple[bytes, ...] = field(default_factory=lambda: tuple(_events(usage=True, word=_STAMP.decode())))
    burst: bytes = b""
    burst_with_usage: bytes = b""
    # Bodies are few and come again and again.
    steering: Callable[[bytes], Steering] = field(default_factory=lambda: lru_cache(STEERINGS_MOST)(steering))

    def __post_init__(self) -> None:
        self.burst = _STREAM_HEAD + b"".join(self.events) + _STREAM_END
        self.burst_with_usage = _STREAM_HEAD + b"".join(self.events_with_usage) + _STREAM_END


class Connection(asyncio.Protocol):
    """One connection of a caller; one call at a time."""

    def __init__(self, counts: Counts, answers: Answers) -> None:
        self._counts = counts
        self._answers = answers
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._whole_bytes = 0
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # what TCP gives
        """A caller connected."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._rest = self._rest + data if self._rest else data
        if len(self._rest) >= self._whole_bytes and not self._busy:
            self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self._busy:
            self._busy = False
            self._counts.hung_up += 1
            self._counts.open -= 1

    def _read(self) -> None:
        while self._rest and not self._busy:
            head_bytes = self._rest.find(b"\r\n\r\n") + 4
            if head_bytes < 4:
                if len(self._rest) > HEAD_BYTES_MOST:
                    self._refuse(b"431 Request Header Fields Too Large")
                return
            length = _content_length(self._rest[:head_bytes])
            if length is None or length > BODY_BYTES_MOST:
                self._refuse(b"411 Length Required")
                return
            self._whole_bytes = head_bytes + length
            if len(self._rest) < self._whole_bytes:
                return
            body = self._rest[head_bytes : self._whole_bytes]
            is_call = self._rest.startswith(b"POST")
            self._rest = self._rest[self._whole_bytes :]
            self._whole_bytes = 0
            if is_call:
                self._answer(self._answers.steering(body[:STEERED_BYTES]))
            else:
                self._transport.write(_http(b"application/json", json.dumps(asdict(self._counts)).encode()))

    def _refuse(self, why: bytes) -> None:
        self._rest = b""
        self._transport.write(_REFUSAL % why)
        self._transport.close()

    def _answer(self, asked: Steering) -> None:
        self._counts.requests += 1
        if not (asked.gap_seconds or asked.wait_seconds):
            self._counts.answered += 1
            self._transport.write(self._bytes(asked))
            return
        self._busy = True
        self._counts.open += 1
        self._timer = self._loop.call_later(asked.wait_seconds, self._begin, asked)

    def _bytes(self, asked: Steering) -> bytes:
        if not asked.stream:
            return self._answers.whole
        return self._answers.burst_with_usage if asked.usage else self._answers.burst

    def _begin(self, asked: Steering) -> None:
        if asked.stream and asked.gap_seconds:
            self._transport.write(_STREAM_HEAD)
            events = self._answers.events_with_usage if asked.usage else self._answers.events
            if asked.stamped:
                events = self._answers.stamped
            self._event(events, 0, asked.gap_seconds, self._loop.time())
        else:
            self._transport.write(self._bytes(asked))
            self._done()

    def _event(self, events: tuple[bytes, ...], place: int, gap_seconds: float, began_seconds: float) -> None:
        last = place + 1 == len(events)
        event = events[place]
        if _STAMP in event:
            event = event.replace(_STAMP, b"%0*d" % (STAMP_DIGITS, monotonic_ns()))
        self._transport.write(event + _STREAM_END if last else event)
        if last:
            self._done()
            return
        due_seconds = began_seconds + (place + 1) * gap_seconds
        self._timer = self._loop.call_at(due_seconds, self._event, events, place + 1, gap_seconds, began_seconds)

    def _done(self) -> None:
        self._busy = False
        self._timer = None
        self._counts.answered += 1
        self._counts.open -= 1
        self._read()


def _content_length(head: bytes) -> int | None:
    """The length of the body; 0 for a GET, None when it is not told."""
    low = head.lower()
    found = low.find(b"\r\ncontent-length:")
    if found < 0:
        return 0 if head.startswith(b"GET") else None
    digits = low[found + 17 : low.index(b"\r\n", found + 2)].strip()
    return int(digits) if digits.isdigit() and len(digits) < 12 else None


def _http(kind: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)


def _whole() -> bytes:
    text = "The report says, in short, what it says at length. " * 20
    message = {"role": "assistant", "content": text[:ANSWER_CHARACTERS], "refusal": None}
    return _json(
        {
            "id": _ID,
            "object": "chat.completion",
            "created": _CREATED,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_0000000000",
        }
    )


def _events(*, usage: bool, word: str = "") -> list[bytes]:
    """The events of a stream, each framed as one chunk of HTTP; `word` stands in the place of all words."""
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word or f" word{number:02d}"} for number in range(1, STREAM_CHUNKS - 1)]
    choices: list[list[dict[str, object]]] = [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}] for delta in deltas
    ]
    choices.append([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])
    head: dict[str, object] = {"id": _ID, "object": "chat.completion.chunk", "created": _CREATED, "model": MODEL}
    if usage:
        head["usage"] = None
    chunks = [{**head, "choices": each} for each in choices]
    if usage:
        chunks.append({**head, "choices": [], "usage": _USAGE})
    events = [b"data: %b\n\n" % _json(chunk) for chunk in chunks] + [b"data: [DONE]\n\n"]
    return [b"%x\r\n%b\r\n" % (len(event), event) for event in events]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    counts, answers = Counts(), Answers()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    server = await loop.create_server(lambda: Connection(counts, answers), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    servers = [server]
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        secured = await loop.create_server(
            lambda: Connection(counts, answers), "127.0.0.1", 0, backlog=BACKLOG, ssl=context
        )
        print(secured.sockets[0].getsockname()[1], flush=True)
        servers.append(secured)
    await ended.wait()
    for each in servers:
        each.close()


if __name__ == "__main__":
    uvloop.run(_main())
