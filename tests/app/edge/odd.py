"""Odd requests by number: good ones with a few things done to them. The same seed and number give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.app.edge.heads import (
    AUTH,
    BAD_AUTH,
    BODY,
    CHUNKED,
    HOST,
    JSON,
    START,
    chat,
    chunked,
    get,
    length,
    lines,
    post,
)

Oddity = Callable[[Random, bytes], bytes]

_BASES: Sequence[bytes] = (
    post(),
    post(b"x-request-id: own-1", b"x-oneflow-tags: a,b"),
    post(body=chat(stream=True)),
    post(b"connection: close"),
    chunked([BODY[:50], BODY[50:]]),
    chunked([BODY], b"te: trailers"),
    lines(b"POST /v1/completions HTTP/1.1", HOST, AUTH, JSON, length(b"{}"), body=b"{}"),
    get(b"/v1/models/sim/gpt-6-luna"),
    get(b"/v1/models/sim%2Fgpt-6-luna?a=b"),
    get(b"/health/live"),
    get(b"/api/status"),
    get(b"http://localhost/health/live"),
    lines(START, HOST, BAD_AUTH, JSON, length(), body=BODY),
    lines(b"OPTIONS * HTTP/1.1", HOST),
)
_MARKS = (
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\r\n\r\n",
)
_LINE_ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\x0b\r\n", b"\r\n ", b"\r\n\t", b"\r\n\r\n")
_COLONS = (b" :", b"\t:", b":", b": \t ", b"::", b" ", b"", b":\r\n ", b":\x00")
_STARTS = (
    b"GET /v1/models/x HTTP/1.0",
    b"POST /v1/chat/completions HTTP/9.9",
    b"PRI * HTTP/2.0",
    b"TRACE / HTTP/1.1",
    b"CONNECT localhost:1 HTTP/1.1",
    b"BREW /v1/chat/completions HTTP/1.1",
    b"post /v1/chat/completions HTTP/1.1",
    b"POST //v1/chat/completions HTTP/1.1",
    b"POST /v1/chat%2fcompletions HTTP/1.1",
    b"POST /v1/chat/completions;x HTTP/1.1",
    b"POST http://evil.example/v1/chat/completions HTTP/1.1",
    b"POST /v1/chat/completions",
    b"POST  /v1/chat/completions HTTP/1.1",
    b"",
)
_FRAMINGS = (
    b"content-length: 0",
    b"content-length: 5",
    b"content-length: +5",
    b"content-length: -1",
    b"content-length: 5, 5",
    b"content-length: 5 5",
    b"content-length: 18446744073709551617",
    b"content-length: 99999999",
    b"content-length:",
    b"content-length : 5",
    b"transfer-encoding: chunked",
    b"transfer-encoding: xchunked",
    b"transfer-encoding: chunked, identity",
    b"transfer-encoding: identity",
    b"transfer-encoding: gzip, chunked",
    b"transfer-encoding:\tchunked",
    b"Transfer-Encoding : chunked",
    b"transfer-encoding\x00: chunked",
    b"x: y\r\n transfer-encoding: chunked",
    b"x: y\ntransfer-encoding: chunked",
    b"expect: 100-continue",
    b"expect: nothing",
    b"upgrade: h2c\r\nconnection: upgrade",
    b"connection: keep-alive, close",
    b"host: evil.example",
    b"host: localhost@evil.example",
    b"authorization: Bearer of_another",
    b"content-encoding: gzip",
    b"x-forwarded-for: 10.0.0.1",
)
_CHUNKS = (b"0", b"+5", b"-1", b"0x5", b"5;a=b", b"5 ", b"ffffffffffffffff", b"10000000000000000", b"", b"g", b"00005")


def _flip(chance: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _insert(chance: Random, content: bytes) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + chance.choice(_MARKS) * chance.choice((1, 1, 1, 2, 50)) + content[at:]


def _part(chance: Random, content: bytes) -> tuple[int, int]:
    start = chance.randrange(len(content))
    return start, min(len(content), start + chance.choice((1, 2, 5, 20, 200)))


def _remove(chance: Random, content: bytes) -> bytes:
    start, end = _part(chance, content)
    return content[:start] + content[end:]


def _repeat(chance: Random, content: bytes) -> bytes:
    start, end = _part(chance, content)
    return content[:end] + content[start:]


def _swap(chance: Random, content: bytes) -> bytes:
    start, end = _part(chance, content)
    return content[:start] + content[end : end + end - start] + content[start:end] + content[2 * end - start :]


def _cut(chance: Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content))]


def _line(change: Callable[[Random, list[bytes], int], None]) -> Oddity:
    """An oddity of one line of the head, told its place among the others."""

    def odd(chance: Random, content: bytes) -> bytes:
        head, end, rest = content.partition(b"\r\n\r\n")
        parts = head.split(b"\r\n")
        change(chance, parts, chance.randrange(len(parts)))
        return b"\r\n".join(parts) + end + rest

    return odd


def _repeat_line(chance: Random, parts: list[bytes], at: int) -> None:
    parts.insert(chance.randrange(len(parts) + 1), parts[at])


def _remove_line(_chance: Random, parts: list[bytes], at: int) -> None:
    del parts[at]


def _shuffle(chance: Random, parts: list[bytes], _at: int) -> None:
    later = parts[1:]
    chance.shuffle(later)
    parts[1:] = later


def _line_end(chance: Random, parts: list[bytes], at: int) -> None:
    parts[at : at + 2] = [chance.choice(_LINE_ENDS).join(parts[at : at + 2])]


def _colon(chance: Random, parts: list[bytes], at: int) -> None:
    parts[at] = parts[at].replace(b": ", chance.choice(_COLONS), 1)


def _framing(chance: Random, parts: list[bytes], at: int) -> None:
    parts.insert(max(at, 1), chance.choice(_FRAMINGS))


def _other_start(chance: Random, parts: list[bytes], _at: int) -> None:
    parts[0] = chance.choice(_STARTS)


def _oversize(chance: Random, parts: list[bytes], at: int) -> None:
    kind = chance.randrange(4)
    if kind == 0:
        parts[at] += b"x" * chance.choice((9_000, 100_000))
    elif kind == 1:
        parts[0] = parts[0].replace(b" HTTP", b"?" + b"x" * 9_000 + b" HTTP")
    elif kind == 2:
        parts[at:at] = [b"x-%d: y" % number for number in range(chance.choice((90, 101)))]
    else:
        parts[at:at] = [b"x" * chance.choice((500, 5_000)) + b": y"] * 30


def _chunk(chance: Random, content: bytes) -> bytes:
    head, end, body = content.partition(b"\r\n\r\n")
    if CHUNKED not in head or b"\r\n" not in body:
        return _flip(chance, content)
    pieces = body.split(b"\r\n")
    pieces[chance.randrange(len(pieces))] = chance.choice(_CHUNKS)
    return head + end + b"\r\n".join(pieces)


def _body(chance: Random, content: bytes) -> bytes:
    """A body of other bytes, its length as told."""
    head, end, body = content.partition(b"\r\n\r\n")
    return head + end + (_flip(chance, body) if body else b"")


_ODDITIES: Sequence[Oddity] = (
    _flip,
    _insert,
    _remove,
    _repeat,
    _swap,
    _cut,
    _chunk,
    _body,
    *map(_line, (_repeat_line, _remove_line, _shuffle, _line_end, _colon, _framing, _framing, _other_start)),
)
_RARE: Oddity = _line(_oversize)
_RARE_SHARE = 0.01


def odd_request(seed: int, number: int) -> bytes:
    """One to three requests on a connection, the first of them with one to three oddities; or none with any, rarely."""
    chance = Random(seed << 32 | number)
    content = chance.choice(_BASES)
    for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 2, 3))):
        oddity = _RARE if chance.random() < _RARE_SHARE else chance.choice(_ODDITIES)
        content = oddity(chance, content) or b"\r\n"
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        content += chance.choice(_BASES)
    return content
