"""Requests as bytes: the parts of a good one, and how a head is put together from lines."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from tests.app.gateway import KEY, MESSAGES

PATH = b"/v1/chat/completions"
START = b"POST /v1/chat/completions HTTP/1.1"
LIST = b"GET /v1/models HTTP/1.1"
HOST = b"host: localhost"
AUTH = b"authorization: Bearer " + KEY.encode()
BAD_AUTH = b"authorization: Bearer of_nobody-has-this-key"
JSON = b"content-type: application/json"
CHUNKED = b"transfer-encoding: chunked"
MODEL = "gpt-6-luna"


def chat(model: str = MODEL, **fields: object) -> bytes:
    """The body of a chat completion."""
    return orjson.dumps({"model": f"sim/{model}", "messages": MESSAGES, **fields})


BODY = chat()


def length(body: bytes = BODY) -> bytes:
    """The header that tells a body's length."""
    return b"content-length: %d" % len(body)


def lines(*parts: bytes, body: bytes = b"") -> bytes:
    """A request from its lines, each ended as it should be, and what follows them."""
    return b"".join(part + b"\r\n" for part in parts) + b"\r\n" + body


def post(*further: bytes, body: bytes = BODY, start: bytes = START) -> bytes:
    """A good request with a body, and further headers."""
    return lines(start, HOST, AUTH, JSON, *further, length(body), body=body)


def get(target: bytes = b"/v1/models", *further: bytes) -> bytes:
    """A good request without a body, and further headers."""
    return lines(b"GET " + target + b" HTTP/1.1", HOST, AUTH, *further)


def chunked(pieces: Iterable[bytes], *further: bytes) -> bytes:
    """A request whose body comes in these chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return lines(START, HOST, AUTH, JSON, CHUNKED, *further, body=body + b"0\r\n\r\n")
